// The snapshot, from every server to every server of the same or a newer version: all types, awkward
// names and values, exact expiry times, several databases.

import Testing

@Suite("The snapshot arrives unchanged", .ownThread)
struct SnapshotTests {
  @Test(arguments: ServerKind.pairs)
  func everything(source kind: ServerKind, destination other: ServerKind) throws {
    let source = try TestServer(kind)
    let destination = try TestServer(other)
    try SampleData.fill(source)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  @Test(arguments: ServerKind.allCases)
  func onlyThePrefix(kind: ServerKind) throws {
    let source = try TestServer(kind)
    let destination = try TestServer(kind)
    try SampleData.fill(source)
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source, prefixes: ["bump:"])
  }

  /// A disk-based snapshot is framed with its length, a diskless one by a mark that has to be found.
  @Test(arguments: ["yes", "no"], ServerKind.allCases)
  func eitherFraming(diskless: String, kind: ServerKind) throws {
    let source = try TestServer(kind, ["--repl-diskless-sync", diskless])
    let destination = try TestServer(kind)
    try SampleData.fill(source)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  @Test func anEmptySource() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("DBSIZE").number == 0)
  }

  /// Compression and checksums are the source's choice.
  @Test func anUncompressedSnapshotWithoutChecksum() throws {
    let source = try TestServer(.redis70, ["--rdbcompression", "no", "--rdbchecksum", "no"])
    let destination = try TestServer()
    try SampleData.fill(source)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  /// Without blocks of compressed data, one value is larger than any buffer of ours.
  @Test func oneVeryLargeValueAmongManySmallOnes() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let client = try source.client()
    try client("SET", "bump:large", [UInt8](repeating: 7, count: 40_000_000))
    try client("CONFIG", "SET", "rdbcompression", "no")
    for batch in 0..<20 {
      _ = try client.pipeline((0..<1000).map { ["SET", "bump:\(batch):\($0)", $0] })
    }
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }
}
