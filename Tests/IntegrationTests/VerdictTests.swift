// What a comparison says of keys that never rest, or whose destination is not known to be where it seems: neither a
// false alarm, nor a difference that was seen and is kept back.

import Glibc
import ReplicaLink
import Testing

@Suite("What a comparison says in the end", .ownThread)
struct VerdictTests {
  private static func calls(_ command: String, _ port: Int) throws -> Int {
    let line = try TestClient(port: port).info("commandstats")["cmdstat_\(command)"] ?? ""
    return line.firstMatch(of: /calls=([0-9]+)/).flatMap { Int($0.1) } ?? 0
  }

  /// A command that was refused inside its transaction is made good later, and until then its key is not marked
  /// as under repair: only the checkpoint tells that the replies were not read.
  @Test func aRefusedCommandThatIsNotDealtWithYet() throws {
    let source = try TestServer(.redis70, ["--repl-ping-replica-period", "3600"])
    let destination = try TestServer()
    try source.client()("SET", "bump:1", 1)
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"])
    defer { tool.kill() }
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGSTOP)
    let text = try source.client().info("replication")["master_repl_offset"]
    let end = try #require(text.flatMap { Int($0) })
    let record: [any Word] = ["HSET", "migr8sync:job:one", "offset", end, "confirmed"]
    try VerifyTests.run(
      destination, [["DEL", "bump:1"], record + [end - 1], ["CONFIG", "RESETSTAT"]])
    let comparison = try Tool.start([
      "verify", "-s", source.url, "-d", destination.url, "-p", "bump:",
    ])
    try awaitCondition("the comparison to wait for the checkpoint") {
      guard comparison.isRunning else {
        throw TestFailure("it does not: \(try Tool.finish(comparison))")
      }
      return try Self.calls("hmget", destination.port) > 50
    }
    try VerifyTests.run(destination, [["SET", "bump:1", 1], record + [end]])
    let result = try Tool.finish(comparison)
    #expect(result.exitCode == 0 && result.standardOutput.isEmpty, "\(result)")
    #expect(result.standardError.contains("beside the running job"), "\(result)")
  }

  /// Nothing comes behind the last command of an idle source: the job says by itself that its reply was read.
  @Test func anIdleSourceIsComparedToItsEnd() throws {
    let source = try TestServer(.redis70, ["--repl-ping-replica-period", "3600"])
    let destination = try TestServer()
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"])
    defer { tool.kill() }
    try source.awaitToolFollowing(tool)
    try source.client()("SET", "bump:1", 1)
    try source.awaitToolInSync(tool)
    try destination.client()("SET", "bump:1", 2)
    let result = try Tool.run([
      "verify", "-s", source.url, "-d", destination.url, "-p", "bump:", "--json",
    ])
    #expect(result.exitCode == 3 && VerifyTests.found(result) == ["bump:1": "value"], "\(result)")
    #expect(result.standardError.contains("beside the running job"), "\(result)")
  }

  /// Two differences. One key is touched whenever it would be mended; the other changes behind that, whenever it
  /// is read once more.
  @Test func whatCouldNotBeMendedStaysADifference() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let body = String(repeating: "x", count: 100_000)
    let fields = (0..<60).flatMap { ["f\($0)", "\($0) \(body)"] }
    for server in [source, destination] {
      try VerifyTests.run(server, [["HSET", "bump:hash", "busy", 1] + fields])
    }
    try source.client()("SET", "bump:small", 0)
    try destination.client()("HSET", "bump:hash", "f59", "other")
    let port = source.port
    let isMended = Guarded(false)
    let near = try InterjectingProxy(
      to: source,
      [
        "MULTI": { try TestClient(port: port)("HSET", "bump:hash", "busy", 1) },
        "DUMP": {
          if isMended.withLock({ $0 }) { try TestClient(port: port)("INCR", "bump:small") }
        },
      ])
    let far = try InterjectingProxy(
      to: destination, ["RESTORE": { isMended.withLock { $0 = true } }])
    defer {
      near.stop()
      far.stop()
    }
    let result = try Tool.run([
      "verify", "-s", near.url, "-d", far.url, "-p", "bump:", "--settle", "20ms", "--json", "--fix",
      "--yes",
    ])
    #expect(result.exitCode == 3, "\(result)")
    #expect(result.standardOutput.contains("\"detail\":\"not mended: "), "\(result)")
    #expect(
      result.standardOutput.contains(
        "\"differences\":1,\"value\":1,\"undecided\":1,\"fixed\":0,"), "\(result)")
  }

  /// What differs in a sample is decided on the way: what waits for that is bounded.
  @Test func aLargeSampleIsDecidedOnTheWay() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let count = 6_000
    try VerifyTests.run(source, (0..<count).map { ["SET", "bump:\($0)", $0] })
    let read = Guarded<Int?>(nil)
    let port = source.port
    let proxy = try InterjectingProxy(
      to: source,
      [
        "WATCH": {
          let calls = try Self.calls("dump", port)
          read.withLock { $0 = $0 ?? calls }
        }
      ])
    defer { proxy.stop() }
    let result = try Tool.run([
      "verify", "-s", proxy.url, "-d", destination.url, "-p", "bump:", "--settle", "20ms", "--json",
      "--sample", "\(count)",
    ])
    #expect(result.exitCode == 3 && VerifyTests.found(result).count == count, "\(result.exitCode)")
    let atFirst = try #require(read.withLock { $0 })
    #expect(atFirst < count)
  }
}
