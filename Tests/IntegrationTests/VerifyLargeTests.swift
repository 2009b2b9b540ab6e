// Comparing large values: what happens to them meanwhile costs that value only, in pieces of bounded bytes,
// and by the same rules as small values.

import Glibc
import Testing

@Suite("Comparing large values", .ownThread)
struct VerifyLargeTests {
  /// More than is compared whole.
  private static let body = String(repeating: "x", count: 5 << 20)

  /// What other clients do between two questions of the comparison.
  enum Meddling: String, CaseIterable {
    case streamIsDeleted, listIsReplaced, groupIsDestroyed
  }

  @Test(arguments: Meddling.allCases)
  func aValueThatIsReplacedUnderTheComparison(meddling: Meddling) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let ports = [source.port, destination.port]
    func atBothEnds(_ commands: [[any Word & Sendable]]) -> @Sendable () throws -> Void {
      {
        for port in ports {
          for reply in try TestClient(port: port).pipeline(commands) { _ = try reply.orThrow() }
        }
      }
    }
    let stream: [[any Word & Sendable]] = [
      ["XADD", "bump:large", "1-1", "f", Self.body], ["XGROUP", "CREATE", "bump:large", "g", 0],
      ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "bump:large", ">"],
    ]
    let replace: [[any Word & Sendable]] = [
      ["DEL", "bump:large"], ["SET", "bump:large", "small"],
    ]
    let interjections: [String: @Sendable () throws -> Void]
    switch meddling {
    case .streamIsDeleted:
      try atBothEnds(stream)()
      interjections = ["XINFO": atBothEnds([["DEL", "bump:large"]])]
    case .listIsReplaced:
      try atBothEnds([["RPUSH", "bump:large", Self.body, "x"]])()
      interjections = ["LRANGE": atBothEnds(replace)]
    case .groupIsDestroyed:
      try atBothEnds(stream)()
      interjections = ["XPENDING": atBothEnds([["XGROUP", "DESTROY", "bump:large", "g"]])]
    }
    let proxy = try InterjectingProxy(to: source, interjections)
    defer { proxy.stop() }
    let result = try Tool.run([
      "verify", "-s", proxy.url, "-d", destination.url, "-p", "bump:", "--settle", "50ms",
    ])
    #expect(result.exitCode == 0 && result.standardOutput.isEmpty, "\(result)")
  }

  /// One that is another type whenever it is asked after: it is undecided, and stays; the others are compared.
  @Test func aValueThatNeverStaysWhatItIs() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let port = source.port
    let list: [[any Word & Sendable]] = [
      ["DEL", "bump:large"], ["RPUSH", "bump:large", Self.body],
    ]
    func atSource(_ commands: [[any Word & Sendable]]) -> @Sendable () throws -> Void {
      {
        for reply in try TestClient(port: port).pipeline(commands) { _ = try reply.orThrow() }
      }
    }
    try atSource(list)()
    try source.client()("SET", "bump:small", 1)
    try VerifyTests.copy(source, destination)
    try destination.client()("SET", "bump:small", 2)
    let string: [[any Word & Sendable]] = [["SET", "bump:large", Self.body]]
    let proxy = try InterjectingProxy(
      to: source, ["TYPE": atSource(list), "LLEN": atSource(string)])
    defer { proxy.stop() }
    let ends = ["-s", proxy.url, "-d", destination.url, "-p", "bump:"]
    let result = try Tool.run(["verify", "--settle", "50ms"] + ends)
    #expect(
      result.exitCode == 3 && result.standardOutput.contains("undecided bump:large")
        && result.standardOutput.contains("value     bump:small"), "\(result)")
    let deleted = try Tool.run(["delete", "--yes"] + ends)
    #expect(
      deleted.exitCode == 3
        && deleted.standardOutput.contains("kept bump:large: changed meanwhile"), "\(deleted)")
    #expect(try source.client()("DBSIZE").number == 2)
  }

  /// Elements of 200 KB go one by one: a piece is bounded by its bytes.
  @Test func aPieceIsBoundedByItsBytes() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis82))
    let element = String(repeating: "y", count: 200_000)
    let numbers = 0..<40
    try VerifyTests.run(
      source,
      [["RPUSH", "bump:list"] + numbers.map { "\($0) \(element)" }]
        + numbers.map { ["XADD", "bump:stream", "\($0)-1", "f", "\($0) \(element)"] })
    try VerifyTests.copy(source, destination)
    let client = try destination.client()
    try client("CONFIG", "RESETSTAT")
    let result = try VerifyTests.verify(source, destination)
    #expect(result.exitCode == 0, "\(result)")
    let stats = try client.info("commandstats")
    for command in ["lrange", "xrange"] {
      let calls = stats["cmdstat_\(command)"]?.firstMatch(of: /calls=([0-9]+)/)
      #expect((calls.flatMap { Int($0.1) } ?? 0) >= 40, "\(command): \(stats)")
    }
  }

  /// A destination that knows nothing of fields that expire cannot have the same, nor can such a source.
  @Test(arguments: [true, false])
  func fieldsThatExpireAtOneEndThatKnows(atSource: Bool) throws {
    let (newer, older) = (try TestServer(.redis82), try TestServer(.redis70))
    let fields = (0..<60).flatMap { ["f\($0)", "\($0) " + String(repeating: "x", count: 100_000)] }
    for server in [newer, older] { try VerifyTests.run(server, [["HSET", "bump:hash"] + fields]) }
    let (source, destination) = atSource ? (newer, older) : (older, newer)
    #expect(try VerifyTests.verify(source, destination).exitCode == 0)
    try newer.client()("HPEXPIREAT", "bump:hash", SampleData.farFuture, "FIELDS", 1, "f17")
    let result = try VerifyTests.verify(source, destination)
    #expect(
      result.exitCode == 3 && result.standardOutput == "field-ttl bump:hash: field f17\n",
      "\(result)")
    let deleted = try Tool.run([
      "delete", "-s", source.url, "-d", destination.url, "-p", "bump:", "--yes",
    ])
    #expect(
      deleted.exitCode == 3 && deleted.standardOutput.contains("different field-ttl"),
      "\(deleted)")
    #expect(try source.client()("DBSIZE").number == 1)
  }

  /// Fields that expired are there until the server comes round to removing them: nobody sees them.
  @Test func aHashWhoseFieldsHaveExpiredIsNotThere() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis82))
    let client = try source.client()
    try client("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    try client("HSET", "bump:hash", "a", 1, "b", 2)
    try client("HPEXPIRE", "bump:hash", 1, "FIELDS", 2, "a", "b")
    try awaitCondition("the fields to expire") {
      try client("HGET", "bump:hash", "a").bytes == nil
    }
    #expect(try client("EXISTS", "bump:hash").number == 1)
    let result = try VerifyTests.verify(source, destination)
    #expect(result.exitCode == 0, "\(result)")
  }

  /// Gone at one end, and about to expire at the other within what the clocks may differ: no difference yet.
  @Test func aLargeValueThatIsAboutToExpire() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try VerifyTests.run(
      source, [["SET", "bump:large", Self.body], ["PEXPIRE", "bump:large", 600_000]])
    let result = try VerifyTests.verify(source, destination, "--ttl-tolerance", "60m")
    #expect(result.exitCode == 1 && result.standardOutput.contains("undecided"), "\(result)")
    let strict = try VerifyTests.verify(source, destination)
    #expect(strict.exitCode == 3 && strict.standardOutput.hasPrefix("missing"), "\(strict)")
  }

  /// Consumers that own nothing cannot be made before 6.2, nor counts kept before 7.0: they count where both
  /// ends are newer, as with small values.
  @Test(arguments: [ServerKind.redis62, .redis82])
  func whatOnlyNewerServersKeepOfAStream(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(kind))
    for server in [source, destination] {
      try VerifyTests.run(
        server,
        [
          ["XADD", "bump:stream", "1-1", "f", Self.body],
          ["XGROUP", "CREATE", "bump:stream", "g", 0],
          ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "bump:stream", ">"],
        ])
    }
    // When it was delivered is not compared in large streams.
    #expect(try VerifyTests.verify(source, destination).exitCode == 0)
    try source.client()("XGROUP", "CREATECONSUMER", "bump:stream", "g", "idle")
    let consumer = try VerifyTests.verify(source, destination)
    #expect(consumer.exitCode == (kind == .redis82 ? 3 : 0), "\(consumer)")
    try source.client()("XGROUP", "DELCONSUMER", "bump:stream", "g", "idle")
    try source.client()(
      "XSETID", "bump:stream", "1-1", "ENTRIESADDED", 9, "MAXDELETEDID", "1-0")
    let counts = try VerifyTests.verify(source, destination)
    #expect(counts.exitCode == (kind == .redis82 ? 3 : 0), "\(counts)")
  }
}
