// Connections are lost, servers restart: the run goes on by itself, both sides end equal, and no
// snapshot is made that was not needed.

import Glibc
import Testing

@Suite("Lost connections and servers", .ownThread)
struct ReconnectTests {
  /// A run in the middle of an application's writing, and what it is held against.
  private struct Scene {
    let source: TestServer
    let destination: TestServer
    let native: NativeReplica
    let application: Application
    let tool: Subprocess

    init(source options: [String] = [], destination other: [String] = [], rate pause: UInt32 = 3000)
      throws
    {
      source = try TestServer(.redis70, ["--repl-backlog-size", "256mb"] + options)
      destination = try TestServer(.redis70, other)
      try SampleData.fill(source)
      native = try NativeReplica(of: source)
      application = try Application(
        to: source, seed: .random(in: 1...1_000_000), pauseMicroseconds: pause)
      tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
      try source.awaitToolFollowing(tool, besides: [native.server.port])
    }

    func tools() throws -> [AttachedReplica] {
      try source.attachedTools(besides: [native.server.port])
    }

    /// Ends the application and the run and compares.
    func conclude(fulls: Int) throws {
      try native.conclude(application, tool, destination, fulls: fulls)
    }
  }

  @Test func theLinkIsCutAgainAndAgain() throws {
    let scene = try Scene()
    for _ in 0..<15 {
      try scene.application.awaitCommands(.random(in: 1...1000))
      try scene.source.client().endConnections(ofType: "replica")
      try awaitCondition("the tool to be back", seconds: 60) { try !scene.tools().isEmpty }
    }
    // The native replica comes back, too: it tells its own, so only full ones are counted.
    try scene.conclude(fulls: 2)
  }

  @Test func theDestinationsConnectionsAreCutAgainAndAgain() throws {
    let scene = try Scene()
    for _ in 0..<15 {
      try scene.application.awaitCommands(.random(in: 1...1000))
      try scene.destination.client().endConnections(ofType: "normal")
    }
    try scene.conclude(fulls: 2)
  }

  @Test func theDestinationRestartsWithItsData() throws {
    let scene = try Scene(destination: ["--appendonly", "yes", "--appendfsync", "always"])
    for _ in 0..<3 {
      try scene.application.awaitCommands(2000)
      scene.destination.crash()
      try scene.application.awaitCommands(1000)
      try scene.destination.restart()
    }
    try scene.conclude(fulls: 2)
  }

  @Test func theDestinationRestartsEmpty() throws {
    let scene = try Scene()
    try scene.application.awaitCommands(2000)
    scene.destination.crash()
    try scene.application.awaitCommands(500)
    try scene.destination.restart()
    try scene.application.awaitCommands(2000)
    try scene.conclude(fulls: 3)
  }

  /// It is away so long that the tool rests for a while before it tries again: the thread that renews the
  /// lease is then the first to see that the record is gone.
  @Test func theDestinationRestartsEmptyWhileTheToolRests() throws {
    let scene = try Scene(rate: 20_000)
    for round in 1...3 {
      scene.destination.crash()
      try scene.application.awaitCommands(4000)
      try scene.destination.restart()
      try awaitCondition("snapshot \(round + 1)", seconds: 60) {
        guard scene.tool.isRunning else {
          throw TestFailure("the tool ended: \(try Tool.finish(scene.tool))")
        }
        return Int(try scene.source.resynchronisations()[0] ?? "") ?? 0 >= round + 2
      }
      try scene.source.awaitToolFollowing(scene.tool, besides: [scene.native.server.port])
    }
    try scene.conclude(fulls: 5)
  }

