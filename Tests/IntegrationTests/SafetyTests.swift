// What protects an operator from losing data, what chooses the keys, and how a run ends.

import Glibc
import Testing

@Suite("Nothing is overwritten or moved unasked", .ownThread)
struct SafetyTests {
  /// A source with five keys under the prefix, and a destination that holds `names` already.
  private func servers(holding names: [String]) throws -> (
    source: TestServer, destination: TestServer
  ) {
    let (source, destination) = (try TestServer(), try TestServer())
    _ = try source.client().pipeline((0..<5).map { ["SET", "bump:\($0)", "new"] })
    _ = try destination.client().pipeline(names.map { ["SET", $0, "old"] })
    return (source, destination)
  }

  private func sync(_ pair: (source: TestServer, destination: TestServer), _ options: String...)
    throws -> ToolResult
  {
    try Tool.run(
      ["sync", "--once", "-s", pair.source.url, "-d", pair.destination.url, "-p", "bump:"] + options
    )
  }

  private func values(_ server: TestServer, _ names: String...) throws -> [String] {
    try server.client()("MGET", names[0], names[1], names[2]).elements.map(\.text)
  }

  /// Whether a run may end connections is asked by ending one that nobody has.
  @Test(arguments: ServerKind.allCases)
  func otherClientsOfTheDestinationKeepTheirConnections(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(), try TestServer(kind))
    let other = try destination.client()
    let number = try other("CLIENT", "ID")
    try source.client()("SET", "bump:a", 1)
    #expect(try sync((source, destination)).exitCode == 0)
    #expect(try other("CLIENT", "ID") == number)
  }

  @Test func aDestinationWithMatchingKeysIsRefused() throws {
    let pair = try servers(holding: ["bump:1", "bump:x", "bump:y", "bump:z", "other"])
    let result = try sync(pair, "-q")
    expectLine(result, code: 4, saying: ["4", "bump:"])
    let named = ["bump:1", "bump:x", "bump:y", "bump:z"].count { result.standardError.contains($0) }
    #expect(named == 3)
    #expect(try values(pair.destination, "bump:1", "bump:2", "other") == ["old", "", "old"])
  }

  @Test func keysThatDoNotMatchAreNoConflict() throws {
    let pair = try servers(holding: ["other", "bum"])
    let result = try sync(pair)
    #expect(result.exitCode == 0, "\(result)")
    #expect(try values(pair.destination, "bump:1", "other", "bum") == ["new", "old", "old"])
  }

  @Test func onConflictReplace() throws {
    let pair = try servers(holding: ["bump:1", "bump:x"])
    let result = try sync(pair, "--on-conflict", "replace")
    #expect(result.exitCode == 0, "\(result)")
    #expect(try values(pair.destination, "bump:1", "bump:2", "bump:x") == ["new", "new", "old"])
  }

  @Test func onConflictSkip() throws {
    let pair = try servers(holding: ["bump:1", "bump:x"])
    let result = try sync(pair, "--on-conflict", "skip")
    #expect(result.exitCode == 0, "\(result)")
    #expect(try values(pair.destination, "bump:1", "bump:2", "bump:x") == ["old", "new", "old"])
  }

  @Test func clearDestRemovesOnlyMatchingKeys() throws {
    let pair = try servers(holding: ["bump:1", "bump:x", "other"])
    let result = try sync(pair, "--clear-dest", "--yes")
    #expect(result.exitCode == 0, "\(result)")
    #expect(try values(pair.destination, "bump:1", "bump:x", "other") == ["new", "", "old"])
  }

  /// Nobody is there to type the confirmation.
  @Test func clearDestAsksFirst() throws {
    let pair = try servers(holding: ["bump:1", "bump:x", "other"])
    let result = try sync(pair, "--clear-dest")
    #expect([2, 4].contains(result.exitCode), "\(result)")
    #expect(try values(pair.destination, "bump:1", "bump:2", "bump:x") == ["old", "", "old"])
  }

  @Test func dryRunReportsAndWritesNothing() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try SampleData.fill(source)
    let result = try Tool.run(
      ["sync", "--dry-run", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("DBSIZE").number == 0)
    let expected = try Keyspace(of: source).filter(prefix: "bump:").keys
    #expect(result.standardOutput.contains("\(expected.count)"), "\(result)")
    let lines = result.standardOutput.split(whereSeparator: \.isNewline)
    for (type, keys) in Dictionary(grouping: expected.values, by: \.type) {
      let isTold = lines.contains { $0.contains(type) && $0.contains("\(keys.count)") }
      #expect(isTold, "\(type), \(keys.count) keys: \(result)")
    }
    #expect(result.standardOutput.contains("bump:large"), "\(result)")
  }

  @Test func severalPrefixesGlobsAndDatabases() throws {
    let source = try TestServer()
    let client = try source.client()
    for database in [0, 1, 2] {
      try client("SELECT", database)
      _ = try client.pipeline(["a:1", "a:2", "b:1", "c:1", "user:7:x"].map { ["SET", $0, "v"] })
    }
    for (options, expected) in [
      (["-p", "a:", "-p", "b:"], ["a:1", "a:2", "b:1"]),
      (["--match", "*:1"], ["a:1", "b:1", "c:1"]),
      (["--match", "user:[0-9]:?"], ["user:7:x"]),
      ([], ["a:1", "a:2", "b:1", "c:1", "user:7:x"]),
    ] {
      let destination = try TestServer()
      let result = try Tool.run(
        ["sync", "--once", "-s", source.url, "-d", destination.url, "--db", "1"] + options)
      #expect(result.exitCode == 0, "\(result)")
      let names = try Keyspace(of: destination).keys.keys
      #expect(names.map { String(decoding: $0.key, as: UTF8.self) }.sorted() == expected)
      #expect(Set(names.map(\.database)) == [1])
    }
  }

  @Test func onceEndsConverged() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try SampleData.fill(source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    try application.awaitCommands(1000)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    try application.stop()
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalEndsTheRunWithASummary(signal: Int32) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try SampleData.fill(source)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    tool.send(signal: signal)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    let count = try Keyspace(of: source).filter(prefix: "bump:").keys.count
    #expect((result.standardOutput + result.standardError).contains("\(count)"), "\(result)")
  }

  @Test func helpIsThereAndUnknownOptionsAreNamed() throws {
    #expect(try Tool.run(["--help"]).exitCode == 0)
    let help = try Tool.run(["sync", "--help"])
    #expect(help.exitCode == 0)
    for option in ["--source", "--dest", "--prefix", "--once", "--on-conflict", "--clear-dest"] {
      #expect(help.standardOutput.contains(option), "\(help)")
    }
    let unknown = try Tool.run(["sync", "--prefx", "a:"])
    #expect(unknown.exitCode == 2)
    #expect(unknown.standardError.contains("--prefix"), "\(unknown)")
    #expect(try Tool.run(["snyc"]).standardError.contains("sync"))
    #expect(try Tool.run(["sync"]).exitCode == 2)
  }
}
