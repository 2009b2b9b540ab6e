// The same command again: whatever ended a run, the next one goes on where it ended, without loss,
// without doing anything twice, and without a snapshot that was not needed. The truth is a native
// replica of the source that was attached all the time; the application's counters and lists show
// every command that is missing or was done twice.

import Glibc
import Testing

@Suite("A run goes on where the last one ended", .ownThread)
struct ResumeTests {
  /// A source whose backlog reaches back over the whole test.
  private static let backlog = ["--repl-backlog-size", "256mb"]

  private func start(_ source: TestServer, _ destination: TestServer, _ more: String...) throws
    -> Subprocess
  {
    try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"] + more)
  }

  @Test(arguments: [
    (ServerKind.redis70, ServerKind.redis70), (.redis70, .redis82), (.valkey81, .redis82),
  ])
  func killedAgainAndAgain(source kind: ServerKind, destination other: ServerKind) throws {
    let source = try TestServer(kind, Self.backlog)
    let destination = try TestServer(other)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    var tool = try start(source, destination)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    for _ in 0..<20 {
      try application.awaitCommands(.random(in: 1...2000))
      tool.kill()
      try application.awaitCommands(.random(in: 1...500))
      tool = try start(source, destination)
      if Bool.random() { try source.awaitToolFollowing(tool, besides: [native.server.port]) }
    }
    // The native replica's and the first run's.
    try native.conclude(application, tool, destination, fulls: 2)
  }

  @Test func killedWhileTheSnapshotIsWritten() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let destination = try TestServer()
    try source.client()("DEBUG", "POPULATE", 200_000, "bump:many", 100)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let reader = try destination.client()
    for round in 1...5 {
      let tool = try start(source, destination)
      // Some of the snapshot is there, and not all of it.
      try awaitCondition("the snapshot to be under way", seconds: 60) {
        (try reader("DBSIZE").number ?? 0) > round * 10_000
      }
      tool.kill()
      try source.client()("DEL", "bump:many:\(round)")
    }
    let tool = try start(source, destination)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try native.conclude(application, tool, destination, fulls: nil)
  }

  /// Before 7.0 the stream says "in 1000 s", counted from a moment at which nobody listened.
  @Test(arguments: [true, false])
  func aTimeToLiveThatWasSetMeanwhileIsExact(isRenamed: Bool) throws {
    let renaming = isRenamed ? ["--rewrite", "bump:=moved:"] : []
    let source = try TestServer(.redis62, Self.backlog)
    let destination = try TestServer(.redis70)
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("MSET", "bump:a", 1, "bump:b", 2)
    var tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"] + renaming)
    try source.awaitToolFollowing(tool)
    tool.kill()
    try writer("EXPIRE", "bump:a", 1000)
    try writer("SET", "bump:c", 3, "EX", 1000)
    let began = Int(try writer("TIME").elements[0].text) ?? 0
    // The source's own clock: what is lost without care is the time that passes there.
    try awaitCondition("three seconds at the source") {
      (Int(try writer("TIME").elements[0].text) ?? 0) >= began + 3
    }
    tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"] + renaming)
    try source.awaitToolFollowing(tool)
    for key in ["a", "c"] {
      let there = (isRenamed ? "moved:" : "bump:") + key
      try awaitCondition("the time to live of \(there)") {
        let left = (
          try writer("PTTL", "bump:" + key).number ?? 0, try reader("PTTL", there).number ?? 0
        )
        return left.1 > 0 && abs(left.0 - left.1) < 1000
      }
    }
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    if isRenamed { return }
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  @Test func aFinishedJobLeavesNothingBehind() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try source.client()("SET", "bump:1", 1)
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("KEYS", "*").elements.map(\.text) == ["bump:1"])
  }

  @Test func otherRulesAreRefused() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let tool = try start(source, destination, "--job", "split")
    try source.awaitToolFollowing(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    let result = try Tool.run(
      [
        "sync", "-q", "-s", source.url, "-d", destination.url, "-p", "bump:", "-p", "more:",
        "--job", "split",
      ])
    expectLine(result, code: 4, saying: ["job split", "bump:", "more:", "--job"])
  }

  /// Another source under the same name would turn the destination into its image.
  @Test func anotherSourceIsRefused() throws {
    let source = try TestServer()
    let stranger = try TestServer()
    let destination = try TestServer()
    let tool = try start(source, destination, "--job", "split")
    try source.awaitToolFollowing(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    let result = try Tool.run(
      ["sync", "-q", "-s", stranger.url, "-d", destination.url, "-p", "bump:", "--job", "split"])
    expectLine(result, code: 4, saying: ["job split", "127.0.0.1:\(stranger.port)"])
  }

  @Test func clearDestBeginsAnew() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try source.client()("SET", "bump:1", 1)
    let tool = try start(source, destination, "--job", "split")
    try source.awaitToolFollowing(tool)
    tool.kill()
    try destination.client()("SET", "bump:stray", 1)
    let result = try Tool.run(
      [
        "sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "split",
        "--clear-dest", "--yes",
      ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("KEYS", "*").elements.map(\.text) == ["bump:1"])
  }

  /// Keys that were skipped when the job began are skipped by its later runs, too.
  @Test func skippedKeysStaySkipped() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let destination = try TestServer()
    let (writer, reader) = (try source.client(), try destination.client())
    try reader("SET", "bump:theirs", "old")
    try writer("MSET", "bump:theirs", "new", "bump:ours", "new")
    var tool = try start(source, destination, "--on-conflict", "skip")
    try source.awaitToolFollowing(tool)
    tool.kill()
    try writer("MSET", "bump:theirs", "newer", "bump:ours", "newer")
    tool = try start(source, destination, "--on-conflict", "skip")
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    #expect(
      try reader("MGET", "bump:theirs", "bump:ours").elements.map(\.text) == ["old", "newer"])
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(try source.resynchronisations()[0] == "1")
  }
}
