// Real sentinels: they never choose the tool, their failover succeeds with the tool attached, and the
// tool finds source and destination through them, before and after one.

import Glibc
import Testing

@Suite("Sentinel", .ownThread)
struct SentinelTests {
  @Test(arguments: ServerKind.allCases)
  func theToolIsNeverPromoted(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(.redis82))
    try source.client()("SET", "key", "value")
    let replica = try NativeReplica(of: source)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url])
    try source.awaitToolFollowing(tool, besides: [replica.server.port])
    let sentinels = try TestSentinels(kind, watching: ["main": source])

    // It is listed under the port that it does not have, and cannot be reached there.
    try awaitCondition("Sentinel's opinion of the two replicas", seconds: 90) {
      let listed = try sentinels.replicas(of: "main")
      return listed["127.0.0.1:0"]?["flags"]?.contains("s_down") == true
        && listed["127.0.0.1:\(replica.server.port)"]?["master-link-status"] == "ok"
    }
    source.crash()
    try sentinels.awaitFailover(of: "main", to: replica.server)
    #expect(!sentinels.logs.contains("+selected-slave slave 127.0.0.1:0"))
    #expect(try replica.server.client()("SET", "other", 1).text == "OK")
    tool.kill()
  }

  /// With the tool alone there is nobody to promote: Sentinel says so and goes on watching.
  @Test func theToolAloneIsNoCandidateEither() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url])
    try source.awaitToolFollowing(tool)
    let sentinels = try TestSentinels(watching: ["main": source])
    source.crash()
    try awaitCondition("Sentinel to give up", seconds: 90) {
      sentinels.logs.contains("-failover-abort-no-good-slave master main")
    }
    #expect(try sentinels.masterPorts("main").allSatisfy { $0 == source.port })
    tool.kill()
  }

  @Test func sourceAndDestinationAreFoundBeforeAndAfterAFailover() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "before")
    let newSource = try NativeReplica(of: source).server
    let newDestination = try NativeReplica(of: destination).server
    let sentinels = try TestSentinels(watching: ["old-shop": source, "new-shop": destination])
    let ends = ["-s", sentinels.url("old-shop"), "-d", sentinels.url("new-shop")]

    let first = try Tool.run(["sync", "--once"] + ends)
    #expect(first.exitCode == 0, "\(first)")
    #expect(try destination.client()("GET", "key").text == "before")

    source.crash()
    destination.crash()
    try sentinels.awaitFailover(of: "old-shop", to: newSource)
    try sentinels.awaitFailover(of: "new-shop", to: newDestination)
    try newSource.client()("SET", "key", "after")
    let second = try Tool.run(["sync", "--once", "--on-conflict", "replace"] + ends)
    #expect(second.exitCode == 0, "\(second)")
    #expect(try newDestination.client()("GET", "key").text == "after")
  }

  /// The destination is demoted in an orderly way: it answers on, read-only, and its successor is found.
  @Test func aDestinationThatIsDemotedIsLeftForItsSuccessor() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "before")
    let successor = try NativeReplica(of: destination).server
    let sentinels = try TestSentinels(watching: ["main": destination])
    let tool = try Tool.start(["sync", "-s", source.url, "-d", sentinels.url("main")])
    try source.awaitToolFollowing(tool)
    let writer = try source.client()
    try sentinels.failOver("main", to: successor)
    try writer("SET", "key", "after")
    try awaitCondition("the write to arrive", seconds: 60) {
      guard tool.isRunning else { throw TestFailure("the tool ended: \(try Tool.finish(tool))") }
      return try successor.client()("GET", "key").text == "after"
    }
    #expect(try source.resynchronisations()[0] == "1")
    tool.kill()
  }

  /// The one that takes over is found while the run goes on.
  @Test(arguments: ["source", "destination"])
  func aRunGoesOnOverAFailover(of end: String) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "before")
    let watched = end == "source" ? source : destination
    let successor = try NativeReplica(of: watched).server
    let sentinels = try TestSentinels(watching: ["main": watched])
    let tool = try Tool.start([
      "sync", "-s", end == "source" ? sentinels.url("main") : source.url, "-d",
      end == "source" ? destination.url : sentinels.url("main"),
    ])
    try source.awaitToolFollowing(tool, besides: end == "source" ? [successor.port] : [])
    watched.crash()
    try sentinels.awaitFailover(of: "main", to: successor)
    let (writer, reader) = end == "source" ? (successor, destination) : (source, successor)
    try writer.client()("SET", "key", "after")
    try awaitCondition("the write to arrive", seconds: 60) {
      guard tool.isRunning else { throw TestFailure("the tool ended: \(try Tool.finish(tool))") }
      return try reader.client()("GET", "key").text == "after"
    }
    tool.kill()
  }

  @Test func aMasterThatSentinelDoesNotKnow() throws {
    let source = try TestServer()
    let sentinels = try TestSentinels(watching: ["shop": source])
    let result = try Tool.run(["sync", "-q", "-s", sentinels.url("shpo"), "-d", source.url])
    #expect(result.exitCode == 1)
    #expect(result.errorLines.count == 1, "\(result)")
    #expect(result.standardError.contains("no master called shpo (it knows shop)"), "\(result)")
  }

  /// The replica is found through Sentinel's master; the sentinels have a password of their own.
  @Test func sentinelsWithAPasswordAndAReplicaBehindThem() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "value")
    let replica = try NativeReplica(of: source).server
    let sentinels = try TestSentinels(watching: ["main": source], password: "hush")
    let ends = ["-s", sentinels.url("main"), "-d", destination.url]
    let refused = try Tool.run(["sync", "-q", "--once"] + ends)
    #expect(refused.exitCode == 1 && refused.errorLines.count == 1, "\(refused)")
    #expect(refused.standardError.contains("?sentinel-password="), "\(refused)")
    try awaitCondition("the replica to be online") {
      try source.attachedTools().contains { $0.state == "online" && $0.offset > 0 }
    }
    let result = try Tool.run(
      ["sync", "--once", "--prefer-replica"] + ends,
      environment: ["MIGR8SYNC_SOURCE_SENTINEL_PASSWORD": "hush"])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("attaching to 127.0.0.1:\(replica.port)"), "\(result)")
    #expect(!"\(refused)\(result)".contains("hush"))
    #expect(try destination.client()("GET", "key").text == "value")
  }

  // MARK: - --prefer-replica

  @Test func aReplicaIsPreferred() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "value")
    let replica = try NativeReplica(of: source).server
    try awaitCondition("the replica to be online") {
      try source.attachedTools().contains { $0.state == "online" && $0.offset > 0 }
    }
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "--prefer-replica",
    ])
    try replica.awaitToolFollowing(tool)
    #expect(try source.attachedTools(besides: [replica.port]).isEmpty)
    try source.client()("SET", "later", "too")
    try awaitCondition("the write to come through the replica") {
      try destination.client()("MGET", "key", "later").elements.map(\.text) == ["value", "too"]
    }
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    #expect(
      result.standardError.contains(
        "attaching to 127.0.0.1:\(replica.port), a replica of 127.0.0.1:\(source.port)"),
      "\(result)")
  }

  @Test func withoutAReplicaTheSourceItselfIsTaken() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "value")
    let result = try Tool.run([
      "sync", "--once", "-s", source.url, "-d", destination.url, "--prefer-replica",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("no replica is attached"), "\(result)")
    #expect(try destination.client()("GET", "key").text == "value")
  }
}
