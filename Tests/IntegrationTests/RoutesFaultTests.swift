// What goes wrong in a run that feeds two destinations: the queue that they share is full, the source is
// another server, one of them has lost everything while the other stands still.

import Glibc
import Testing

@Suite("Trouble with several destinations", .ownThread)
struct RoutesFaultTests {
  private static let backlog = ["--repl-backlog-size", "256mb"]

  /// What the other one has not got by then it gets when there is room.
  @Test func theQueueIsFullForOneThatStandsStill() throws {
    let source = try TestServer(
      .redis70, Self.backlog + ["--client-output-buffer-limit", "replica 0 0 0"])
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let places = try Place.some(2)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    let tool = try places.start(source, "--queue-memory", "1mb", "--spool-max", "2mb")
    try places.awaitFollowing(tool, source, besides: [native.server.port])
    let (other, stopped) = (places[0], places[1])
    stopped.server.freeze()
    let client = try source.client()
    let value = SampleData.noise(100_000)
    // More than the queue and all the sockets between hold.
    for round in 0..<300 {
      _ = try client.pipeline(places.map { ["SET", "\($0.prefix)large:\(round % 20)", value] })
    }
    try tool.awaitError(
      "reading from the source is slowed down", "waits for 127.0.0.1:\(stopped.server.port)")
    // Nothing is read any more, so nothing new comes through, and the link is kept.
    try client("SET", "\(other.prefix)behind", 1)
    let reader = try other.server.client()
    #expect(try reader("EXISTS", "\(other.prefix)large:1").number == 1)
    #expect(try reader("EXISTS", "\(other.prefix)behind").number == 0)
    #expect(try source.attachedTools(besides: [native.server.port]).count == 1)
    stopped.server.thaw()
    try awaitCondition("the other one to get what was held up", seconds: 60) {
      try reader("EXISTS", "\(other.prefix)behind").number == 1
    }
    try places.conclude(application, tool, native, source, fulls: 2)
  }

  /// A destination that had caught up comes back empty when the last of the others has ended: the queue keeps
  /// nothing for those, or the new snapshot would not fit.
  @Test func oneRestartsEmptyWhenTheOthersHaveEnded() throws {
    let source = try TestServer(.redis70, Self.backlog + ["--rdbcompression", "no"])
    let places = try Place.some(2)
    let (emptied, ended) = (places[0].server, places[1].server)
    let writer = try source.client()
    _ = try writer.pipeline((0..<400).map { ["SET", "\(places[$0 % 2].prefix)\($0)", $0] })
    // The pause between keys makes the snapshot last long enough to stop one destination in its middle.
    try writer("CONFIG", "SET", "rdb-key-save-delay", 10_000)
    let tool = try places.start(
      source, "--once", "--queue-memory", "1mb", "--spool-max", "0", "--log-format", "json")
    var watcher = try ended.client()
    try awaitCondition("the job to begin") { try watcher("DBSIZE").number ?? 0 > 1 }
    ended.freeze()
    try tool.awaitError("\"address\":\"127.0.0.1:\(emptied.port)\",\"phase\":\"following\"")
    emptied.crash()
    try writer("SET", "\(places[1].prefix)mark", 1)
    ended.thaw()
    watcher = try ended.client()
    try awaitCondition("a write to arrive", seconds: 60) {
      try watcher("EXISTS", "\(places[1].prefix)mark").number == 1
    }
    try awaitCondition("the lane to end", seconds: 60) {
      try watcher("CLIENT", "LIST").text.split(separator: "\n").allSatisfy {
        !$0.contains(" name=migr8sync:") || $0.contains(":lease ")
      }
    }
    // Far more than the queue and all the sockets between hold, and none of it in the stream.
    try writer("CONFIG", "SET", "rdb-key-save-delay", 0)
    try writer("DEBUG", "POPULATE", 30_000, "nobody", 1_000)
    try emptied.restart()
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    try places.expectDivided(as: source)
    #expect(try source.resynchronisations()[0] == "2", "\(result)")
  }

  /// A replica takes the source's place while one destination is behind the other. Where it has received
  /// all that is applied anywhere, the link goes on; else what is too much has to go.
  @Test(arguments: [true, false])
  func theSourceFailsOver(heirIsComplete: Bool) throws {
    let source = try TestServer(.redis70, Self.backlog)
    let heir = try TestServer(.redis70, Self.backlog)
    let places = try Place.some(2)
    let (ahead, behind) = (places[0], places[1])
    try SampleData.fill(source)
    let inheriting = try heir.client()
    try inheriting("REPLICAOF", "127.0.0.1", source.port)
    try awaitCondition("the replica") {
      try inheriting.info("replication")["master_link_status"] == "up"
    }
    let tool = try places.start(source)
    try places.awaitFollowing(tool, source, besides: [heir.port])
    behind.server.freeze()
    let writer = try source.client()
    _ = try writer.pipeline(
      (1...500).flatMap { number in
        places.map { ["RPUSH", "\($0.prefix)numbers", number] }
      })
    try awaitCondition("the replica to have that") {
      try inheriting("LLEN", "\(behind.prefix)numbers").number == 500
    }
    // From here on it receives nothing.
    if !heirIsComplete { try inheriting("REPLICAOF", "NO", "ONE") }
    try writer("SET", "\(ahead.prefix)last", 1)
    let reader = try ahead.server.client()
    try awaitCondition("the last write to be at one destination") {
      try reader("EXISTS", "\(ahead.prefix)last").number == 1
    }
    if heirIsComplete {
      try awaitCondition("the replica to have it, too") {
        try inheriting("EXISTS", "\(ahead.prefix)last").number == 1
      }
    }
    source.crash()
    if heirIsComplete { try inheriting("REPLICAOF", "NO", "ONE") }
    _ = try inheriting.pipeline(places.map { ["RPUSH", "\($0.prefix)numbers", "heir"] })
    try inheriting("CONFIG", "SET", "port", source.port)
    try tool.awaitError(heirIsComplete ? "goes on behind offset" : "full resynchronisation")
    behind.server.thaw()
    // The server's port is the old source's by now.
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    #expect(try inheriting.info("stats")["sync_full"] == (heirIsComplete ? "0" : "1"), "\(result)")
    try places.expectDivided(as: source)
  }

  /// The snapshot that one needs is for both; the other one takes it when it goes on.
  @Test func oneRestartsEmptyWhileTheOtherStandsStill() throws {
    let source = try TestServer(.redis70, Self.backlog)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let places = try Place.some(2)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    let tool = try places.start(source)
    try places.awaitFollowing(tool, source, besides: [native.server.port])
    places[0].server.freeze()
    try application.awaitCommands(500)
    try places[1].server.restart()
    try tool.awaitError("127.0.0.1:\(places[1].server.port)", "a new snapshot is needed")
    try awaitCondition("the second snapshot", seconds: 60) {
      try source.resynchronisations()[0] == "3"
    }
    try application.awaitCommands(500)
    places[0].server.thaw()
    try places.conclude(application, tool, native, source, fulls: 3)
  }
}
