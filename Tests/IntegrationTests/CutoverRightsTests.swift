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

  /// The rights cannot be given back when the cutover fails: it is said how, tried again, and until then no
  /// other cutover takes what is left of them for all of them.
  @Test func rightsThatCannotBeGivenBackAreOwed() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let admin = try source.client()
    let users = [
      ["app", "on", ">secret", "~bump:*", "~other:*", "&*", "+@all", "-@dangerous"],
      ["mover", "on", ">hidden", "~*", "&*", "+@all"],
    ]
    _ = try admin.pipeline(users.map { ["ACL", "SETUSER"] + $0 }).map { try $0.orThrow() }
    func rights() throws -> String {
      try admin("ACL", "LIST").elements.map(\.text).first { $0.hasPrefix("user app ") } ?? ""
    }
    let before = try rights()
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(
      source, destination, from: "redis://mover:hidden@127.0.0.1:\(source.port)")
    let failed = try runtime.cutover([
      "--fence", "acl:app", "--on-cutover",
      "redis-cli -p \(source.port) acl setuser mover -acl; exit 1",
    ])
    #expect(failed.exitCode == 1, "\(failed)")
    let remedy =
      "ACL SETUSER app resetkeys resetchannels clearselectors -@all on '~bump:*' '~other:*' '&*'"
      + " +@all -@dangerous"
    #expect(failed.description.contains(remedy), "\(failed)")
    #expect(!failed.description.contains("#") && !failed.description.contains("secret"))
    #expect(try rights() != before)
    let refused = try runtime.cutover(["--fence", "acl:app"])
    #expect(refused.exitCode != 0 && refused.description.contains(remedy), "\(refused)")
    #expect(try rights() != before)
    try runtime.expectFollowing(tool, source, destination)
    try admin("ACL", "SETUSER", "mover", "+acl")
    try awaitCondition("the rights to be given back") { try rights() == before }
    // From here on a cutover is as ever.
    let again = try runtime.cutover(["--fence", "acl:app", "--on-cutover", "exit 1"])
    #expect(again.exitCode == 1 && again.description.contains("switch:"), "\(again)")
    #expect(try rights() == before)
    tool.send(signal: SIGTERM)
    let end = try Tool.finish(tool)
    #expect(end.exitCode == 5 && !end.description.contains("the run ends, and"), "\(end)")
  }

  /// A run's user who may see users but not change them is told beforehand; and where the right goes later,
  /// nothing was taken, so nothing is owed: another fence works.
  @Test func rightsThatMayNotBeTaken() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let admin = try source.client()
    let users = [
      ["app", "on", ">secret", "~bump:*", "&*", "+@all"],
      ["mover", "on", ">hidden", "~*", "&*", "+@all", "-acl", "+acl|list"],
    ]
    _ = try admin.pipeline(users.map { ["ACL", "SETUSER"] + $0 }).map { try $0.orThrow() }
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(
      source, destination, from: "redis://mover:hidden@127.0.0.1:\(source.port)")
    let before = try admin("ACL", "LIST")
    let refused = try runtime.cutover(["--fence", "acl:app"])
    #expect(refused.exitCode == 4 && refused.description.contains("+acl|setuser"), "\(refused)")
    try admin("ACL", "SETUSER", "mover", "+acl")
    let late = try runtime.cutover([
      "--fence", "acl:app", "--on-ready",
      "redis-cli -p \(source.port) acl setuser mover '-acl|setuser'",
    ])
    #expect(late.exitCode == 1 && late.description.contains("fence:"), "\(late)")
    #expect(late.standardOutput.contains("it was not up"), "\(late)")
    #expect(try admin("ACL", "LIST").elements.first == before.elements.first)
    let done = try runtime.cutover(["--fence", "pause"])
    #expect(done.exitCode == 0, "\(done)")
    #expect(try Tool.finish(tool).exitCode == 0)
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
