// The way back behind a cutover: what the new side gets comes to the old one, whatever happens to the tool,
// and going back loses nothing. Timing and the count of every write are scripts/cutover-drill's.

import Glibc
import Testing

@Suite("Reverse", .ownThread)
struct ReverseTests {
  /// Hands over with --reverse, and waits until the reverse follows.
  private func handOver(
    _ runtime: ControlRuntime, _ tool: Subprocess, _ options: [String] = []
  ) throws {
    let result = try runtime.cutover(["--reverse"] + options)
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput.contains("the run goes on as the reverse"), "\(result)")
    try awaitReverse(runtime, tool)
  }

  private func awaitReverse(_ runtime: ControlRuntime, _ tool: Subprocess) throws {
    try awaitCondition("the reverse to follow", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      let status = try runtime.status()
      return status.contains("\"direction\":\"reverse\"")
        && status.contains("\"phase\":\"following\"")
    }
  }

  private func handBack(
    _ runtime: ControlRuntime, _ tool: Subprocess, _ old: TestServer, _ new: TestServer
  ) throws {
    let result = try runtime.cutover(["--back"])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput.contains("handed back"), "\(result)")
    let end = try Tool.finish(tool)
    #expect(end.exitCode == 0, "\(end)")
    try expectNothingLeft(old, new)
  }

  private func expectNothingLeft(_ servers: TestServer...) throws {
    for server in servers {
      let client = try server.client()
      for database in [0, 3, 5] {
        try client("SELECT", database)
        #expect(try client("KEYS", "migr8sync:*").elements.isEmpty)
      }
    }
  }

  /// Both hold the same moved keys.
  private func expectEqual(_ old: TestServer, _ new: TestServer) throws {
    // What a version before 7.0 does not know of a stream is not compared; its times to live are its own.
    let isOld = old.kind < .redis70
    let detail = isOld ? StreamDetail(old.kind) : .replicated
    let there = try Keyspace(of: new, streams: detail).filter(prefix: "bump:")
    let here = try Keyspace(of: old, streams: detail).filter(prefix: "bump:")
    #expect(!there.keys.isEmpty)
    let tolerance = isOld ? 10_000 : 0
    #expect(
      here.differences(
        from: there, ignoringExpiredAt: wallClockMilliseconds(), expiryTolerance: tolerance) == [])
  }

  private func awaitKey(_ server: TestServer, _ key: String) throws {
    let client = try server.client()
    try awaitCondition("\(key) at the other side", seconds: Tool.deadlineSeconds) {
      try client("EXISTS", key).number == 1
    }
  }

  private func sync(_ old: TestServer, _ new: TestServer, _ options: String...) -> [String] {
    ["sync", "-s", old.url, "-d", new.url, "-p", "bump:", "--job", "drill", "--no-progress"]
      + options
  }

  /// The job is not begun as it was: one has to say where the application is.
  private func expectRefused(
    _ runtime: ControlRuntime, _ old: TestServer, _ new: TestServer, _ words: String...
  ) throws {
    let refused = try runtime.run(sync(old, new))
    #expect(refused.exitCode == 4, "\(refused)")
    for text in words { #expect(refused.standardError.contains(text), "\(refused)") }
  }

  // MARK: - There and back

  /// Between equal servers, and with an upgrade that is undone.
  @Test(
    arguments: ServerKind.allCases.map { ($0, $0) } + [(.redis62, .redis70), (.redis70, .valkey81)])
  func nothingIsLostThereAndBack(kind: ServerKind, newKind: ServerKind) throws {
    let (old, new) = (try TestServer(kind), try TestServer(newKind))
    try SampleData.fill(old)
    let before = try Application(to: old, seed: .random(in: 1...1_000_000), brief: false)
    try before.awaitCommands(1_000)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    try before.stop()
    let untouched = try Keyspace(of: old, streams: .replicated).filter(prefix: "other:")
    // The application's first write comes while the hand-over is not even over.
    try handOver(runtime, tool, ["--on-cutover", "redis-cli -p \(new.port) set bump:first 1"])
    let after = try Application(to: new, seed: .random(in: 1...1_000_000), brief: false)
    try after.awaitCommands(3_000)
    try after.stop()
    try handBack(runtime, tool, old, new)
    #expect(try old.client()("GET", "bump:first").text == "1")
    try expectEqual(old, new)
    // What does not move stays at either side what it was.
    let now = try Keyspace(of: old, streams: .replicated).filter(prefix: "other:")
    #expect(now.differences(from: untouched, ignoringExpiredAt: wallClockMilliseconds()) == [])
    // A backlog was made where there was none, and no snapshot was ever read.
    #expect(try new.resynchronisations().first == "1")
  }

  @Test func namesAndDatabasesGoBack() throws {
    let (old, new) = (try TestServer(), try TestServer())
    let client = try old.client()
    try client("SET", "bump:a", 1)
    try client("SET", "bump:kept", 1)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(
      old, new, ["--db", "0", "--db-map", "0=5", "--rewrite", "bump:=b:"])
    try handOver(runtime, tool)
    let writer = try new.client()
    // Not in the db of the job, and so nobody's.
    try writer("SET", "b:a", "wrong")
    try writer("SELECT", 5)
    for reply in try writer.pipeline([
      ["INCR", "b:a"], ["SET", "b:new", "x"], ["RENAME", "b:new", "b:newer"],
      ["SET", "bump:a", "wrong"], ["MSET", "b:m", 1, "bump:m", 2], ["SUNIONSTORE", "b:u", "none"],
      ["SADD", "bump:s", "m"], ["SUNIONSTORE", "b:u", "bump:s"], ["SET", "b:last", 1],
    ]) { _ = try reply.orThrow() }
    try awaitKey(old, "bump:last")
    try handBack(runtime, tool, old, new)
    let keys = try client("KEYS", "*").elements.map(\.text).sorted()
    #expect(
      keys == ["bump:a", "bump:kept", "bump:last", "bump:m", "bump:newer", "bump:u"])
    #expect(
      try client("MGET", "bump:a", "bump:m", "bump:newer").elements.map(\.text) == ["2", "1", "x"])
    #expect(try client("SMEMBERS", "bump:u").elements.map(\.text) == ["m"])
  }

  /// The application stays on the new side then, and the reverse goes on.
  @Test func aHookThatFailsOnTheWayBack() throws {
    let (old, new) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    try handOver(runtime, tool)
    let result = try runtime.cutover(["--back", "--on-cutover", "exit 3"])
    #expect(result.exitCode == 1 && result.standardError.contains("exit code 3"), "\(result)")
    try new.client()("SET", "bump:x", 1)
    try awaitKey(old, "bump:x")
    try handBack(runtime, tool, old, new)
  }

  @Test func completedItLeavesBothSidesAlone() throws {
    let (old, new) = (try TestServer(), try TestServer())
    try old.client()("SET", "bump:a", 1)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    let early = try runtime.run(["cutover", "--complete"])
    #expect(early.exitCode == 4 && early.standardError.contains("no reverse"), "\(early)")
    try handOver(runtime, tool)
    let again = try runtime.cutover(["--reverse"])
    #expect(again.exitCode == 4 && again.standardError.contains("--back"), "\(again)")
    try new.client()("RPUSH", "bump:list", 1, 2)
    let same = try runtime.run(
      ["verify", "-s", new.url, "-d", old.url, "-p", "bump:", "--job", "drill"])
    #expect(same.exitCode == 0, "\(same)")
    let result = try runtime.run(["cutover", "--complete"])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try Tool.finish(tool).exitCode == 0)
    try expectNothingLeft(old, new)
    try expectEqual(old, new)
    #expect(try new.client().info("replication")["connected_slaves"] == "0")
  }

  // MARK: - What goes wrong

  /// A hand-over with --reverse that is taken back leaves nothing of the reverse.
  @Test func takenBackBeforeItBegan() throws {
    let (old, new) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    let failed = try runtime.cutover(["--reverse", "--on-cutover", "exit 1"])
    #expect(failed.exitCode == 1, "\(failed)")
    #expect(failed.standardOutput.contains("the reverse is given up"), "\(failed)")
    try expectNothingLeft(old)
    #expect(try new.client().info("replication")["connected_slaves"] == "0")
    #expect(
      try new.client()("HKEYS", "migr8sync:job:drill").elements.map(\.text)
        .allSatisfy { !$0.hasPrefix("reverse") && $0 != "handover" })
    try old.client()("SET", "bump:x", 1)
    try awaitKey(new, "bump:x")
    // The next one is as ever.
    try handOver(runtime, tool)
    try new.client()("SET", "bump:y", 1)
    try awaitKey(old, "bump:y")
    try handBack(runtime, tool, old, new)
  }

  /// Killed while the application writes: the same command goes on, exactly, without a snapshot.
  @Test(arguments: ServerKind.allCases)
  func killedOnTheWay(kind: ServerKind) throws {
    let (old, new) = (try TestServer(kind), try TestServer(kind, ["--repl-backlog-size", "64mb"]))
    let runtime = try ControlRuntime()
    var tool = try runtime.follow(old, new)
    try handOver(runtime, tool)
    let application = try Application(to: new, seed: .random(in: 1...1_000_000), brief: false)
    for _ in 0..<2 {
      try application.awaitCommands(1_000)
      tool.kill()
      try application.awaitCommands(500)
      let snapshots = try new.resynchronisations()[0]
      tool = try Tool.start(sync(old, new), environment: runtime.environment)
      try awaitReverse(runtime, tool)
      #expect(try new.resynchronisations()[0] == snapshots)
    }
    try application.stop()
    try handBack(runtime, tool, old, new)
    try expectEqual(old, new)
  }

  /// A connection that is lost behind the hand-over brings nobody to copy the source's keys anew over the
  /// application's.
  @Test func aConnectionIsLostBehindTheHandOver() throws {
    let (old, new) = (try TestServer(), try TestServer())
    try old.client()("MSET", "bump:n", "the job's", "bump:gone", 1)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    let cutover = try Tool.start(
      [
        "cutover", "--reverse", "--skip-verify", "--max-lag", "1m", "--fence-time", "20s",
        "--observe-time", "0ms", "--linger", "4s",
      ], environment: runtime.environment)
    let client = try new.client()
    try awaitCondition("the job to be turned round", seconds: Tool.deadlineSeconds) {
      try client("HGET", "migr8sync:job:drill", "phase").text == "reversed"
    }
    try client("MSET", "bump:n", "the application's", "bump:new", 1)
    try client("DEL", "bump:gone")
    #expect(try client.endToolConnections() > 0)
    #expect(try Tool.finish(cutover).exitCode == 0)
    try awaitReverse(runtime, tool)
    try awaitKey(old, "bump:new")
    for client in try [old.client(), new.client()] {
      #expect(try client("GET", "bump:n").text == "the application's")
      #expect(try client("EXISTS", "bump:gone").number == 0)
    }
    #expect(try old.resynchronisations() == ["1", "0"])
    try handBack(runtime, tool, old, new)
  }

  /// A stop that comes when the application is handed over already ends the reverse, which goes on later.
  @Test func aStopAtTheTurnEndsTheReverse() throws {
    let (old, new) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    let stop = "kill -TERM \(tool.processIdentifier)"
    #expect(try runtime.cutover(["--reverse", "--on-done", stop]).exitCode == 0)
    #expect(try Tool.finish(tool).exitCode == 5)
    let next = try Tool.start(sync(old, new), environment: runtime.environment)
    try awaitReverse(runtime, next)
    try handBack(runtime, next, old, new)
  }

  /// Killed between the mark and the reverse's own word: only the operator knows where the application is.
  @Test(arguments: ["marked", "reversing"], [true, false])
  func killedWhileHandingOver(point: String, isHandedOver: Bool) throws {
    let (old, new) = (try TestServer(), try TestServer())
    try old.client()("SET", "bump:n", 1)
    let runtime = try ControlRuntime()
    let dying = try runtime.follow(old, new, dyingAt: point)
    try runtime.cutover(["--reverse"], killing: dying, fencing: old)
    try expectRefused(runtime, old, new, "add --handed-over", "--not-handed-over")
    guard isHandedOver else {
      let tool = try runtime.follow(old, new, ["--not-handed-over"])
      try old.client()("SET", "bump:x", 1)
      try awaitKey(new, "bump:x")
      // A later hand-over finds what the dead one has left at the source.
      if point == "reversing" {
        let result = try runtime.cutover(["--reverse"])
        #expect(result.exitCode == 1 && result.standardError.contains("--forget"), "\(result)")
        let forgotten = try runtime.run(
          ["jobs", "-d", old.url, "--forget", "drill", "--yes"])
        #expect(forgotten.exitCode == 0, "\(forgotten)")
      }
      try handOver(runtime, tool)
      try handBack(runtime, tool, old, new)
      return
    }
    try new.client()("INCR", "bump:n")
    let tool = try Tool.start(
      sync(old, new, "--handed-over"), environment: runtime.environment)
    try awaitReverse(runtime, tool)
    try new.client()("SET", "bump:x", 1)
    try awaitKey(old, "bump:x")
    #expect(try old.client()("GET", "bump:n").text == "2")
    // From here on everybody knows.
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
    let cleared = try runtime.run(sync(old, new, "--clear-dest", "--yes"))
    #expect(cleared.exitCode == 4 && cleared.standardError.contains("--clear-dest"), "\(cleared)")
    let next = try Tool.start(sync(old, new), environment: runtime.environment)
    try awaitReverse(runtime, next)
    try new.client()("INCR", "bump:n")
    try handBack(runtime, next, old, new)
    #expect(try old.client()("GET", "bump:n").text == "3")
  }

  /// Killed when nobody knows whether the application has moved back.
  @Test func killedWhileHandingBack() throws {
    let (old, new) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let dying = try runtime.follow(old, new, dyingAt: "marked:2")
    try handOver(runtime, dying)
    try runtime.cutover(["--back"], killing: dying, fencing: new)
    try expectRefused(runtime, old, new, "at both servers")
    try new.client()("SET", "bump:x", 1)
    let tool = try Tool.start(
      sync(old, new, "--not-handed-over"), environment: runtime.environment)
    try awaitReverse(runtime, tool)
    try awaitKey(old, "bump:x")
    // Forgotten at one server alone, it is not begun anew unasked.
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
    let forgotten = try runtime.run(["jobs", "-d", old.url, "--forget", "drill", "--yes"])
    #expect(forgotten.exitCode == 0, "\(forgotten)")
    try expectRefused(runtime, old, new, "no record of it")
  }

  /// What the new side no longer holds in its backlog is not copied anew unasked: it may have lost its data.
  @Test func aLostPlaceIsSaid() throws {
    let (old, new) = (try TestServer(), try TestServer(.redis70, ["--repl-backlog-size", "16kb"]))
    try old.client()("MSET", "bump:kept", 1, "bump:gone", 1, "other:a", 1)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    try handOver(runtime, tool)
    tool.kill()
    let writer = try new.client()
    _ = try writer.pipeline((0..<2_000).map { ["SET", "other:\($0)", "some value"] })
    try writer("DEL", "bump:gone")
    try writer("SET", "bump:new", 1)
    let refused = try runtime.run(sync(old, new))
    #expect(
      refused.exitCode == 1 && refused.standardError.contains("--reverse-snapshot"), "\(refused)")
    #expect(try old.client()("EXISTS", "bump:kept", "bump:gone", "bump:new").number == 2)
    let next = try Tool.start(
      sync(old, new, "--reverse-snapshot"), environment: runtime.environment)
    try awaitReverse(runtime, next)
    try handBack(runtime, next, old, new)
    try expectEqual(old, new)
    #expect(try old.client()("EXISTS", "bump:gone", "other:a", "other:0").number == 1)
  }

  /// A new side that comes back empty does not empty the old one.
  @Test func aNewSideThatLosesItsDataIsNotFollowed() throws {
    let (old, new) = (try TestServer(), try TestServer())
    try old.client()("MSET", "bump:a", 1, "bump:b", 2)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new)
    try handOver(runtime, tool)
    try new.client()("INCR", "bump:a")
    try awaitCondition("the write") { try old.client()("GET", "bump:a").text == "2" }
    new.crash()
    try new.restart()
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("the reverse cannot go on where it was"), "\(result)")
    #expect(try old.client()("MGET", "bump:a", "bump:b").elements.map(\.text) == ["2", "2"])
  }

  @Test func whatCannotBeTurnedRoundIsRefusedBeforehand() throws {
    func expectRefused(_ words: String, _ options: [String]) throws {
      let (old, new) = (try TestServer(), try TestServer())
      let runtime = try ControlRuntime()
      let tool = try runtime.follow(old, new, options)
      let result = try runtime.cutover(["--reverse"])
      #expect(result.exitCode == 4 && result.standardError.contains(words), "\(result)")
      #expect(try old.client().info("replication")["connected_slaves"] == "1")
      #expect(try new.client().info("replication")["repl_backlog_active"] == "0")
      tool.kill()
    }
    try expectRefused("--on-conflict skip", ["--on-conflict", "skip"])
    try expectRefused("--type", ["--type", "string"])
    try expectRefused("--match", ["--match", "a*", "--rewrite", "bump:=b:"])
  }

  @Test func rightsAreAskedForBeforehand() throws {
    let (old, new) = (try TestServer(), try TestServer())
    try new.client()("ACL", "SETUSER", "mover", "on", ">secret", "~*", "&*", "+@all", "-psync")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(old, new, to: "redis://mover:secret@127.0.0.1:\(new.port)")
    let result = try runtime.cutover(["--reverse"])
    #expect(result.exitCode == 4 && result.standardError.contains("psync"), "\(result)")
    #expect(!result.description.contains("secret"))
    let back = try runtime.cutover(["--back"])
    #expect(back.exitCode == 4 && back.standardError.contains("--reverse first"), "\(back)")
    tool.kill()
  }
}