  /// A new process holds nothing of what the destination has lost: the source's backlog does.
  @Test func theDestinationGoesBackFurtherThanTheQueue() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "256mb"])
    let destination = try TestServer()
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let command = ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"]
    var tool = try Tool.start(command)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try application.awaitCommands(1000)
    try destination.client()("SAVE")
    try application.awaitCommands(1000)
    tool.kill()
    tool = try Tool.start(command)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try application.awaitCommands(1000)
    // It comes back as it was saved.
    destination.crash()
    try destination.restart()
    try application.awaitCommands(1000)
    try native.conclude(application, tool, destination, fulls: 2)
  }

  /// What is gone at the source when the link comes back has to go at the destination, too.
  @Test func theBacklogIsTooSmall() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "16kb"])
    let destination = try TestServer()
    let writer = try source.client()
    try SampleData.fill(source)
    try writer("SET", "bump:vanishing", 1)
    try destination.client()("SET", "other:theirs", 1)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    tool.send(signal: SIGSTOP)
    try writer.endConnections(ofType: "replica")
    try writer("DEL", "bump:vanishing")
    for number in 0..<100 {
      try writer("SET", "bump:new:\(number)", String(repeating: "x", count: 1000))
    }
    tool.send(signal: SIGCONT)
    try awaitCondition("a new snapshot", seconds: 60) {
      try source.resynchronisations()[0] == "2"
    }
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    #expect(result.standardError.contains("full resynchronisation"), "\(result)")
    #expect(result.standardError.contains("backlog"), "\(result)")
    let found = try Keyspace(of: destination)
    let expected = try Keyspace(of: source).filter(prefix: "bump:")
    #expect(found.filter(prefix: "bump:").differences(from: expected) == [])
    #expect(try destination.client()("GET", "other:theirs").text == "1")
  }

  /// The source comes back as a new server: another history, other data.
  @Test func theSourceRestartsEmpty() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try SampleData.fill(source)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    source.crash()
    try source.restart()
    try source.client()("MSET", "bump:a", 1, "bump:b", 2, "other:c", 3)
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    let keys = try destination.client()("KEYS", "bump:*").elements.map(\.text).sorted()
    #expect(keys == ["bump:a", "bump:b"])
  }

  /// A destination that closes connections which are quiet for four seconds.
  @Test func aQuietRunIsNotClosedByTheDestinationsTimeout() throws {
    let source = try TestServer()
    let destination = try TestServer(.redis70, ["--timeout", "4"])
    try source.client()("SET", "other:1", 1)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    let reader = try destination.client()
    let connections = { try reader("CLIENT", "LIST").text.split(separator: "\n").count }
    let seconds = { try reader("TIME").elements[0].text }
    let (count, began) = (try connections(), Int(try seconds()) ?? 0)
    // The servers' own clock: what is being waited for is their patience.
    try awaitCondition("ten seconds at the destination") {
      (Int(try seconds()) ?? 0) >= began + 10
    }
    #expect(try connections() == count)
    try source.client()("SET", "bump:1", 1)
    try source.awaitToolInSync(tool)
    #expect(try reader("GET", "bump:1").text == "1")
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5)
    #expect(!result.standardError.contains("closed the connection"), "\(result)")
  }

  /// What the link had received and the new source had not was not applied yet: no snapshot is needed.
  @Test func aReplicaIsPromotedThatHasReceivedLess() throws {
    let backlog = ["--repl-backlog-size", "64mb"]
    let source = try TestServer(.redis70, backlog)
    let replica = try TestServer(.redis70, backlog)
    let destination = try TestServer()
    let (writer, heir) = (try source.client(), try replica.client())
    let client = try destination.client()
    try writer("RPUSH", "bump:list", 1, 2)
    try heir("REPLICAOF", "127.0.0.1", source.port)
    try awaitCondition("the replica") {
      try heir.info("replication")["master_link_status"] == "up"
    }
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool, besides: [replica.port])
    try client("CONFIG", "SET", "maxmemory", 1)
    try writer("RPUSH", "bump:list", 3)
    try tool.awaitError("out of memory")
    try awaitCondition("the replica to have that") {
      try heir("LLEN", "bump:list").number == 3
    }
    try heir("REPLICAOF", "NO", "ONE")
    try writer("RPUSH", "bump:list", "never")
    // A source sends what it is told before it answers.
    let full = try source.resynchronisations()[0]
    #expect(full == "2")
    source.crash()
    try heir("RPUSH", "bump:list", 4)
    try heir("CONFIG", "SET", "port", source.port)
    try tool.awaitError("goes on behind offset")
    try client("CONFIG", "SET", "maxmemory", 0)
    try awaitCondition("the new source's data") {
      try #require(tool.isRunning, "\(tool.standardError)")
      return try client("LRANGE", "bump:list", 0, -1).elements.map(\.text)
        == ["1", "2", "3", "4"]
    }
    #expect(try heir.info("stats")["sync_full"] == "0")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }
}
