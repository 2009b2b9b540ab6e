// The process dies at each named step between the source's bytes and the destination's data; the next
// run goes on, and nothing is lost, done twice, or copied again without need.

import Glibc
import Testing

@Suite("Dying at the worst moment", .ownThread)
struct CrashPointTests {
  private func start(
    _ source: TestServer, _ destination: TestServer, dyingAt point: String? = nil
  ) throws -> Subprocess {
    try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"],
      environment: point.map { ["MIGR8SYNC_CRASH_AT": $0] } ?? [:])
  }

  /// Waits until the snapshot is there.
  private func awaitRecord(_ destination: TestServer, _ tool: Subprocess) throws {
    try awaitCondition("a record of the stream", seconds: Tool.deadlineSeconds) {
      try destination.client()("KEYS", "migr8sync:job:*").elements.map(\.text)
        .contains { (try? destination.client()("HGET", $0, "phase").text) == "stream" }
        || !tool.isRunning
    }
  }

  private func awaitDeath(_ tool: Subprocess) throws {
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 128 + SIGKILL, "\(result)")
  }

  /// Brings the run that goes on to its end, and compares.
  private func conclude(
    _ source: TestServer, _ destination: TestServer, _ native: NativeReplica,
    _ application: Application, fulls: Int
  ) throws {
    let tool = try start(source, destination)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try application.awaitCommands(500)
    try native.conclude(application, tool, destination, fulls: fulls)
  }

  /// Each at its first time and at a later one, again and again without a success in between.
  @Test(arguments: ["before-exec", "after-exec", "after-reply", "before-ack"])
  func inTheStream(point: String) throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    for count in [1, 7, 2, 30] {
      try awaitDeath(try start(source, destination, dyingAt: "\(point):\(count)"))
      try application.awaitCommands(100)
    }
    try conclude(source, destination, native, application, fulls: 2)
  }

  @Test(arguments: [("snapshot-written", 3), ("snapshot-recorded", 2)])
  func betweenSnapshotAndStream(point: String, fulls: Int) throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    try awaitDeath(try start(source, destination, dyingAt: point))
    try conclude(source, destination, native, application, fulls: fulls)
  }

  @Test func whileKeysAreRemovedThatTheSourceNoLongerHas() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    let writer = try source.client()
    _ = try writer.pipeline((0..<5000).map { ["SET", "bump:gone:\($0)", $0] })
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    try awaitDeath(try start(source, destination, dyingAt: "snapshot-written"))
    _ = try writer.pipeline((0..<5000).map { ["DEL", "bump:gone:\($0)"] })
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    try awaitDeath(try start(source, destination, dyingAt: "reconciling:1500"))
    #expect(try destination.client()("EXISTS", "bump:hash-large").number == 1)
    try conclude(source, destination, native, application, fulls: 4)
    #expect(try destination.client()("KEYS", "bump:gone:*").elements.isEmpty)
  }

  /// Keys that the application of the tests does not write, each of another type at the destination than
  /// the source thinks, and commands that it will refuse.
  private func confuse(_ source: TestServer, _ destination: TestServer) throws {
    let (writer, reader) = (try source.client(), try destination.client())
    for database in [0, 1] {
      try reader("SELECT", database)
      try writer("SELECT", database)
      try reader("SET", "bump:foreign", "a stranger's")
      try reader("SET", "bump:foreign:other", "a stranger's")
      try writer("MULTI")
      try writer("RPUSH", "bump:foreign", "a", "b")
      try writer("SADD", "bump:foreign:other", "c")
      try writer("EXEC")
    }
  }

  /// The transaction has moved the checkpoint behind commands that were refused in it. Who dies before
  /// the repair is recorded must not go on behind them; who dies during the repair repairs again.
  @Test(arguments: ["refusal-read", "refusal-read:2", "repairing", "repairing:2"])
  func whileARefusedCommandIsMadeGood(point: String) throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    let tool = try start(source, destination, dyingAt: point)
    // On a machine under load keys of the application may need repair before it follows.
    if point.hasPrefix("refusal") {
      try source.awaitToolFollowing(tool, besides: [native.server.port])
    } else {
      try awaitRecord(destination, tool)
    }
    try application.awaitCommands(500)
    try confuse(source, destination)
    try awaitDeath(tool)
    let record = try destination.client()("KEYS", "migr8sync:job:*").elements.map(\.text)
      .first { !$0.hasSuffix(":runner") && !$0.hasSuffix(":repairs") }
    let places = try destination.client()("HMGET", try #require(record), "confirmed", "offset")
      .elements.map { Int($0.text) ?? -1 }
    if point.hasPrefix("refusal") { #expect(places[0] < places[1]) }
    try conclude(source, destination, native, application, fulls: 2)
  }

  /// A library is no key: nothing would read it again.
  @Test(arguments: [true, false])
  func aLibraryIsSentAgainWhereTheAnswerWasNotRead(wasCarriedOut: Bool) throws {
    let options = ["--repl-backlog-size", "64mb", "--repl-ping-replica-period", "3600"]
    let (source, destination) = (try TestServer(.redis70, options), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    let words = ["sync", "-s", source.url, "-d", destination.url, "--job", "j"]
    var tool = try Tool.start(words, environment: ["MIGR8SYNC_CRASH_AT": "after-reply"])
    try awaitRecord(destination, tool)
    // What is sent again meets what came behind it: the library has another name by then.
    let code = { (library: String) in
      "#!lua name=\(library)\nredis.register_function('f', function() return 1 end)"
    }
    try writer("MULTI")
    try writer("FUNCTION", "LOAD", code("old"))
    try writer("FUNCTION", "DELETE", "old")
    try writer("FUNCTION", "LOAD", code("new"))
    try writer("EXEC")
    try awaitDeath(tool)
    let record = "migr8sync:job:j"
    let places = try reader("HMGET", record, "confirmed", "offset").elements.map(\.text)
    #expect(places[0] != places[1])
    if !wasCarriedOut { try reader("FUNCTION", "FLUSH") }
    tool = try Tool.start(words)
    try source.awaitToolFollowing(tool)
    try writer("SET", "key", "value")
    try awaitCondition("the key") { try reader("GET", "key").text == "value" }
    #expect(try reader("FCALL", "f", 0).number == 1)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// The bytes up to the checkpoint are at the destination, of a history that the promoted replica left
  /// before: what stands there in its own must not be passed over.
  @Test func aReplicaIsPromotedThatHasLessThanTheCheckpoint() throws {
    let options = ["--repl-backlog-size", "64mb", "--repl-ping-replica-period", "3600"]
    let source = try TestServer(.redis70, options)
    let replica = try TestServer(.redis70, options)
    let destination = try TestServer()
    let (writer, heir) = (try source.client(), try replica.client())
    try heir("REPLICAOF", "127.0.0.1", source.port)
    try awaitCondition("the replica") {
      try heir.info("replication")["master_link_status"] == "up"
    }
    var tool = try start(source, destination, dyingAt: "after-reply")
    // Without a byte of the stream, which would be a checkpoint, and the end, too early.
    try awaitRecord(destination, tool)
    try heir("REPLICAOF", "NO", "ONE")
    try writer("MSET", "bump:key", "old", "bump:filler", String(repeating: "x", count: 300))
    try awaitDeath(tool)
    let reader = try destination.client()
    #expect(try reader("GET", "bump:key").text == "old")
    source.crash()
    // A command ends at the checkpoint here, too, and nothing tells that it is another.
    let record = try #require(
      try reader("KEYS", "migr8sync:job:*").elements.map(\.text).first { !$0.hasSuffix(":runner") })
    let places = try reader("HMGET", record, "confirmed", "offset").elements.map {
      Int($0.text) ?? -1
    }
    func offset() throws -> Int {
      Int(try heir.info("replication")["master_repl_offset"] ?? "") ?? -1
    }
    try #require((places[0]..<places[1]).contains(try offset()))
    try heir("SET", "bump:key", "new")
    let frame = "*3\r\n$3\r\nSET\r\n$11\r\nbump:filler\r\n$123\r\n\r\n".utf8.count
    let rest = try places[1] - offset() - frame
    try #require((100...999).contains(rest))
    try heir("SET", "bump:filler", String(repeating: "y", count: rest))
    try #require(try offset() == places[1])
    try heir("SET", "bump:other", "new")
    try heir("CONFIG", "SET", "port", source.port)
    tool = try start(source, destination)
    try awaitCondition("the new history's writes", seconds: Tool.deadlineSeconds) {
      try #require(tool.isRunning, "\(tool.standardError)")
      return try reader("MGET", "bump:key", "bump:other").elements.map(\.text) == ["new", "new"]
    }
    #expect(try heir.info("stats")["sync_partial_ok"] == "1")
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5)
    #expect(result.standardError.contains("it was promoted"), "\(result)")
  }

  /// The record that a run leaves behind asks for nothing twice.
  @Test func aRunThatEndsWellLeavesNothingUnread() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    let tool = try start(source, destination)
    try source.awaitToolFollowing(tool)
    try source.client()("RPUSH", "bump:list", 1)
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    let reader = try destination.client()
    let record = try #require(try reader("KEYS", "migr8sync:job:*").elements.map(\.text).first)
    let places = try reader("HMGET", record, "confirmed", "offset").elements.map(\.text)
    #expect(places[0] == places[1])
    let again = try start(source, destination)
    try source.awaitToolFollowing(again)
    again.send(signal: SIGINT)
    let result = try Tool.finish(again)
    #expect(!result.standardError.contains("read again"), "\(result)")
  }
}
