// The stream carries every command that writes; and those about whole databases, where everything is
// mirrored.

import Glibc
import Testing

@Suite("Every command of the stream", .ownThread)
struct CommandTests {
  /// Runs `commands` on a source while the tool follows, and returns when all is applied.
  private func follow(
    _ source: TestServer, _ destination: TestServer, _ options: [String],
    _ commands: [[any Word]]
  ) throws {
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url] + options)
    try source.awaitToolFollowing(tool)
    let client = try source.client()
    for (command, reply) in zip(commands, try client.pipeline(commands)) {
      if case .error(let message) = reply {
        throw TestFailure("\(command.map { printable($0.wordBytes) }): \(message)")
      }
    }
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
  }

  @Test(arguments: ServerKind.pairs)
  func isCarried(source kind: ServerKind, destination other: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(other))
    try source.client()("SET", "bump:first", 1)
    var commands = ["bump:", "other:"].flatMap { CommandCatalogue.commands($0, kind) }
    if kind == .valkey81 && other == .valkey81 {  // no Redis of these versions knows IFEQ
      commands += [["SET", "bump:ifeq", 1], ["SET", "bump:ifeq", 2, "IFEQ", 1]]
    }
    try follow(source, destination, ["-p", "bump:"], commands)
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// With everything mirrored, commands on whole databases are carried as well.
  @Test(arguments: ServerKind.allCases)
  func onWholeDatabasesIsCarried(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    var commands: [[any Word]] = [
      ["SWAPDB", 0, 3], ["SELECT", 7], ["SET", "seven", 7], ["SELECT", 15], ["FLUSHDB", "ASYNC"],
      ["SET", "after", 1], ["SWAPDB", 15, 7], ["SELECT", 0], ["MOVE", "bump:int", 9],
    ]
    if kind >= .redis70 {
      commands.append([
        "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)",
      ])
    }
    try follow(source, destination, [], commands)
    try expectEqual(destination, to: source, afterStream: true)
    if kind >= .redis70 {
      #expect(try destination.client()("FCALL", "f", 0).number == 1)
    }
  }

  @Test func flushallEmptiesAMirror() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try SampleData.fill(source)
    try follow(source, destination, [], [["FLUSHALL"], ["SET", "last", 1]])
    try expectEqual(destination, to: source, afterStream: true)
    #expect(try Keyspace(of: destination).keys.count == 1)
  }

  /// Functions are in the snapshot, too; they move when everything does.
  @Test func functionsOfTheSnapshotMoveWithEverything() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()(
      "FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("FCALL", "f", 0).number == 1)
  }

  /// A transaction and a command larger than any buffer of ours.
  @Test func aVeryLargeTransactionAndCommand() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:first", 1)
    let increments: [[any Word]] = (0..<30_000).map { ["INCRBY", "bump:\($0 % 100)", $0] }
    try follow(
      source, destination, ["-p", "bump:"],
      [["MULTI"]] + increments + [
        ["SET", "bump:large", [UInt8](repeating: 1, count: 20_000_000)], ["EXEC"],
        ["APPEND", "bump:large", [UInt8](repeating: 2, count: 20_000_000)],
      ])
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// The commands that cannot be applied by half, each with what its line must name.
  @Test(arguments: [
    (["SWAPDB", "0", "1"], ["swapdb"]),
    (["SUNIONSTORE", "bump:u", "other:s", "bump:s"], ["sunionstore", "bump:u", "other:s"]),
    (["COPY", "other:s", "bump:copy"], ["copy", "bump:copy"]),
  ])
  func thatIsOnlyPartlyOursStopsTheRun(command: [String], words: [String]) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try source.client()
    try client("SADD", "bump:s", "b")
    try client("SADD", "other:s", "o")
    let tool = try Tool.start(
      ["sync", "-q", "-s", source.url, "-d", destination.url, "-p", "bump:", "--db", "0"])
    try source.awaitToolFollowing(tool)
    try client("SET", "bump:before", 1)
    _ = try client.pipeline([command, ["SET", "bump:after", 1]])
    expectLine(try Tool.finish(tool), code: 1, saying: words + ["offset"])
    #expect(try destination.client()("EXISTS", "bump:before").number == 1)
    #expect(try destination.client()("EXISTS", "bump:after").number == 0)
  }
}
