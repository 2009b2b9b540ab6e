// What goes wrong inside the fence of a cutover without a word in the stream, and a stop there.

import Glibc
import Testing

@Suite("Faults inside the fence", .ownThread)
struct CutoverFaultTests {
  /// The source is replaced by its replica between fence and hand-over. The history goes on, so no snapshot
  /// tells, and everything up to the end is applied; but the new master's writers were held off by nobody.
  @Test(arguments: ["pause", "none"])
  func aFailoverIsNotHandedOver(fence: String) throws {
    let (source, heir, destination) = (try TestServer(), try TestServer(), try TestServer())
    try heir.client()("REPLICAOF", "127.0.0.1", source.port)
    try awaitRole(of: heir, "slave", "up")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let asked = try Tool.start(
      [
        "cutover", "--skip-verify", "--fence", fence, "--fence-time", "30s", "--max-lag", "1m",
        "--observe-time", "0ms", "--check-time", "0ms", "--on-ready",
        "kill -STOP \(try destination.client().info("server")["process_id"] ?? "");"
          + " redis-cli -p \(source.port) set bump:x 1",
        "--on-cutover", "touch \(runtime.folder)/ran",
      ], environment: runtime.environment)
    try awaitCondition("the fence") { asked.standardOutput.contains("the stream ends at") }
    try source.client()("FAILOVER", "TO", "127.0.0.1", heir.port)
    try awaitRole(of: source, "slave", "up")
    try heir.client()("SET", "bump:y", 1)
    destination.thaw()
    let result = try Tool.finish(asked)
    #expect(result.exitCode == 1 && result.standardError.contains("a failover"), "\(result)")
    #expect(access(runtime.folder + "/ran", F_OK) != 0)
    // It goes on behind the new master.
    let reader = try destination.client()
    try awaitCondition("the new master's write") { try reader("EXISTS", "bump:y").number == 1 }
    #expect(try reader("HEXISTS", "migr8sync:job:drill", "handover").number == 0)
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
    unlink(runtime.folder + "/ran")
  }

  /// The run is to stop while the operator's command hangs: the cutover is taken back with all it has left
  /// at the destinations, and the same command goes on.
  @Test func aStopWhileTheCommandHangs() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let asked = try Tool.start(
      [
        "cutover", "--skip-verify", "--max-lag", "1m", "--observe-time", "0ms", "--check-time",
        "0ms", "--fence-time", "20s", "--hook-timeout", "2s",
        "--on-cutover", "touch \(runtime.folder)/ran; sleep 1000",
      ], environment: runtime.environment)
    try awaitCondition("the command") { access(runtime.folder + "/ran", F_OK) == 0 }
    tool.send(signal: SIGINT)
    let end = try Tool.finish(tool)
    #expect(end.exitCode == 5 && !end.description.contains("may still say"), "\(end)")
    let result = try Tool.finish(asked)
    #expect(result.exitCode == 1 && result.standardOutput.contains("the mark is gone"), "\(result)")
    let next = try runtime.follow(source, destination)
    try runtime.expectFollowing(next, source, destination)
    unlink(runtime.folder + "/ran")
  }

  /// One of two destinations cannot be told that nobody was handed over: the other is, that one is tried
  /// again, and until then no other cutover begins.
  @Test func aMarkThatCannotBeTakenBackIsOwed() throws {
    let (source, one, other) = (try TestServer(), try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try Tool.start(
      [
        "sync", "-s", source.url, "--route", "a:=\(one.url)", "--route", "b:=\(other.url)",
        "--job", "drill", "--no-progress",
      ], environment: runtime.environment)
    try runtime.awaitFollowing(tool)
    func isMarked(_ server: TestServer) throws -> Bool {
      try server.client()("HEXISTS", "migr8sync:job:drill", "handover").number == 1
    }
    let failed = try runtime.cutover([
      "--on-cutover", "redis-cli -p \(one.port) client pause 60000 write; exit 1",
    ])
    #expect(failed.exitCode == 1 && failed.standardOutput.contains("unmark"), "\(failed)")
    #expect(try isMarked(one) && !isMarked(other))
    let refused = try runtime.cutover()
    #expect(
      refused.exitCode != 0 && refused.description.contains("\(one.port) may still say"),
      "\(refused)")
    try one.client()("CLIENT", "UNPAUSE")
    try awaitCondition("the mark to go") { try !isMarked(one) }
    try source.client()("MSET", "a:x", 1, "b:x", 1)
    for (server, key) in [(one, "a:x"), (other, "b:x")] {
      let reader = try server.client()
      try awaitCondition("the write") { try reader("EXISTS", key).number == 1 }
    }
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  private func awaitRole(of server: TestServer, _ role: String, _ link: String) throws {
    try awaitCondition("the server to be a \(role)") {
      let fields = try server.client().info("replication")
      return fields["role"] == role && fields["master_link_status"] == link
    }
  }
}
