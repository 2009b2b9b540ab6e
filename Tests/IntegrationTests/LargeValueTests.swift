// Values too large for one piece: they arrive whole or not at all, in bounded memory, under the same
// rules for keys that exist already.

import Glibc
import Testing

@Suite("Large values", .ownThread)
struct LargeValueTests {
  private static let suffix = ":migr8sync-partial"

  @Test(arguments: ServerKind.allCases)
  func ofEveryType(kind: ServerKind) throws {
    let source = try TestServer(kind)
    let destination = try TestServer(kind)
    try SampleData.fillLarge(source)
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  @Test func existingKeysAreSkippedOrReplacedAsAsked() throws {
    for (policy, keepsOld) in [("skip", true), ("replace", false)] {
      let source = try TestServer()
      let destination = try TestServer()
      try SampleData.fillLarge(source)
      let client = try destination.client()
      try client("SET", "bump:list", "mine")
      let result = try Tool.run([
        "sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:",
        "--on-conflict", policy,
      ])
      #expect(result.exitCode == 0, "\(result)")
      #expect(try client("TYPE", "bump:list").text == (keepsOld ? "string" : "list"))
      #expect(try client("EXISTS", "bump:list" + Self.suffix).number == 0)
      #expect(try client("DBSIZE").number == 6)
    }
  }

  /// The run dies in the middle of a value: nothing stands under the key, and the part expires.
  @Test func aPartlyBuiltKeyNeverLooksWhole() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try SampleData.fillLarge(source)
    try source.client()("CONFIG", "SET", "rdb-key-save-delay", 2_000_000)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    let client = try destination.client()
    var seen: [String] = []
    try awaitCondition("a part to be there", seconds: 60) {
      seen = try Self.types.filter { try client("EXISTS", $0 + Self.suffix).number == 1 }
      return !seen.isEmpty
    }
    tool.send(signal: SIGKILL)
    _ = try Tool.finish(tool)
    let parts = try seen.filter { try client("EXISTS", $0 + Self.suffix).number == 1 }
    try #require(!parts.isEmpty)
    for key in parts {
      #expect(try client("EXISTS", key).number == 0)
      #expect((1...3_600_000).contains(try client("PTTL", key + Self.suffix).number ?? 0))
    }
  }

  private static let types = ["string", "list", "set", "zset", "hash", "stream"].map {
    "bump:\($0)"
  }

  /// Large commands of the stream pass while they arrive, inside transactions and beside other keys too.
  @Test func largeCommandsOfTheStreamTakeLittleMemory() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--queue-memory", "8mb",
    ])
    let client = try source.client()
    try client("SET", "bump:first", 1)
    try source.awaitToolInSync(tool)
    let value = [UInt8](repeating: 121, count: 60_000_000)
    try client("SET", "bump:s", value)
    try client("SET", "other:s", value)
    _ = try client.pipeline([
      ["MULTI"], ["INCR", "bump:n"], ["APPEND", "bump:s", value], ["SELECT", 3],
      ["RPUSH", "bump:l", value, "x", value], ["SET", "other:t", value], ["EXEC"],
    ])
    try client("SELECT", 0)
    try client("INCR", "bump:n")
    try source.awaitToolInSync(tool)
    #expect(try tool.peakMemoryBytes() < (50 + 8) << 20)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// Half of a large command is at the destination, and the rest cannot be read back from the disk.
  @Test func aLargeCommandIsCutByTheDisk() throws {
    let source = try TestServer(.redis70, ["--repl-ping-replica-period", "3600"])
    let destination = try TestServer()
    let arguments = [
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--queue-memory", "1mb",
      "--log-format", "json",
    ]
    let tool = try Tool.start(arguments)
    let client = try source.client()
    try source.awaitToolFollowing(tool)
    try client("SET", "bump:first", 1)
    try source.awaitToolInSync(tool)
    destination.freeze()
    try client("SET", "bump:s", [UInt8](repeating: 121, count: 60_000_000))
    let end = try client.info("replication")["master_repl_offset"] ?? ""
    // All of it was received: nothing more is written to the files.
    try tool.awaitError("\"source_offset\":\(end),")
    #expect(tool.truncateFiles(named: "migr8sync-spool") > 0)
    destination.thaw()
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    #expect(
      result.standardError.contains("shorter than what was written; the stream was cut inside"),
      "\(result)")
    #expect(try destination.client()("EXISTS", "bump:s").number == 0)
    let again = try Tool.start(arguments)
    try source.awaitToolInSync(again)
    again.send(signal: SIGINT)
    #expect(try Tool.finish(again).exitCode == 5)
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// The destination refuses a large command: the line names it, and the key is put right.
  @Test func aRefusedLargeCommandIsNamedAndHealed() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.client()("SET", "bump:a", 1)
    try source.awaitToolInSync(tool)
    try destination.client()("SET", "bump:list", "a string")
    try source.client()("RPUSH", "bump:list", [UInt8](repeating: 121, count: 5_000_000))
    try tool.awaitError("RPUSH bump:list", "WRONGTYPE", "read again")
    try awaitCondition("the list") {
      try destination.client()("TYPE", "bump:list").text == "list"
    }
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  @Test func aListOfManyMegabytesTakesLittleMemory() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let client = try source.client()
    let element = [UInt8](repeating: 120, count: 10_000)
    for _ in 0..<150 {
      try SampleData.send(client, ["RPUSH", "bump:l"] + (0..<100).map { _ in element })
    }
    try client("CONFIG", "SET", "rdbcompression", "no")
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--queue-memory", "8mb",
    ])
    try awaitCondition("the list to be there", seconds: 60) {
      try destination.client()("EXISTS", "bump:l").number == 1
    }
    // The list is 150 MB.
    #expect(try tool.peakMemoryBytes() < (50 + 8) << 20)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try expectEqual(destination, to: source)
  }
}
