// Comparing large values: what happens to them meanwhile costs that value only, in pieces of bounded bytes,
// and by the same rules as small values.

import Glibc
import Testing

@Suite("Comparing large values", .ownThread)
struct VerifyLargeTests {
  /// More than is compared whole.
  private static let body = String(repeating: "x", count: 5 << 20)

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
