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
    let began = monotonicSeconds()
    let second = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(second)
    #expect(monotonicSeconds() - began < 9, "before the lease of the first could have run out")
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
}
