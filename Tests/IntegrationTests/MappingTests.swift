// Other names and other databases at the destination, in the snapshot, the stream, repairs and everything
// that looks for keys there. The truth is a native replica of the source, with its keys renamed by plain
// Swift.

import Glibc
import Testing

@Suite("Other names and databases", .ownThread)
struct MappingTests {
  private static let backlog = ["--repl-backlog-size", "256mb"]
  private static let rules = [
    "-p", "bump:", "--db", "0,3", "--rewrite", "bump:app:=a longer name for the application:",
    "--rewrite", "bump:=b:", "--db-map", "0=5",
  ]

  /// Where the rules put a key.
  private static func place(_ name: KeyName) -> KeyName? {
    guard [0, 3].contains(name.database), name.key.starts(with: "bump:".utf8) else { return nil }
    let key =
      name.key.starts(with: "bump:app:".utf8)
      ? Array("a longer name for the application:".utf8) + name.key.dropFirst(9)
      : Array("b:".utf8) + name.key.dropFirst(5)
    return KeyName(database: name.database == 0 ? 5 : 3, key: key)
  }

  private func expectMoved(_ destination: TestServer, from truth: TestServer) throws {
    let expected = try Keyspace(of: truth, streams: .replicated).moved(Self.place)
    let found = try Keyspace(of: destination, streams: .replicated)
    #expect(!expected.keys.isEmpty)
    #expect(
      found.differences(from: expected, ignoringExpiredAt: wallClockMilliseconds()) == [])
  }

  private func stop(_ tool: Subprocess) throws {
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
  }

  // MARK: Snapshot and stream

  @Test func everyCommandFindsItsKeys() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let destination = try TestServer()
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    let arguments = ["sync", "-s", source.url, "-d", destination.url] + Self.rules
    var tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try application.awaitCommands(3000)
    tool.kill()
    try application.awaitCommands(500)
    tool = try Tool.start(arguments)
    try application.awaitCommands(2000)
    try application.stop()
    let client = try source.client()
    let commands: [[any Word]] = [
      // Repairs: what they read is not all there.
      ["SADD", "other:s", "x"], ["SADD", "bump:s", "y"],
      ["SUNIONSTORE", "bump:app:u", "other:s", "bump:s"], ["SADD", "bump:app:u", "z"],
      ["RENAME", "other:s", "bump:renamed"], ["RENAME", "bump:s", "bump:app:s"],
      ["COPY", "bump:app:s", "bump:copy", "DB", 3], ["MOVE", "bump:copy", 1],
      ["MSET", "bump:m", 1, "other:m", 2, "bump:app:m", 3], ["DEL", "other:m", "bump:m"],
      // Passes in parts, and is too large for one piece of the snapshot's kind.
      ["SET", "bump:app:large", [UInt8](repeating: 7, count: 5_000_000)],
      ["APPEND", "bump:app:large", [UInt8](repeating: 8, count: 3_000_000)],
      ["SET", "bump:untouched", [UInt8](repeating: 9, count: 2_000_000)],
      ["SELECT", 3], ["FLUSHDB"], ["SET", "bump:after", 1],
    ]
    for reply in try client.pipeline(commands) { _ = try reply.orThrow() }
    try source.awaitToolInSync(tool, besides: [native.server.port])
    #expect(try source.resynchronisations()[0] == "2")
    // Dbs of a destination that is not ours alone cannot be exchanged there: a new snapshot.
    try client("SWAPDB", 0, 3)
    try awaitCondition("a new snapshot", seconds: 60) {
      try source.resynchronisations()[0] == "3"
    }
    try client("SET", "bump:last", 1)
    try source.awaitToolInSync(tool, besides: [native.server.port])
    try stop(tool)
    try native.promote()
    try expectMoved(destination, from: native.server)
  }

  /// What is larger than a piece is built under another name, beside the key's own.
  @Test func largeValuesAreBuiltUnderTheNewName() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try source.client()
    try client("SET", "bump:string", [UInt8](repeating: 1, count: 6_000_000))
    for batch in 0..<20 {
      _ = try client.pipeline(
        (0..<1000).map { ["HSET", "bump:app:hash", "field \(batch) \($0)", SampleData.noise(100)] })
    }
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url] + Self.rules)
    #expect(result.exitCode == 0, "\(result)")
    try expectMoved(destination, from: source)
  }

  /// A whole server into other databases: commands on whole databases pass, with other numbers.
  @Test func aMirrorWithOtherDatabases() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try SampleData.fill(source)
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "--db-map", "0=1,1=0,3=7,7=3",
    ])
    try source.awaitToolFollowing(tool)
    let client = try source.client()
    let commands: [[any Word]] = [
      ["SWAPDB", 0, 3], ["SET", "a", 1], ["SELECT", 7], ["SET", "seven", 7], ["MOVE", "seven", 1],
      ["SELECT", 15], ["FLUSHDB"], ["SET", "fifteen", 1], ["SWAPDB", 15, 7], ["SELECT", 3],
      ["FLUSHDB"], ["SET", "b", 1], ["COPY", "b", "c", "DB", 0],
    ]
    for reply in try client.pipeline(commands) { _ = try reply.orThrow() }
    try source.awaitToolInSync(tool)
    #expect(try source.resynchronisations()[0] == "1")
    try stop(tool)
    let map = [0: 1, 1: 0, 3: 7, 7: 3]
    let expected = try Keyspace(of: source, streams: .replicated).moved {
      KeyName(database: map[$0.database] ?? $0.database, key: $0.key)
    }
    let found = try Keyspace(of: destination, streams: .replicated)
    #expect(found.differences(from: expected) == [])
    #expect(expected.keys.count > 10)
  }

  // MARK: At the destination

  /// Only the destination's names count there.
  @Test func whatIsThereIsFoundByItsNewName() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let reader = try destination.client()
    try source.client()("MSET", "old:1", "ours", "old:2", "ours")
    try reader("MSET", "new:1", "theirs", "old:1", "a stranger's", "new:3", "theirs")
    let arguments = [
      "sync", "--once", "-s", source.url, "-d", destination.url, "-p", "old:", "--rewrite",
      "old:=new:",
    ]
    let refused = try Tool.run(arguments + ["-q"])
    expectLine(refused, code: 4, saying: ["2 matching keys", "new:1", "new:3"])
    #expect(!refused.standardError.contains("old:1"))
    let cleared = try Tool.run(arguments + ["--clear-dest", "--yes"])
    #expect(cleared.exitCode == 0, "\(cleared)")
    #expect(
      try reader("MGET", "new:1", "new:2", "new:3", "old:1").elements.map(\.text)
        == ["ours", "ours", "", "a stranger's"])
  }

  @Test func skippedKeysAreSkippedUnderTheirNewName() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let destination = try TestServer()
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("MSET", "old:1", "ours", "old:2", "ours")
    try reader("MSET", "new:1", "theirs", "old:2", "a stranger's")
    let arguments = [
      "sync", "-s", source.url, "-d", destination.url, "-p", "old:", "--rewrite", "old:=new:",
      "--on-conflict", "skip",
    ]
    var tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool)
    tool.kill()
    try writer("MSET", "old:1", "later", "old:2", "later")
    tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool)
    try writer("APPEND", "old:1", "!")
    try writer("APPEND", "old:2", "!")
    try writer("FLUSHDB")
    try writer("SET", "old:3", "last")
    try source.awaitToolInSync(tool)
    #expect(
      try reader("MGET", "new:1", "new:2", "new:3", "old:2").elements.map(\.text)
        == ["theirs", "", "last", "a stranger's"])
    try stop(tool)
  }

  /// A key of the destination that refuses a command is read again from the source, by the name it has
  /// there.
  @Test func aRefusedCommandIsHealed() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("RPUSH", "bump:app:l", 1)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url] + Self.rules)
    try source.awaitToolFollowing(tool)
    try reader("SELECT", 5)
    try reader("SET", "a longer name for the application:l", "no list")
    try writer("RPUSH", "bump:app:l", 2)
    try tool.awaitError("a longer name for the application:l", "(at the source bump:app:l)")
    try source.awaitToolInSync(tool)
    try stop(tool)
    try expectMoved(destination, from: source)
  }

  // MARK: Types

  @Test func typesAreChosenWhenTheSnapshotIsTaken() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let destination = try TestServer()
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("HSET", "bump:hash", "f", 1)
    try writer("ZADD", "bump:zset", 1, "m")
    try writer("RPUSH", "bump:list", 1)
    // More than are noted at a time.
    _ = try writer.pipeline((0..<2500).map { ["SET", "bump:string:\($0)", $0] })
    let arguments = [
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--type", "hash,zset",
      "--rewrite", "bump:=b:",
    ]
    func found() throws -> Set<String> {
      Set(
        try reader("KEYS", "*").elements.map(\.text).filter { !$0.hasPrefix("migr8sync:job:") })
    }
    var tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool)
    #expect(try found() == ["b:hash", "b:zset"])
    tool.kill()
    try writer("RPUSH", "bump:list", 2)
    for number in [0, 999, 1000, 2499] { try writer("INCR", "bump:string:\(number)") }
    tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool)
    try writer("INCR", "bump:string:1")
    try writer("SET", "bump:created later", 1)
    try writer("DEL", "bump:zset")
    try source.awaitToolInSync(tool)
    #expect(try found() == ["b:hash", "b:created later"])
    #expect(try source.resynchronisations()[0] == "1")
    try stop(tool)

    // A new snapshot decides anew.
    try writer("DEL", "bump:string:7")
    try writer("HSET", "bump:string:7", "f", 1)
    try writer("CONFIG", "SET", "repl-backlog-size", 16_384)
    _ = try writer.pipeline((0..<500).map { _ in ["SET", "x", SampleData.noise(100)] })
    tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    #expect(try source.resynchronisations()[0] == "2")
    #expect(try found() == ["b:hash", "b:string:7"])
    try stop(tool)
  }
}
