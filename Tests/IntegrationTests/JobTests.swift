// What lies at the destination besides a run's own data: other jobs, the traces of runs that ended, and
// a record that has gone back in time.

import Glibc
import Testing

@Suite("Jobs and their records", .ownThread)
struct JobTests {
  private func start(
    _ source: TestServer, _ destination: TestServer, _ job: String, _ more: String...
  ) throws -> Subprocess {
    try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "--job", job] + more)
  }

  private func finish(_ tool: Subprocess) throws {
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
  }

  /// Both began while the destination was empty; the source of one is emptied.
  @Test func twoJobsDoNotDisturbEachOther() throws {
    let sources = [try TestServer(), try TestServer()]
    let destination = try TestServer()
    let clients = try sources.map { try $0.client() }
    _ = try clients[0].pipeline((0..<100).map { ["SET", "a:\($0)", $0] })
    _ = try clients[1].pipeline((0..<100).map { ["SET", "b:\($0)", $0] })
    let one = try start(sources[0], destination, "one", "-p", "a:")
    let two = try start(sources[1], destination, "two", "-p", "b:")
    try sources[0].awaitToolFollowing(one)
    try sources[1].awaitToolFollowing(two)
    try clients[0]("FLUSHALL")
    try clients[0]("SET", "a:new", 1)
    try clients[1]("SET", "b:new", 1)
    try sources[0].awaitToolInSync(one)
    try sources[1].awaitToolInSync(two)
    let reader = try destination.client()
    #expect(try reader("KEYS", "a:*").elements.map(\.text) == ["a:new"])
    #expect(try reader("KEYS", "b:*").elements.count == 101)
    try finish(one)
    try finish(two)
  }

  /// A run sleeps; another one ends the job; from then on the destination's keys are somebody's own.
  @Test func aSleeperDoesNotBringAFinishedJobBack() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try source.client()("MSET", "bump:1", 1, "bump:2", 2)
    let sleeper = try start(source, destination, "one", "-p", "bump:")
    try source.awaitToolFollowing(sleeper)
    sleeper.send(signal: SIGSTOP)
    let last = try Tool.run(
      [
        "sync", "-s", source.url, "-d", destination.url, "--job", "one", "-p", "bump:", "--once",
        "--takeover",
      ])
    #expect(last.exitCode == 0, "\(last)")
    try destination.client()("MSET", "bump:1", "changed", "bump:mine", 1)
    sleeper.send(signal: SIGCONT)
    let result = try Tool.finish(sleeper)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("ended by another run"), "\(result)")
    #expect(
      try destination.client()("MGET", "bump:1", "bump:2", "bump:mine").elements.map(\.text)
        == ["changed", "2", "1"])
    #expect(try source.resynchronisations()[0] == "1")
  }

  /// The destination has lost its last writes, a whole snapshot among them: the offset in its record is
  /// one of another history.
  @Test func aCheckpointOfAnotherHistoryIsNotGoneOnFrom() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let tool = try start(source, destination, "one", "-p", "bump:")
    try source.awaitToolFollowing(tool)
    let (writer, client) = (try source.client(), try destination.client())
    try writer("SET", "bump:1", 1)
    try source.awaitToolInSync(tool)
    try client("DEL", "bump:1")
    try client("HSET", "migr8sync:job:one", "origin", "another:1")
    // Such a server has been a replica in between.
    try client("REPLICAOF", "127.0.0.1", "1")
    try client("REPLICAOF", "NO", "ONE")
    try client.endConnections(ofType: "normal")
    try awaitCondition("a new snapshot") { try source.resynchronisations()[0] == "2" }
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    #expect(try client("GET", "bump:1").text == "1")
    try finish(tool)
  }

  /// A failover lost the write of this run's lease: the one before it, of a process that is dead, is back.
  @Test func theLeaseOfADeadRunIsWaitedFor() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let tool = try start(source, destination, "one", "-p", "bump:")
    try source.awaitToolFollowing(tool)
    let client = try destination.client()
    _ = try client.pipeline([
      ["SET", "migr8sync:job:one:runner", "dead:1:1", "PX", 1500],
      ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ])
    try source.client()("SET", "bump:1", 1)
    try source.awaitToolInSync(tool)
    #expect(try client("GET", "bump:1").text == "1")
    try finish(tool)
  }
}
