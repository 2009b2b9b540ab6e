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

  /// Exchanges of databases that leave as one transaction carry the job's record along, more than once.
  @Test func theRecordIsFoundBehindSeveralExchanges() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "first", 1)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "--no-progress"])
    try source.awaitToolFollowing(tool)
    let (writer, reader) = (try source.client(), try destination.client())
    for exchanges in [[(0, 1), (1, 2)], [(0, 1), (0, 2)], [(0, 1), (1, 0)]] {
      let commands: [[any Word]] =
        [["MULTI"]] + exchanges.map { ["SWAPDB", $0.0, $0.1] } + [["SET", "last", 1], ["EXEC"]]
      for reply in try writer.pipeline(commands) { _ = try reply.orThrow() }
      try source.awaitToolInSync(tool)
      for database in 0..<3 {
        try reader("SELECT", database)
        let names = try reader("KEYS", "migr8sync:job:*").elements.map(\.text)
        let records = names.filter { !$0.hasSuffix(":runner") }
        #expect(records.count == (database == 0 ? 1 : 0), "\(exchanges): db \(database) \(names)")
      }
    }
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
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

  /// In a later run the destination holds keys: those that the first one brought.
  @Test func functionsOfTheStreamMoveInLaterRunsToo() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("SET", "key", 1)
    let command = ["sync", "-s", source.url, "-d", destination.url]
    for round in 1...2 {
      let tool = try Tool.start(command)
      try source.awaitToolFollowing(tool)
      try writer(
        "FUNCTION", "LOAD", "REPLACE",
        "#!lua name=lib\nredis.register_function('f', function() return \(round) end)")
      try source.awaitToolInSync(tool)
      #expect(try reader("FCALL", "f", 0).number == round)
      // One that the destination does not have is gone there as it is at the source.
      try writer(
        "FUNCTION", "LOAD", "#!lua name=gone\nredis.register_function('g', function() end)")
      try source.awaitToolInSync(tool)
      try reader("FUNCTION", "DELETE", "gone")
      try writer("FUNCTION", "DELETE", "gone")
      try source.awaitToolInSync(tool)
      tool.send(signal: SIGINT)
      #expect(try Tool.finish(tool).exitCode == 5)
    }
    #expect(try source.resynchronisations()[0] == "1")
  }

  /// One that is refused cannot be read again as a key can: no later run may go on behind it.
  @Test func aRefusedFunctionIsNotPassedOver() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("SET", "key", 1)
    let command = ["sync", "-q", "-s", source.url, "-d", destination.url]
    let tool = try Tool.start(command)
    try source.awaitToolFollowing(tool)
    // The name of the function is another library's there.
    try reader(
      "FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('f', function() end)")
    try writer(
      "FUNCTION", "LOAD",
      "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    expectLine(try Tool.finish(tool), code: 1, saying: ["FUNCTION", "already exists"])
    try reader("FUNCTION", "DELETE", "other")
    let again = try Tool.start(command)
    try source.awaitToolFollowing(again)
    #expect(try reader("FCALL", "f", 0).number == 1)
    again.send(signal: SIGINT)
    #expect(try Tool.finish(again).exitCode == 5)
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

  /// Commands with keys on both sides of the filter, or in dbs of which one is selected.
  @Test(arguments: ServerKind.allCases)
  func acrossTheFilterIsCarried(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    let client = try source.client()
    try client("SADD", "bump:s", "b")
    try client("SADD", "other:s", "o")
    try client("MSET", "bump:a", 1, "other:b", 2)
    try client("RPUSH", "other:l", 1, 2, 3)
    try follow(
      source, destination, ["-p", "bump:", "--db", "0"],
      [
        ["SUNIONSTORE", "bump:u", "other:s", "bump:s"], ["SADD", "bump:u", "later"],
        ["COPY", "other:s", "bump:copy"], ["RENAME", "bump:a", "other:a"],
        ["RENAME", "other:b", "bump:b"], ["INCR", "bump:b"],
        ["RPOPLPUSH", "other:l", "bump:l"], ["MULTI"], ["LPUSH", "bump:l", 0],
        ["SMOVE", "other:s", "bump:s", "o"], ["EXEC"], ["SWAPDB", 0, 1], ["SET", "bump:last", 1],
      ])
    let expected = try Keyspace(of: source).filter { name in
      name.database == 0 && name.key.starts(with: "bump:".utf8)
    }
    let found = try Keyspace(of: destination)
    #expect(found.differences(from: expected) == [])
    #expect(!expected.keys.isEmpty)
  }
}
