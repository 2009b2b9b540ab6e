// `migr8sync delete`: moved keys go, and nothing else; what the destination does not have stays.

import Glibc
import Testing

@Suite("Removing moved keys", .ownThread)
struct DeleteTests {
  private static func delete(
    _ source: TestServer, _ destination: TestServer, _ options: String...
  ) throws -> ToolResult {
    try Tool.run(
      ["delete", "-s", source.url, "-d", destination.url, "-p", "bump:"] + options)
  }

  private static func fill(_ server: TestServer, _ count: Int) throws {
    let numbers = 0..<count
    for start in stride(from: 0, to: count, by: 1_000) {
      try VerifyTests.run(
        server,
        numbers[start..<min(count, start + 1_000)].map { ["SET", "bump:\($0)", "value \($0)"] })
    }
  }

  @Test(arguments: ServerKind.allCases)
  func onlyWhatTheDestinationHoldsIsRemoved(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    try VerifyTests.copy(source, destination)
    let everything = try Keyspace(of: destination)
    // What is written after the application has moved over.
    try VerifyTests.run(
      source,
      [["SET", "bump:changed", 1], ["APPEND", "bump:raw", "!"], ["SADD", "bump:set", "new"]])
    try destination.client()("DEL", "bump:hash")
    let before = try Keyspace(of: source)
    let dry = try Self.delete(source, destination, "--dry-run")
    #expect(dry.exitCode == 3 && dry.standardError.contains("would remove"), "\(dry)")
    let untouched = try Keyspace(of: source).differences(from: before)
    #expect(untouched == [])

    let result = try Self.delete(source, destination, "--yes", "--json")
    #expect(result.exitCode == 3, "\(result)")
    for (key, reason) in [
      ("bump:changed", "missing at the destination"), ("bump:raw", "different value"),
      ("bump:set", "different value"), ("bump:hash", "missing at the destination"),
    ] {
      #expect(
        result.standardOutput.contains(
          "{\"event\":\"kept\",\"key\":\"\(key)\",\"db\":0,\"reason\":\"\(reason)\"}"),
        "\(result)")
    }
    #expect(result.standardOutput.contains("\"kept\":4,\"gone\":0}"), "\(result)")
    let kept = ["bump:changed", "bump:raw", "bump:set", "bump:hash"].map { Array($0.utf8) }
    let expected = before.filter { name in
      !name.key.starts(with: "bump:".utf8) || (name.database == 0 && kept.contains(name.key))
    }
    let left = try Keyspace(of: source).differences(from: expected)
    #expect(left == [])
    let there = try Keyspace(of: destination).differences(
      from: everything.filter { $0.key != Array("bump:hash".utf8) || $0.database != 0 })
    #expect(there == [])
    #expect(
      try Self.delete(source, destination, "--yes", "--no-verify").standardError.contains(
        "removed 4 keys"))
    try VerifyTests.expectNoKeys(source, destination)
  }

  /// What is removed at a source that a job follows would be removed at the destination.
  @Test func aJobThatFollowsOrMayGoOnStandsAgainstIt() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:1", 1)
    expectLine(try Self.delete(source, destination), code: 4, saying: ["not confirmed", "--yes"])
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"])
    try source.awaitToolFollowing(tool)
    expectLine(
      try Self.delete(source, destination, "--yes"), code: 4, saying: ["job one", "follows"])
    let blind = try Tool.run(["delete", "-s", source.url, "-p", "bump:", "--no-verify", "--yes"])
    expectLine(blind, code: 4, saying: ["follows"])
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    expectLine(
      try Self.delete(source, destination, "--yes"), code: 4, saying: ["job one", "stopped"])
    #expect(
      try Tool.run(["jobs", "-d", destination.url, "--forget", "one", "--yes"]).exitCode == 0)
    #expect(try Self.delete(source, destination, "--yes").exitCode == 0)
    #expect(try source.client()("EXISTS", "bump:1").number == 0)
    #expect(try destination.client()("EXISTS", "bump:1").number == 1)
  }

  @Test func whatWasInterruptedGoesOn() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try Self.fill(source, 8_000)
    try source.client()("SET", "other", 1)
    try VerifyTests.copy(source, destination)
    let tool = try Tool.start([
      "delete", "-s", source.url, "-d", destination.url, "-p", "bump:", "--yes", "--max-rate",
      "2000",
    ])
    let client = try source.client()
    try awaitCondition("some keys to be removed") {
      guard tool.isRunning else { throw TestFailure("the tool ended: \(try Tool.finish(tool))") }
      return try client("DBSIZE").number ?? 0 < 7_500
    }
    tool.send(signal: SIGTERM)
    let stopped = try Tool.finish(tool)
    #expect(stopped.exitCode == 5 && stopped.standardError.contains("removed"), "\(stopped)")
    let left = try client("DBSIZE").number ?? 0
    #expect(left > 1)
    let result = try Self.delete(source, destination, "--yes", "--json")
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput.contains("\"removed\":\(left - 1),"), "\(result)")
    #expect(try client("DBSIZE").number == 1)
    #expect(try destination.client()("DBSIZE").number == 8_001)
  }

  /// A write that was acknowledged is never removed: an application that goes on writing to keys that are
  /// being removed finds every key that it has changed.
  @Test func noWriteIsLostToIt() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try Self.fill(source, 6_000)
    try VerifyTests.copy(source, destination)
    let tool = try Tool.start([
      "delete", "-s", source.url, "-d", destination.url, "-p", "bump:", "--yes",
    ])
    let client = try source.client()
    var random = SeededRandom(seed: 9)
    var written: [Int: String] = [:]
    while tool.isRunning {
      let number = Int.random(in: 0..<6_000, using: &random)
      let value = "changed \(number)"
      if try client.reply(to: "SET", "bump:\(number)", value, "XX") == .status("OK") {
        written[number] = value
      }
    }
    let result = try Tool.finish(tool)
    #expect(result.exitCode == (written.isEmpty ? 0 : 3), "\(result)")
    for (number, value) in written {
      #expect(try client("GET", "bump:\(number)").text == value)
    }
    #expect(try client("DBSIZE").number == written.count)
  }

  /// A server without UNLINK: large values go piece by piece, so that it never stands still.
  @Test func withoutUnlinkLargeValuesGoInPieces() throws {
    let source = try TestServer(.redis62, ["--rename-command", "UNLINK", ""])
    let destination = try TestServer(.redis70)
    let body = String(repeating: "x", count: 80)
    var commands: [[any Word]] = [["SET", "bump:small", 1]]
    for start in stride(from: 0, to: 50_000, by: 1_000) {
      let numbers = start..<(start + 1_000)
      commands += [
        ["RPUSH", "bump:list"] + numbers.map { "\($0) \(body)" },
        ["SADD", "bump:set"] + numbers.map { "\($0) \(body)" },
        ["ZADD", "bump:zset"] + numbers.flatMap { ["\($0)", "\($0) \(body)"] },
        ["HSET", "bump:hash"] + numbers.flatMap { ["f\($0)", "\($0) \(body)"] },
      ]
    }
    commands += (1...50_000).map { ["XADD", "bump:stream", "\($0)-1", "f", "\($0) \(body)"] }
    try VerifyTests.run(source, commands)
    try VerifyTests.copy(source, destination)
    let result = try Self.delete(source, destination, "--yes")
    #expect(result.exitCode == 0 && result.standardError.contains("removed 6 keys"), "\(result)")
    #expect(try source.client()("DBSIZE").number == 0)
    let stats = try source.client().info("commandstats")
    for command in ["ltrim", "srem", "zremrangebyrank", "hdel", "xtrim"] {
      let calls = stats["cmdstat_\(command)"]?.firstMatch(of: /calls=([0-9]+)/)
      // To the last hundred elements, and not only until a page of a scan is empty.
      #expect((calls.flatMap { Int($0.1) } ?? 0) >= 300, "\(command)")
    }
  }

  /// What a run has begun to take apart has a name that a glob does not match.
  @Test(arguments: [["--match", "a:*:cart"], ["-p", "a:"], ["--regex", "cart$"]])
  func whatWasBegunInPiecesIsFound(rules: [String]) throws {
    let source = try TestServer(.redis62, ["--rename-command", "UNLINK", ""])
    let destination = try TestServer()
    let filler: [[any Word]] = [
      ["RPUSH", "a:1:cart:migr8sync-removed"] + (0..<5_000).map { "\($0)" },
      ["SET", "b:1:cat:migr8sync-removed", 1], ["SET", "a:2:cart", 1],
    ]
    try VerifyTests.run(source, filler)
    try VerifyTests.run(destination, [["SET", "a:2:cart", 1]])
    let result = try Tool.run(
      ["delete", "-s", source.url, "-d", destination.url, "--yes"] + rules)
    #expect(result.exitCode == 0 && result.standardError.contains("removed 2 keys"), "\(result)")
    #expect(try source.client()("DBSIZE").number == 1)
    #expect(try source.client()("EXISTS", "b:1:cat:migr8sync-removed").number == 1)
  }

  /// Where no run makes such a name, it is a key like any other; and so it is where its beginning is not in.
  @Test(arguments: [true, false])
  func aNameThatLooksLikeItIsCompared(canUnlink: Bool) throws {
    let source = try TestServer(
      .redis62, canUnlink ? [] : ["--rename-command", "UNLINK", ""])
    let destination = try TestServer()
    try source.client()("SET", "bump:cart:migr8sync-removed", 1)
    let rules = canUnlink ? [] : ["--exclude-regex", "cart$"]
    let result = try Tool.run(
      ["delete", "-s", source.url, "-d", destination.url, "-p", "bump:", "--yes"] + rules)
    #expect(
      result.exitCode == 3 && result.standardOutput.contains("missing at the destination"),
      "\(result)")
    #expect(try source.client()("DBSIZE").number == 1)
  }

  /// Before 4.0 there is no MEMORY USAGE either: a value's length has to do.
  @Test func withoutMemoryUsage() throws {
    let source = try TestServer(
      .redis62, ["--rename-command", "UNLINK", "", "--rename-command", "MEMORY", ""])
    let destination = try TestServer(.redis70)
    try SampleData.fill(source)
    let body = String(repeating: "x", count: 20)
    try VerifyTests.run(
      source,
      [
        ["HSET", "bump:many"] + (0..<9_000).flatMap { ["f\($0)", "\($0) \(body)"] },
        ["SETRANGE", "bump:wide", 5 << 20, "end"],
      ])
    let copied = try ScanTests.copy(source, destination, "-p", "bump:")
    #expect(copied.exitCode == 0, "\(copied)")
    let same = try VerifyTests.verify(source, destination, "-p", "bump:")
    #expect(same.exitCode == 0, "\(same)")
    let result = try Self.delete(source, destination, "--yes")
    #expect(result.exitCode == 0, "\(result)")
    #expect(try Keyspace(of: source).filter(prefix: "bump:").keys.isEmpty)
    let stats = try source.client().info("commandstats")
    #expect(stats["cmdstat_hdel"] != nil && stats["cmdstat_ltrim"] == nil)
  }

  @Test func keysHaveToBeNamed() throws {
    expectLine(
      try Tool.run(["delete", "-s", "redis://127.0.0.1:1", "-d", "redis://127.0.0.1:2"]), code: 2,
      saying: ["--prefix"])
  }
}
