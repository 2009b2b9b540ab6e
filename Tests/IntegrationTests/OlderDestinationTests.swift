// A destination older than the source: what it cannot RESTORE comes as plain commands, and what it
// cannot hold at all stops the run by name.

import Testing

@Suite("A destination older than its source", .ownThread)
struct OlderDestinationTests {
  static let pairs: [(ServerKind, ServerKind)] = ServerKind.allCases.flatMap { source in
    ServerKind.allCases.filter { $0 < source }.map { (source, $0) }
  }

  @Test(arguments: pairs)
  func everythingItCanHold(source kind: ServerKind, destination other: ServerKind) throws {
    let source = try TestServer(kind)
    let destination = try TestServer(other)
    try SampleData.fill(source, fieldExpiries: false)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  @Test(arguments: [ServerKind.redis62, .redis70, .valkey81])
  func expiringFieldsStopTheRun(destination kind: ServerKind) throws {
    let source = try TestServer(.redis82)
    let destination = try TestServer(kind)
    let client = try source.client()
    try client("HSET", "bump:h", "a", 1, "b", 2)
    try client("HPEXPIREAT", "bump:h", SampleData.farFuture, "FIELDS", 1, "a")
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 1, "\(result)")
    let line = try #require(result.errorLines.first { $0.hasPrefix("migr8sync: ") })
    #expect(line.contains("bump:h") && line.contains("1 fields expire"), "\(line)")
    #expect(try destination.client()("EXISTS", "bump:h").number == 0)
  }
}
