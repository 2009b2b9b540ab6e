// `migr8sync verify`: what differs is found and named, what does not raises no alarm, and what is mended is
// the same. The truth about sameness is `Keyspace`, a reader of its own.

import Glibc
import Testing

@Suite("Comparing two servers", .ownThread)
struct VerifyTests {
  static func verify(
    _ source: TestServer, _ destination: TestServer, _ options: String...
  ) throws -> ToolResult {
    try Tool.run(
      ["verify", "-s", source.url, "-d", destination.url, "--settle", "200ms"] + options)
  }

  static func copy(_ source: TestServer, _ destination: TestServer) throws {
    let result = try Tool.run(["sync", "-s", source.url, "-d", destination.url, "--once"])
    guard result.exitCode == 0 else { throw TestFailure("\(result)") }
  }

  static func run(_ server: TestServer, _ commands: [[any Word]]) throws {
    for reply in try server.client().pipeline(commands) { _ = try reply.orThrow() }
  }

  /// The differences in JSON lines: causes by key.
  static func found(_ result: ToolResult) -> [String: String] {
    var found: [String: String] = [:]
    for line in result.standardOutput.split(separator: "\n")
    where line.hasPrefix("{\"event\":\"difference\"") {
      guard let match = line.firstMatch(of: /"cause":"([a-z-]+)","key":"([^"]*)"/) else { continue }
      found[String(match.2)] = String(match.1)
    }
    return found
  }

  /// No command ever is KEYS.
  static func expectNoKeys(_ servers: TestServer...) throws {
    for server in servers {
      #expect(try server.client().info("commandstats")["cmdstat_keys"] == nil)
    }
  }

  @Test(arguments: ServerKind.pairs)
  func whatSyncCopiedIsTheSame(kind: ServerKind, other: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(other))
    try SampleData.fill(source)
    try Self.copy(source, destination)
    let result = try Self.verify(source, destination)
    #expect(result.exitCode == 0 && result.standardOutput.isEmpty, "\(result)")
    #expect(result.standardError.contains("no differences"), "\(result)")
    try Self.expectNoKeys(source, destination)
  }

  @Test(arguments: ServerKind.allCases)
  func everyKindOfDifferenceIsFoundAndMended(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let planted = (0..<5).flatMap { PlantedDifference.all("planted:\($0):", kind) }
    try Self.run(source, planted.flatMap(\.before))
    try Self.copy(source, destination)
    try Self.run(destination, planted.flatMap(\.after))
    let result = try Self.verify(source, destination, "--json")
    #expect(result.exitCode == 3, "\(result)")
    let expected = Dictionary(planted.map { ($0.key, $0.cause) }) { first, _ in first }
    #expect(Self.found(result) == expected)
    for one in planted where !one.detail.isEmpty {
      let line = result.standardOutput.split(separator: "\n").first {
        $0.contains("\"\(one.key)\"")
      }
      #expect(line?.contains(one.detail) == true, "\(one.key): \(line ?? "")")
    }
    expectLine(
      try Self.verify(source, destination, "--fix"), code: 4, saying: ["not confirmed", "--yes"])
    let mending = try Self.verify(source, destination, "--fix", "--yes")
    #expect(mending.exitCode == 0, "\(mending)")
    let again = try Self.verify(source, destination)
    #expect(again.exitCode == 0 && again.standardOutput.isEmpty, "\(again)")
    let left = try Keyspace(of: source).differences(from: try Keyspace(of: destination))
    #expect(left == [])
    try Self.expectNoKeys(source, destination)
  }

  /// Values that are compared in pieces: one element of 100,000 is another.
  @Test func oneElementOfALargeValueIsNamed() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis82))
    let body = String(repeating: "x", count: 60)
    let count = 60_000
    var commands: [[any Word]] = []
    for start in stride(from: 0, to: count, by: 1_000) {
      let numbers = start..<(start + 1_000)
      commands += [
        ["RPUSH", "big:list"] + numbers.map { "\($0) \(body)" },
        ["SADD", "big:set"] + numbers.map { "\($0) \(body)" },
        ["ZADD", "big:zset"] + numbers.flatMap { ["\($0)", "\($0) \(body)"] },
        ["HSET", "big:hash"] + numbers.flatMap { ["f\($0)", "\($0) \(body)"] },
      ]
    }
    commands += (1...count).map { ["XADD", "big:stream", "\($0)-1", "f", "\($0) \(body)"] }
    commands += [
      ["XGROUP", "CREATE", "big:stream", "g", 0],
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", 2_000, "STREAMS", "big:stream", ">"],
      ["SET", "big:string", [UInt8](repeating: 7, count: 6 << 20)],
    ]
    try Self.run(source, commands)
    try Self.copy(source, destination)
    let same = try Self.verify(source, destination)
    #expect(same.exitCode == 0 && same.standardOutput.isEmpty, "\(same)")
    let planted: [(String, [any Word], String)] = [
      ("big:list", ["LSET", "big:list", 54_321, "y"], "item 54321"),
      ("big:set", ["SREM", "big:set", "777 \(body)"], "at the source only"),
      ("big:zset", ["ZADD", "big:zset", "1.5", "50000 \(body)"], "member \\\"50000"),
      ("big:hash", ["HSET", "big:hash", "f59999", "other"], "field f59999"),
      ("big:stream", ["XDEL", "big:stream", "31234-1"], "entry 31234-1"),
      ("big:string", ["SETRANGE", "big:string", 5 << 20, "z"], "byte 5242880"),
    ]
    try Self.run(destination, planted.map(\.1))
    let result = try Self.verify(source, destination, "--json")
    #expect(
      Self.found(result)
        == Dictionary(planted.map { ($0.0, "value") }) { first, _ in first }, "\(result)")
    for (key, _, detail) in planted {
      let line = result.standardOutput.split(separator: "\n").first { $0.contains("\"\(key)\"") }
      #expect(line?.contains(detail) == true, "\(line ?? "")")
    }
    let others: [[any Word]] = [
      ["XDEL", "big:stream", "1-1"], ["SADD", "big:set", "new"],
      ["HPEXPIREAT", "big:hash", SampleData.farFuture, "FIELDS", 1, "f5"],
    ]
    #expect(try Self.verify(source, destination, "--fix", "--yes").exitCode == 0)
    try Self.run(destination, others)
    let second = try Self.verify(source, destination, "--json")
    #expect(
      Self.found(second) == ["big:stream": "value", "big:set": "value", "big:hash": "field-ttl"],
      "\(second)")
  }

  /// An application writes, a job follows, and nothing is reported but what was planted.
  @Test(arguments: [ServerKind.redis62, .redis70, .valkey81, .redis82])
  func liveTrafficRaisesNoAlarm(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let planted = PlantedDifference.all("bump:planted:", kind)
    try Self.run(source, planted.flatMap(\.before))
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    try application.awaitCommands(5_000)
    for _ in 0..<3 {
      let quiet = try Self.verify(source, destination, "-p", "bump:", "--json")
      #expect(quiet.exitCode == 0 && Self.found(quiet).isEmpty, "\(quiet)")
      #expect(quiet.standardError.contains("beside the running job"), "\(quiet)")
    }
    try Self.run(destination, planted.flatMap(\.after))
    let result = try Self.verify(source, destination, "-p", "bump:", "--json")
    #expect(
      Self.found(result) == Dictionary(planted.map { ($0.key, $0.cause) }) { first, _ in first },
      "\(result)")
    let mending = try Self.verify(source, destination, "-p", "bump:", "--fix", "--yes")
    #expect(mending.exitCode == 0, "\(mending)")
    try application.awaitCommands(5_000)
    try application.stop()
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    let now = wallClockMilliseconds()
    // What a group has read 7.0 does not replicate.
    let detail = min(StreamDetail(kind), .replicated)
    let left = try Keyspace(of: source, streams: detail).filter(prefix: "bump:").differences(
      from: try Keyspace(of: destination, streams: detail).filter(prefix: "bump:"),
      ignoringExpiredAt: now,
      expiryTolerance: 1_000)
    #expect(left == [])
    try Self.expectNoKeys(source, destination)
  }
}
