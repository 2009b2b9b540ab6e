// Rights at the source: those that a fence takes from a user and gives back, and those that a cutover needs.

import Glibc
import Testing

@Suite("Rights in a cutover", .ownThread)
struct CutoverRightsTests {
  /// A user's rights are closed for what moves, and given back exactly when the hand-over fails.
  @Test(arguments: [
    (ServerKind.redis62, "~bump:* ~other:* +@all", false),
    (.redis70, "~bump:* ~other:* &* +@all -@dangerous", true),
    (.redis70, "~* &* +@all (~bump:* +get +set)", false),
    (.redis82, "~bump:* ~other:* resetchannels +@all", true),
    (.valkey81, "%R~x:* ~bump:a* ~other:* +@all", true),
  ])
  func aUsersRights(kind: ServerKind, rights: String, isNarrow: Bool) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(.redis82))
    let admin = try source.client()
    _ = try admin.pipeline([
      ["ACL", "SETUSER", "app", "on", ">secret"] + rights.split(separator: " ").map { String($0) }
    ])[0].orThrow()
    let before = try admin("ACL", "LIST")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let said = runtime.folder + "/said"
    let cli = "redis-cli -p \(source.port) --user app --pass secret --no-auth-warning"
    let commands =
      "\(cli) set bump:a 1 > \(said) 2>&1; \(cli) set other:a 1 >> \(said) 2>&1;"
      + " \(cli) get bump:a >> \(said) 2>&1"
    let failed = try runtime.cutover(["--fence", "acl:app", "--on-cutover", commands + "; exit 1"])
    #expect(failed.exitCode == 1, "\(failed)")
    let lines = try readLines(said)
    #expect(lines.first?.contains("NOPERM") == true, "\(lines)")
    #expect((lines.dropFirst().first == "OK") == isNarrow, "\(lines)")
    #expect(try admin("ACL", "LIST") == before)
    #expect(!failed.standardOutput.contains("secret") && !failed.description.contains("#"))
    try runtime.expectFollowing(tool, source, destination)

    let done = try runtime.cutover(["--fence", "acl:app"])
    #expect(done.exitCode == 0, "\(done)")
    #expect(try Tool.finish(tool).exitCode == 0)
    #expect(try admin("ACL", "LIST") != before)
    unlink(said)
  }

  /// Whoever may not end connections is told beforehand; and one that was not ended does not count.
  @Test func connectionsThatMayNotBeEnded() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let admin = try source.client()
    try admin("ACL", "SETUSER", "mover", "on", ">hidden", "~*", "&*", "+@all", "-client|kill")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(
      source, destination, from: "redis://mover:hidden@127.0.0.1:\(source.port)")
    let refused = try runtime.cutover()
    #expect(refused.exitCode == 4 && refused.description.contains("CLIENT KILL"), "\(refused)")
    try runtime.expectFollowing(tool, source, destination)
    try admin("ACL", "SETUSER", "mover", "+client|kill")
    let result = try runtime.cutover([
      "--on-cutover",
      "redis-cli -p \(source.port) acl setuser mover '-client|kill';"
        + "(setsid redis-cli -p \(source.port) incr bump:n > /dev/null 2>&1 &) ;"
        + " until redis-cli -p \(source.port) client list | grep -q ' flags=b '; do sleep 0.01; done",
    ])
    #expect(result.exitCode == 0 && result.description.contains("refuses CLIENT KILL"), "\(result)")
    #expect(!result.description.contains("connections that waited"), "\(result)")
    #expect(try Tool.finish(tool).exitCode == 0)
  }

  private func readLines(_ path: String) throws -> [String] {
    guard let file = fopen(path, "r") else { throw TestFailure("no \(path)") }
    defer { fclose(file) }
    var lines: [String] = []
    var buffer = [CChar](repeating: 0, count: 1024)
    while fgets(&buffer, 1024, file) != nil {
      let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      lines.append(String(decoding: bytes.filter { $0 != 10 }, as: UTF8.self))
    }
    return lines.filter { !$0.isEmpty }
  }
}
