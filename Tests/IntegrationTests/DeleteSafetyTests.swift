// `migr8sync delete` and the jobs that would carry a removal over: those that run or may go on, in whatever
// db of the destination, also where the source has forgotten the history that they know.

import Glibc
import Testing

@Suite("Removing nothing that a job would remove elsewhere", .ownThread)
struct DeleteSafetyTests {
  private static func delete(
    _ source: String, _ destination: String, _ options: String...
  ) throws -> ToolResult {
    try Tool.run(["delete", "-s", source, "-d", destination, "-p", "bump:"] + options)
  }

  /// A source that has restarted knows nothing of the history in the job's record; the job begun again would
  /// take a new snapshot, and remove what that does not hold.
  @Test func aStoppedJobOfBeforeARestart() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:1", 1)
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one"])
    try source.awaitToolFollowing(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try source.restart()
    try source.client()("SET", "bump:1", 1)
    let forget = "jobs -d 127.0.0.1:\(destination.port)/0 --forget one"
    expectLine(
      try Self.delete(source.url, destination.url, "--yes"), code: 4,
      saying: ["job one", "from 127.0.0.1:\(source.port)", forget])
    expectLine(
      try VerifyTests.verify(source, destination, "-p", "bump:", "--fix", "--yes"), code: 4,
      saying: ["job one", forget])
    let looked = try Self.delete(
      source.url, destination.url, "--dry-run", "--unrelated-job", "one")
    #expect(looked.exitCode == 0, "\(looked)")
    #expect(try source.client()("EXISTS", "bump:1").number == 1)
    let words = ["jobs", "-d", "\(destination.url)/0", "--forget", "one", "--yes"]
    #expect(try Tool.run(words).exitCode == 0)
    #expect(try Self.delete(source.url, destination.url, "--yes").exitCode == 0)
    #expect(try destination.client()("EXISTS", "bump:1").number == 1)
  }

  /// Which records of no known history are another source's.
  @Test func recordsThatTellLittle() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (mine, other) = ("127.0.0.1:\(source.port)", "10.0.0.1:6379")
    let unknown = String(repeating: "1", count: 40)
    let cases: [(replid: String, source: String, rules: String, code: Int32)] = [
      ("", mine, "prefix bump:, by scan", 4), (unknown, mine, "prefix user:", 4),
      ("", other, "prefix bump:", 4), (unknown, other, "prefix bump:9", 4),
      (unknown, other, "prefix bu, not prefix bump:", 4), (unknown, other, "every key", 4),
      (unknown, other, "match user:*", 4), (unknown, other, "prefix user:, regex x", 4),
      (unknown, other, "prefix user:, and 1000 more (0)", 4),
      (unknown, other, "prefix \"user: \"", 4), (unknown, "", "", 4),
      (unknown, other, "prefix user:", 0),
      ("", other, "prefix bum:, prefix user:, not match bump:*, db 3, by scan", 0),
    ]
    let client = try destination.client()
    try client("SELECT", 7)
    for one in cases {
      try client("FLUSHDB")
      try client(
        "HSET", "migr8sync:job:one", "phase", "snapshot", "replid", one.replid, "offset", 0, "db",
        0, "source", one.source, "rules", one.rules)
      let result = try Self.delete(source.url, destination.url, "--dry-run")
      #expect(result.exitCode == one.code, "\(one): \(result)")
      #expect(result.standardError.contains("job one") == (one.code == 4), "\(one): \(result)")
    }
    // What is left beside a record that is gone is no job.
    try client("FLUSHDB")
    try client("SADD", "migr8sync:job:one:skipped", "x")
    #expect(try Self.delete(source.url, destination.url, "--dry-run").exitCode == 0)
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

  /// A job that begins while keys are removed would carry the removal over, perhaps right behind its copy.
  @Test func aJobThatBeginsMeanwhile() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try source.client()
    try VerifyTests.run(source, (0..<8_000).map { ["SET", "bump:\($0)", "value"] })
    try VerifyTests.copy(source, destination)
    let tool = try Tool.start([
      "delete", "-s", source.url, "-d", destination.url, "-p", "bump:", "--yes", "--max-rate",
      "800",
    ])
    try awaitCondition("some keys to be removed", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return try client("DBSIZE").number ?? 0 < 7_900
    }
    let follower = try FakeReplica(of: source)
    defer { follower.stop() }
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("has begun to follow this source"), "\(result)")
    #expect(try client("DBSIZE").number ?? 0 > 1_000)
  }

  /// And one that begins while the operator is asked.
  @Test func aJobThatBeginsBeforeTheAnswer() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "bump:1", 1)
    try VerifyTests.copy(source, destination)
    let terminal = try Terminal()
    let tool = try Tool.start(
      ["delete", "-s", source.url, "-d", destination.url, "-p", "bump:"], at: terminal)
    try awaitCondition("the question", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return tool.standardError.contains("Type their number")
    }
    let follower = try FakeReplica(of: source)
    defer { follower.stop() }
    try terminal.type("1")
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 4, "\(result)")
    #expect(result.standardError.contains("nothing was removed: a job at"), "\(result)")
    #expect(try source.client()("EXISTS", "bump:1").number == 1)
  }
}
