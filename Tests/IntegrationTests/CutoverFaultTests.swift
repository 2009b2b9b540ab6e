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

  private func awaitRole(of server: TestServer, _ role: String, _ link: String) throws {
    try awaitCondition("the server to be a \(role)") {
      let fields = try server.client().info("replication")
      return fields["role"] == role && fields["master_link_status"] == link
    }
  }
}
