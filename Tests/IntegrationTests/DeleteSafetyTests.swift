// `migr8sync delete` and the jobs that would carry a removal over: those that run or may go on, in whatever
// db of the destination.

import Glibc
import Testing

@Suite("Removing nothing that a job would remove elsewhere", .ownThread)
struct DeleteSafetyTests {
  private static func delete(
    _ source: String, _ destination: String, _ options: String...
  ) throws -> ToolResult {
    try Tool.run(["delete", "-s", source, "-d", destination, "-p", "bump:"] + options)
  }

  /// The db in a URL says which keys are meant. A job of another db carries them all the same.
  @Test func aJobWhoseRecordLiesInAnotherDatabase() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try source.client()
    try client("SELECT", 5)
    try client("SET", "bump:1", 1)
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"])
    try source.awaitToolFollowing(tool)
    expectLine(
      try Self.delete("\(source.url)/5", "\(destination.url)/5", "--yes"), code: 4,
      saying: ["job one", "follows"])
    let verified = try Tool.run([
      "verify", "-s", "\(source.url)/5", "-d", "\(destination.url)/5", "-p", "bump:", "--fix",
      "--yes",
    ])
    #expect(
      verified.exitCode == 0 && verified.standardError.contains("beside the running job one"),
      "\(verified)")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(try client("EXISTS", "bump:1").number == 1)
  }

  /// The destination that is named knows of no job, and yet somebody follows.
  @Test func aJobThatLeadsElsewhere() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let elsewhere = try TestServer()
    try VerifyTests.run(source, [["SET", "bump:1", 1]])
    try VerifyTests.run(destination, [["SET", "bump:1", 1]])
    let tool = try Tool.start(["sync", "-s", source.url, "-d", elsewhere.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    expectLine(
      try Self.delete(source.url, destination.url, "--yes"), code: 4,
      saying: ["127.0.0.1 follows", "no job of the destination"])
    #expect(try source.client()("EXISTS", "bump:1").number == 1)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    // A replica that listens is none of those.
    let replica = try TestServer()
    try replica.client()("REPLICAOF", "127.0.0.1", source.port)
    try awaitCondition("a replica") {
      try replica.client().info("replication")["master_link_status"] == "up"
    }
    #expect(try Self.delete(source.url, destination.url, "--yes").exitCode == 0)
  }
}
