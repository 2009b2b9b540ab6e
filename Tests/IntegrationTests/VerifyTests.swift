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
    where line.contains("\"event\":\"difference\"") {
      guard let cause = line.firstMatch(of: /"cause":"([a-z-]+)"/),
        let key = line.firstMatch(of: /"key":"([^"]*)"/)
      else { continue }
      found[String(key.1)] = String(cause.1)
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
      expiryTolerance: kind == .redis62 ? 10_000 : 1_000)
    #expect(left == [])
    try Self.expectNoKeys(source, destination)
  }
}

@Suite("Comparing two servers in other ways", .ownThread)
struct VerifyExtentTests {
  private static func fill(_ server: TestServer, _ count: Int) throws {
    try VerifyTests.run(server, (0..<count).map { ["SET", "bump:\($0)", "value \($0)"] })
  }

  @Test func aSampleReadsSoManyKeys() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try Self.fill(source, 3_000)
    try VerifyTests.copy(source, destination)
    let some = try VerifyTests.verify(source, destination, "--sample", "100", "--json")
    #expect(some.exitCode == 0, "\(some)")
    #expect(
      some.standardOutput.contains("\"keys_compared\":100,\"keys_looked_up\":100,"), "\(some)")
    #expect(
      try source.client().info("commandstats")["cmdstat_dump"]?.contains("calls=100,") == true)
    try VerifyTests.run(destination, (0..<3_000).map { ["APPEND", "bump:\($0)", "x"] })
    let all = try VerifyTests.verify(source, destination, "--sample", "50", "--json")
    #expect(all.exitCode == 3 && VerifyTests.found(all).count == 50, "\(all)")
  }

  @Test func numbersOfKeysAreCompared() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try Self.fill(source, 1_000)
    try VerifyTests.run(source, [["SELECT", 3], ["SET", "bump:a", 1], ["SET", "user:a", 1]])
    try VerifyTests.copy(source, destination)
    let options = ["--quick", "-p", "bump:", "-p", "user:"]
    let same = try Tool.run(
      ["verify", "-s", source.url, "-d", destination.url, "--settle", "50ms"] + options)
    #expect(same.exitCode == 0 && same.standardOutput.contains("1,000"), "\(same)")
    try VerifyTests.run(destination, [["SELECT", 3], ["DEL", "bump:a"]])
    let result = try Tool.run(
      ["verify", "-s", source.url, "-d", destination.url, "--settle", "50ms", "--json"] + options)
    #expect(result.exitCode == 3, "\(result)")
    #expect(
      result.standardOutput.contains(
        "{\"event\":\"count\",\"db\":3,\"prefix\":\"bump:\",\"source_keys\":1,\"dest_keys\":0}"),
      "\(result)")
  }

  /// An interrupted comparison goes on where it was, and knows what it had found; and so does one that failed.
  @Test(arguments: [true, false])
  func anInterruptedComparisonGoesOn(isFailure: Bool) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try Self.fill(source, 6_000)
    try VerifyTests.copy(source, destination)
    let tool = try Tool.start([
      "verify", "-s", source.url, "-d", destination.url, "--max-rate", "2000", "--json",
    ])
    try awaitCondition("some keys to be compared") {
      guard tool.isRunning else { throw TestFailure("the tool ended: \(try Tool.finish(tool))") }
      return try source.client().info("commandstats")["cmdstat_dump"]?.isEmpty == false
        && Int(
          try source.client().info("commandstats")["cmdstat_dump"]?
            .split(separator: ",").first?.dropFirst(6) ?? "") ?? 0 > 1_500
    }
    if isFailure {
      try source.client().endConnections(ofType: "normal")
    } else {
      tool.send(signal: SIGINT)
    }
    let stopped = try Tool.finish(tool)
    expectLine(stopped, code: isFailure ? 1 : 5, saying: ["goes on with --from"])
    let place = try #require(stopped.standardError.firstMatch(of: /--from (\S+)/)?.1)
    #expect(stopped.standardOutput.contains("{\"event\":\"incomplete\","), "\(stopped)")
    #expect(stopped.standardOutput.contains("\"place\":\"\(place)\"}"), "\(stopped)")
    let rest = try VerifyTests.verify(source, destination, "--from", String(place), "--json")
    #expect(rest.exitCode == 0, "\(rest)")
    let compared = rest.standardOutput.firstMatch(of: /"keys_compared":(\d+)/)?.1
    #expect(Int(compared ?? "") ?? 6_000 < 6_000, "\(rest)")
    let other = String(place).replacing(/:[0-9a-f]{8}:same/, with: ":00000000:same")
    expectLine(
      try VerifyTests.verify(source, destination, "--from", other), code: 1,
      saying: ["server process that is gone"])
  }

  /// A difference near the beginning, which is decided later, does not hold the place back.
  @Test func aPlaceMovesPastADifference() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try Self.fill(source, 8_000)
    try VerifyTests.copy(source, destination)
    let page = try source.client()("SCAN", 0, "COUNT", 1).elements
    let key = try #require(page.last?.elements.first?.text)
    try destination.client()("SET", key, "other")
    let tool = try Tool.start([
      "verify", "-s", source.url, "-d", destination.url, "--max-rate", "800", "--settle", "100ms",
    ])
    try awaitCondition("most keys to be compared", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("the tool ended: \(try Tool.finish(tool))") }
      let calls = try source.client().info("commandstats")["cmdstat_dump"]?
        .split(separator: ",").first?.dropFirst(6)
      return Int(calls ?? "") ?? 0 > 5_200
    }
    tool.send(signal: SIGINT)
    let stopped = try Tool.finish(tool)
    #expect(stopped.exitCode == 5 && stopped.standardOutput.contains(key), "\(stopped)")
    let place = try #require(stopped.standardError.firstMatch(of: /--from (\S+)/)?.1)
    let rest = try VerifyTests.verify(source, destination, "--from", String(place), "--json")
    #expect(rest.exitCode == 3, "\(rest)")
    let compared = rest.standardOutput.firstMatch(of: /"keys_compared":(\d+)/)?.1
    #expect(Int(compared ?? "") ?? 8_000 < 5_000, "\(rest)")
  }

  /// A value that the destination cannot hold is said, and the others are mended.
  @Test func oneKeyThatCannotBeMendedIsNotAllOfThem() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis70))
    try source.client()("HSET", "bump:h", "f", 1)
    try source.client()("HEXPIRE", "bump:h", 1_000, "FIELDS", 1, "f")
    for number in 0..<20 { try source.client()("SET", "bump:\(number)", number) }
    let result = try VerifyTests.verify(source, destination, "--fix", "--yes", "--json")
    #expect(result.exitCode == 3, "\(result)")
    #expect(result.standardOutput.contains("cannot be mended: "), "\(result)")
    #expect(result.standardOutput.contains("\"fixed\":20"), "\(result)")
    #expect(try destination.client()("DBSIZE").number == 20)
  }

  /// A type that is not asked for is left alone, however large the value.
  @Test func aLargeValueOfAnotherTypeIsLeftAlone() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:s", 1)
    try source.client()("SETRANGE", "bump:large", 5 << 20, "x")
    try source.client()("RPUSH", "bump:list", String(repeating: "x", count: 5 << 20))
    let found = try VerifyTests.verify(source, destination, "--type", "string", "--fix", "--yes")
    #expect(found.exitCode == 0, "\(found)")
    #expect(try destination.client()("EXISTS", "bump:s", "bump:large").number == 2)
    #expect(try destination.client()("EXISTS", "bump:list").number == 0)
    expectLine(
      try VerifyTests.verify(source, destination, "--type", "string", "--quick"), code: 2,
      saying: ["--quick counts names"])
  }

  /// The keys have other names and another db there.
  @Test func renamesAndDatabasesAreFollowed() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try VerifyTests.run(source, (0..<50).map { ["HSET", "old:\($0)", "f", $0] })
    try VerifyTests.run(
      destination, [["SELECT", 3]] + (0..<49).map { ["HSET", "new:\($0)", "f", $0] })
    try VerifyTests.run(
      destination, [["SELECT", 3], ["SET", "new:extra", 1], ["SET", "else", 1]])
    let rules = ["-p", "old:", "--rewrite", "old:=new:", "--db-map", "0=3", "--db", "0"]
    func verify(_ options: String...) throws -> ToolResult {
      try Tool.run(
        ["verify", "-s", source.url, "-d", destination.url, "--settle", "50ms"] + rules + options)
    }
    let result = try verify("--json")
    #expect(VerifyTests.found(result) == ["old:49": "missing", "old:extra": "extra"], "\(result)")
    #expect(result.standardOutput.contains("\"dest_key\":\"new:49\",\"dest_db\":3"), "\(result)")
    #expect(try verify("--fix", "--yes").exitCode == 0)
    #expect(try verify().exitCode == 0)
    let client = try destination.client()
    try client("SELECT", 3)
    #expect(try client("EXISTS", "new:49", "else").number == 2)
    #expect(try client("EXISTS", "new:extra").number == 0)
  }

  /// A stopped job would apply what is behind its checkpoint to what was mended.
  @Test func nothingIsMendedBehindTheBackOfAStoppedJob() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:1", 1)
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"])
    try source.awaitToolFollowing(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try source.client()("INCR", "bump:1")
    let compared = try VerifyTests.verify(source, destination, "-p", "bump:")
    #expect(compared.exitCode == 3, "\(compared)")
    expectLine(
      try VerifyTests.verify(source, destination, "-p", "bump:", "--fix", "--yes"), code: 4,
      saying: ["job one is stopped", "nothing was written"])
  }
}
