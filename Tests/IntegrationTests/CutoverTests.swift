// Handing an application over: what is at the destination then, and what everything is like when
// something fails on the way. Timing and the count of every write are scripts/cutover-drill's.

import Glibc
import Testing

@Suite("Cutover", .ownThread)
struct CutoverTests {
  @Test(arguments: ServerKind.allCases)
  func nothingBehindTheEndIsApplied(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(.redis82))
    try SampleData.fill(source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    try application.awaitCommands(500)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    try application.awaitCommands(2_000)
    try application.stop()
    // A key that is being read again would be a reason to refuse.
    try source.awaitToolInSync(tool)
    let result = try runtime.cutover([
      // Written while the fence stands, behind the end, by the one client that a pause does not hold.
      "--fence", "none", "--on-cutover", "redis-cli -p \(source.port) set bump:late 1",
      "--linger", "2s",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput.contains("late write: offset"), "\(result)")
    #expect(result.standardOutput.contains("set bump:late 1"))
    #expect(try Tool.finish(tool).exitCode == 0)
    let reader = try destination.client()
    #expect(try reader("EXISTS", "bump:late").number == 0)
    #expect(try reader("KEYS", "migr8sync:*").elements.isEmpty)
    try source.client()("DEL", "bump:late")
    try expectEqual(
      destination, to: source, prefixes: [Application.inside], afterStream: true)
  }

  /// All destinations of a run come to the same end.
  @Test func severalDestinationsTogether() throws {
    let (source, one, other) = (try TestServer(), try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try Tool.start(
      [
        "sync", "-s", source.url, "--route", "a:=\(one.url)", "--route", "b:=\(other.url)",
        "--no-progress",
      ], environment: runtime.environment)
    try runtime.awaitFollowing(tool)
    let writer = try source.client()
    _ = try writer.pipeline((0..<2_000).map { ["SET", "\($0 % 2 == 0 ? "a" : "b"):\($0)", $0] })
    let result = try runtime.cutover()
    #expect(result.exitCode == 0, "\(result)")
    #expect(try Tool.finish(tool).exitCode == 0)
    for (server, prefix) in [(one, "a:"), (other, "b:")] {
      let keys = try server.client()("KEYS", "*").elements.map(\.text)
      #expect(keys.count == 1_000 && keys.allSatisfy { $0.hasPrefix(prefix) })
    }
  }

  /// A worker that asks a full queue for an element waits like any writer, and must not get it: the queue is
  /// at the destination, too.
  @Test(arguments: ["incr bump:n", "brpop bump:queue 0"])
  func aPauseHoldsWritersAndTheyAreSentAway(write: String) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:n", 1)
    try source.client()("RPUSH", "bump:queue", "task")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    // The writer comes while the fence stands: its write waits, and its connection is ended.
    let result = try runtime.cutover([
      "--on-cutover",
      "(setsid redis-cli -p \(source.port) \(write) > \(runtime.folder)/said 2>&1 &) ;"
        + " until redis-cli -p \(source.port) client list | grep -q ' flags=b '; do sleep 0.01; done",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput.contains("1 connections that waited"), "\(result)")
    #expect(!result.standardOutput.contains("late write:"), "\(result)")
    #expect(try Tool.finish(tool).exitCode == 0)
    for server in [source, destination] {
      #expect(try server.client()("GET", "bump:n").text == "1")
      #expect(try server.client()("LRANGE", "bump:queue", 0, -1).elements.map(\.text) == ["task"])
    }
    unlink(runtime.folder + "/said")
  }

  /// What waited at the pause is at the destination, once; what comes later is not.
  @Test(arguments: ServerKind.allCases)
  func writesThatWaitAreCarriedOver(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try source.client()("MSET", "bump:n", 1, "bump:kept", 1)
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let said = runtime.folder + "/said"
    let result = try runtime.cutover([
      "--queued", "carry", "--linger", "1s",
      // Two wait, and are answered; the application's own write is there before them.
      "--on-cutover",
      "(setsid redis-cli -p \(source.port) incrby bump:n 10 > \(said) 2>&1 &) ;"
        + "(setsid redis-cli -p \(source.port) rpush bump:list a b >> \(said) 2>&1 &) ;"
        + " redis-cli -p \(destination.port) incr bump:n;"
        + " until [ $(redis-cli -p \(source.port) client list | grep -c ' flags=b ') = 2 ];"
        + " do sleep 0.01; done",
      "--on-done", "redis-cli -p \(source.port) set bump:late 1",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(
      result.standardOutput.contains("2 writes that had waited were carried over"), "\(result)")
    #expect(result.standardOutput.contains("carried write: offset"), "\(result)")
    #expect(result.standardOutput.contains("no write on what has moved came"), "\(result)")
    #expect(try Tool.finish(tool).exitCode == 0)
    let reader = try destination.client()
    #expect(try reader("GET", "bump:n").text == "12")
    #expect(try reader("LRANGE", "bump:list", 0, -1).elements.map(\.text) == ["a", "b"])
    #expect(try reader("EXISTS", "bump:late").number == 0)
    #expect(try reader("KEYS", "migr8sync:*").elements.isEmpty)
    unlink(said)
  }

  @Test func conditionsAreNamed() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try destination.client()("SET", "bump:kept", "theirs")
    try source.client()("SET", "bump:kept", "ours")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination, ["--on-conflict", "skip"])
    let unverified = try runtime.run(["cutover", "--accept-skipped"])
    #expect(unverified.exitCode == 4 && unverified.standardError.contains("--skip-verify"))
    let skipped = try runtime.cutover()
    #expect(skipped.exitCode == 4 && skipped.standardError.contains("--accept-skipped"))
    #expect(try runtime.run(["tell", "--pause"]).exitCode == 0)
    let paused = try runtime.cutover(["--accept-skipped"])
    #expect(paused.exitCode == 4 && paused.standardError.contains("paused"))
    #expect(try runtime.run(["tell", "--resume"]).exitCode == 0)
    let stranger = try runtime.cutover(["--accept-skipped", "--fence", "acl:nobody"])
    #expect(stranger.exitCode == 4 && stranger.standardError.contains("no user nobody"))
    try runtime.expectFollowing(tool, source, destination)
  }

  @Test func aDryRunTouchesNothing() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let result = try runtime.cutover(["--dry-run", "--on-cutover", "touch \(runtime.folder)/ran"])
    #expect(result.exitCode == 0)
    for words in ["CLIENT PAUSE 20000 WRITE", "CLIENT UNPAUSE", "DEL migr8sync:job:drill"] {
      #expect(result.standardOutput.contains(words), "\(result)")
    }
    #expect(access(runtime.folder + "/ran", F_OK) != 0)
    try runtime.expectFollowing(tool, source, destination)
  }

  @Test(arguments: ["exit 3", "sleep 1000", "kill -9 $$"])
  func aHookThatFailsTakesItBack(command: String) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let said = runtime.folder + "/failed"
    let result = try runtime.cutover(
      [
        "--hook-timeout", "2s", "--on-cutover", command, "--on-failed",
        "echo $MIGR8SYNC_REASON > \(said)",
      ])
    #expect(result.exitCode == 1, "\(result)")
    #expect(access(said, F_OK) == 0, "\(result)")
    try runtime.expectFollowing(tool, source, destination)
    unlink(said)
  }

