// One process works on a job at a time, and one that was only asleep cannot write after another has
// taken over.

import Glibc
import Testing

@Suite("One runner per job", .ownThread)
struct RunnerTests {
  private func arguments(_ source: TestServer, _ destination: TestServer) -> [String] {
    ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"]
  }

  @Test func aSecondRunIsRefusedWhileTheFirstLives() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let first = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(first)
    let second = try Tool.run(arguments(source, destination) + ["-q"])
    expectLine(second, code: 4, saying: ["job one", "\(first.processIdentifier)", "--takeover"])
    #expect(first.isRunning)
    first.send(signal: SIGINT)
    #expect(try Tool.finish(first).exitCode == 5)
  }

  @Test func aDeadRunnerIsNotWaitedFor() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let first = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(first)
    first.kill()
    // Longer than the second is waited for: it cannot follow because the lease has run out.
    let lease = "migr8sync:job:one:runner"
    #expect(try destination.client()("PEXPIRE", lease, 600_000).number == 1)
    let second = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(second)
    second.send(signal: SIGINT)
    #expect(try Tool.finish(second).exitCode == 5)
  }

  @Test func takingOverEndsTheFirst() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let first = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(first)
    let second = try Tool.start(arguments(source, destination) + ["--takeover"])
    let result = try Tool.finish(first)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("taken over"))
    try source.awaitToolFollowing(second)
    second.send(signal: SIGINT)
    #expect(try Tool.finish(second).exitCode == 5)
  }

  /// The first is paused in the middle of its work; while it sleeps the second takes over and writes.
  @Test func aSleeperWritesNothingWhenItWakes() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let first = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(first, besides: [native.server.port])
    try application.awaitCommands(2000)
    first.send(signal: SIGSTOP)
    let second = try Tool.start(arguments(source, destination) + ["--takeover"])
    try application.awaitCommands(4000)
    first.send(signal: SIGCONT)
    #expect(try Tool.finish(first).exitCode == 1)
    try application.awaitCommands(2000)
    try native.conclude(application, second, destination, fulls: nil)
  }

  // MARK: - Before the run

  /// A run of the job that asks whether the two keys of the destination may be removed.
  private func askToClear(
    _ source: TestServer, _ destination: TestServer, at terminal: Terminal
  ) throws -> Subprocess {
    try destination.client()("MSET", "bump:old", 1, "bump:older", 1)
    let tool = try Tool.start(arguments(source, destination) + ["--clear-dest"], at: terminal)
    try awaitCondition("the question", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return tool.standardError.contains("Type the number of keys")
    }
    return tool
  }

  /// Who waits for an answer is at work: nobody else begins the job meanwhile.
  @Test func theJobIsKeptWhileTheOperatorIsAsked() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:new", 1)
    let terminal = try Terminal()
    let first = try askToClear(source, destination, at: terminal)
    let again = arguments(source, destination) + ["--clear-dest", "--yes", "-q"]
    expectLine(try Tool.run(again), code: 4, saying: ["job one", "\(first.processIdentifier)"])
    try terminal.type("2")
    try source.awaitToolFollowing(first)
    #expect(try destination.client()("KEYS", "bump:*").elements.map(\.text) == ["bump:new"])
    first.send(signal: SIGINT)
    #expect(try Tool.finish(first).exitCode == 5)
  }

  /// What another has copied meanwhile is not removed, whether he is still there or not.
  @Test(arguments: [true, false])
  func whoLosesTheJobWhileHeIsAskedRemovesNothing(isOver: Bool) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("MSET", "bump:1", 1, "bump:2", 1)
    let terminal = try Terminal()
    let first = try askToClear(source, destination, at: terminal)
    let taking = arguments(source, destination) + ["--clear-dest", "--yes", "--takeover"]
    let second = try Tool.start(taking + (isOver ? ["--once"] : []))
    if isOver {
      #expect(try Tool.finish(second).exitCode == 0)
    } else {
      try source.awaitToolFollowing(second)
    }
    try terminal.type("2")
    let result = try Tool.finish(first)
    #expect(result.exitCode == 1 && result.standardError.contains("job one "), "\(result)")
    #expect(result.standardError.contains("nothing at"), "\(result)")
    #expect(try destination.client()("EXISTS", "bump:1", "bump:2").number == 2)
    if isOver { return }
    second.send(signal: SIGINT)
    #expect(try Tool.finish(second).exitCode == 5)
  }
}
