// The rights that the documentation says a command needs are enough: users are made from the very lines that stand
// on the page, and go the ways that are gone seldom, too.

import Foundation
import Testing

@Suite("Rights that the pages name", .ownThread)
struct RightsTests {
  /// Makes a user at each end from the lines of a page.
  private static func makeUsers(
    _ page: String, _ source: TestServer, _ destination: TestServer
  ) throws {
    let text = try String(contentsOfFile: packageRoot + "/docs/" + page, encoding: .utf8)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("ACL SETUSER NAME ") }
    try #require(lines.count == 2, "\(page)")
    for (line, server) in zip(lines, [source, destination]) {
      let words = line.split(separator: " ").map { word in
        word == "NAME" ? "mover" : word == ">PASSWORD" ? ">pw" : String(word)
      }
      try VerifyTests.run(server, [words])
    }
  }

  private static func ends(_ source: Int, _ destination: Int) -> [String] {
    [
      "-s", "redis://mover:pw@127.0.0.1:\(source)", "-d",
      "redis://mover:pw@127.0.0.1:\(destination)",
    ]
      + ["-p", "bump:"]
  }

  /// Not one key may go; and a job that is another's is looked at, and does not count.
  @Test(arguments: [ServerKind.redis62, .redis70])
  func removing(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try Self.makeUsers("delete.md", source, destination)
    let keys = (0..<20).map { "bump:\($0)" }
    try VerifyTests.run(source, keys.map { ["SET", $0, "here", "EX", 1_000] })
    try VerifyTests.run(
      destination,
      keys.map { ["SET", $0, "there", "EX", 1_000] } + [
        [
          "HSET", "migr8sync:job:other", "phase", "stream", "replid", "of another", "offset", 1,
          "source", "10.0.0.1:6379", "rules", "prefix user:",
        ]
      ])
    let words = ["delete", "--yes"] + Self.ends(source.port, destination.port)
    let kept = try Tool.run(words)
    #expect(kept.exitCode == 3 && kept.standardError.contains("removed 0 keys"), "\(kept)")
    try VerifyTests.run(destination, keys.dropFirst().map { ["SET", $0, "here", "EX", 1_000] })
    let some = try Tool.run(words + ["--ttl-tolerance", "60s"])
    #expect(some.exitCode == 3 && some.standardError.contains("removed 19 keys"), "\(some)")
  }

  /// A key that is written to while it is watched; then a job to compare beside.
  @Test(arguments: [ServerKind.redis62, .redis70])
  func comparing(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try Self.makeUsers("verify.md", source, destination)
    try source.client()("SET", "bump:1", "a", "EX", 1_000)
    try destination.client()("SET", "bump:1", "b")
    let port = destination.port
    let proxy = try InterjectingProxy(
      to: destination,
      ["MULTI": { try TestClient(port: port)("SET", "bump:1", "a", "EX", 1_000) }])
    defer { proxy.stop() }
    let alone = try Tool.run(
      ["verify", "--settle", "50ms", "--ttl-tolerance", "60s"]
        + Self.ends(source.port, proxy.port))
    #expect(alone.exitCode == 0 && alone.standardOutput.isEmpty, "\(alone)")

    try destination.client()("DEL", "bump:1")
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    try application.awaitCommands(2_000)
    let beside = try Tool.run(["verify"] + Self.ends(source.port, destination.port))
    #expect(beside.exitCode == 0, "\(beside)")
    #expect(beside.standardError.contains("beside the running job"), "\(beside)")
    try application.stop()
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }
}