  /// The source holds its writers for no longer than the fence was to last, whatever becomes of the
  /// destination.
  @Test func aDestinationThatStandsStill() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let result = try runtime.run([
      "cutover", "--skip-verify", "--max-lag", "1m", "--fence-time", "2s", "--observe-time",
      "200ms", "--check-time",
      "0ms",
      "--on-ready",
      "kill -STOP \(try processOf(destination)); redis-cli -p \(source.port) set bump:x 1",
    ])
    #expect(result.exitCode == 1, "\(result)")
    // The source takes writes while the destination still stands.
    try source.client()("SET", "bump:y", 1)
    destination.thaw()
    try runtime.expectFollowing(tool, source, destination)
    #expect(
      try destination.client()("MGET", "bump:x", "bump:y").elements.map(\.text) == ["1", "1"])
  }

  private func processOf(_ server: TestServer) throws -> String {
    try server.client().info("server")["process_id"] ?? ""
  }

  /// Every connection to the source is lost when the fence is about to begin.
  @Test func aLinkThatIsCut() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let proxy = try FaultyProxy(to: source, .cutOnce(behind: Array("CUT".utf8), bytes: 0))
    let tool = try runtime.follow(source, destination, from: "redis://127.0.0.1:\(proxy.port)")
    // All connections have ended when the link is back.
    let result = try runtime.cutover([
      "--on-ready",
      "redis-cli -p \(source.port) set bump:x CUT;"
        + " until redis-cli -p \(source.port) info stats | grep -q sync_partial_ok:1;"
        + " do sleep 0.01; done",
    ])
    #expect(proxy.struck)
    #expect(result.exitCode == 1 && result.standardError.contains("fence:"), "\(result)")
    try runtime.expectFollowing(tool, source, destination)
    #expect(try destination.client()("GET", "bump:x").text == "CUT")
  }

  /// Killed inside the fence: the source lets its writers go by itself, and the next run goes on.
  @Test(arguments: ServerKind.allCases)
  func killedInsideTheFence(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(.redis82))
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination, dyingAt: "fenced")
    let result = try runtime.run([
      "cutover", "--skip-verify", "--max-lag", "1m", "--fence-time", "2s", "--observe-time", "0ms",
    ])
    // Who asked cannot know how far it had come.
    #expect(result.exitCode == 6 && result.standardError.contains("hung up"), "\(result)")
    #expect(result.standardError.contains("not known"), "\(result)")
    #expect(try Tool.finish(tool).exitCode == 128 + SIGKILL)
    // Answered as soon as the pause is over.
    try source.client()("SET", "bump:x", 1)
    let next = try runtime.follow(source, destination)
    try runtime.expectFollowing(next, source, destination)
    #expect(try source.resynchronisations() == ["1", "1"])
  }

  /// Killed when nobody knows whether the application has moved: the operator decides.
  @Test func killedWhileHandingOver() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination, dyingAt: "marked")
    try runtime.cutover(killing: tool, fencing: source)
    let words = [
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "drill",
      "--no-progress",
    ]
    let refused = try runtime.run(words)
    #expect(
      refused.exitCode == 4 && refused.standardError.contains("--not-handed-over"), "\(refused)")
    try source.client()("SET", "bump:x", 1)
    let next = try runtime.follow(source, destination, ["--not-handed-over"])
    try awaitCondition("the write") { try destination.client()("EXISTS", "bump:x").number == 1 }
    // From here on a cutover is as ever.
    let result = try runtime.cutover()
    #expect(result.exitCode == 0, "\(result)")
    #expect(try Tool.finish(next).exitCode == 0)
  }

  /// A lane that begins anew while the application is being handed over doubts what it wrote last. It does
  /// not repair it any more: the application may have written it since.
  @Test func aSessionThatBeginsBehindTheDrainWritesNothing() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let (to, from) = ("redis-cli -p \(destination.port)", "redis-cli -p \(source.port)")
    let result = try runtime.cutover([
      // Its reply is read, and no checkpoint says so yet: a session that begins now asks for the key again.
      "--check-time", "0ms", "--observe-time", "0ms", "--on-ready", "\(from) incr bump:n",
      "--on-cutover",
      "printf 'config resetstat\\nclient kill type normal skipme yes\\n' | \(to);"
        + " \(to) set bump:n application;"
        + " until \(to) info commandstats | grep -q cmdstat_exec:; do sleep 0.01; done",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("GET", "bump:n").text == "application")
    #expect(try Tool.finish(tool).exitCode == 0)
  }

  /// Keys that differ are found inside the fence, and nobody is handed over.
  @Test func aDestinationThatDiffers() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let key = "bump:hash"
    let (to, from) = ("redis-cli -p \(destination.port)", "redis-cli -p \(source.port)")
    let result = try runtime.cutover([
      "--on-ready",
      "\(from) hset \(key) a 1 b 2; until [ \"$(\(to) hget \(key) b)\" = 2 ]; do sleep 0.01; done;"
        + " \(to) hset \(key) b 3",
    ])
    #expect(
      result.exitCode == 1 && result.standardError.contains("1 of 1 keys differ"), "\(result)")
    #expect(result.standardError.contains(key))
    try runtime.expectFollowing(tool, source, destination)
  }

  @Test func aFileHoldsItUpAndASecondOneIsRefused() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let file = runtime.folder + "/wait"
    fclose(fopen(file, "w"))
    let first = try Tool.start(
      [
        "cutover", "--skip-verify", "--max-lag", "1m", "--postpone-file", file, "--observe-time",
        "0ms", "--linger",
        "0ms",
        "--fence-time", "20s",
      ], environment: runtime.environment)
    try awaitCondition("it to be ready") { first.standardOutput.contains("waiting until") }
    let second = try runtime.cutover()
    #expect(second.exitCode == 4, "\(second)")
    #expect(
      second.standardError == "migr8sync cutover: a cutover is under way already\n", "\(second)")
    try runtime.expectFollowing(tool, source, destination)
    unlink(file)
    #expect(try Tool.finish(first).exitCode == 0)
    #expect(try Tool.finish(tool).exitCode == 0)
  }

  /// The first thing that is heard of a cutover comes when the servers have answered: it is waited for.
  @Test func serversThatAnswerLate() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    source.freeze()
    let asked = try Tool.start(
      ["cutover", "--skip-verify", "--max-lag", "1m", "--fence-time", "20s", "--linger", "0ms"],
      environment: runtime.environment)
    // Longer than a running job may take to answer from what it knows.
    let end = monotonicSeconds() + 6
    try awaitCondition("six seconds") { monotonicSeconds() >= end || !asked.isRunning }
    source.thaw()
    let result = try Tool.finish(asked)
    #expect(result.exitCode == 0, "\(result)")
    #expect(try Tool.finish(tool).exitCode == 0)
  }

  @Test func withoutARunNothingIsBegun() throws {
    let result = try ControlRuntime().run(["cutover", "--skip-verify"])
    #expect(
      result.exitCode == 4 && result.standardError.contains("no job"), "\(result)")
  }

  /// A stop while it waits: nothing was done, and the same command goes on.
  @Test func aStopEndsItBeforeTheHandOver() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let file = runtime.folder + "/wait"
    fclose(fopen(file, "w"))
    let asked = try Tool.start(
      [
        "cutover", "--skip-verify", "--max-lag", "1m", "--postpone-file", file, "--observe-time",
        "0ms",
      ],
      environment: runtime.environment)
    try awaitCondition("it to be ready") { asked.standardOutput.contains("waiting until") }
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(try Tool.finish(asked).exitCode == 1)
    unlink(file)
    #expect(try destination.client()("HEXISTS", "migr8sync:job:drill", "handover").number == 0)
  }
}
