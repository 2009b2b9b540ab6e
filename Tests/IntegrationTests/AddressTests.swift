// Where servers are and how the tool logs in: every form that a URL can take, and the db it names.

import Glibc
import Testing

@Suite("Servers are reached", .ownThread)
struct AddressTests {
  private func expectOneKeyMoves(_ source: String, _ destination: TestServer, _ url: String) throws
  {
    let result = try Tool.run(["sync", "--once", "-s", source, "-d", url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("GET", "key").text == "value")
  }

  @Test func overIPv6() throws {
    let source = try TestServer(.redis70, ["--bind", "127.0.0.1", "::1"])
    let destination = try TestServer(.redis70, ["--bind", "127.0.0.1", "::1"])
    try source.client()("SET", "key", "value")
    try expectOneKeyMoves(
      "redis://[::1]:\(source.port)", destination, "redis://[::1]:\(destination.port)")
  }

  /// A name with two addresses, of which only the second is listened on.
  @Test func byName() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "key", "value")
    try expectOneKeyMoves(
      "redis://localhost:\(source.port)", destination, "redis://localhost:\(destination.port)")
  }

  @Test func overUnixSockets() throws {
    let source = try TestServer(.redis70, ["--unixsocket", "socket"])
    let destination = try TestServer(.redis70, ["--unixsocket", "socket"])
    try source.client()("SET", "key", "value")
    try expectOneKeyMoves(
      "unix://\(source.folder)/socket", destination, "unix://\(destination.folder)/socket")
  }

  @Test func aDatabaseOfTheSourceGoesToTheOneThatTheDestinationNames() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("SET", "elsewhere", 1)
    try writer("SELECT", 2)
    try writer("SET", "key", "value")
    let tool = try Tool.start(["sync", "-s", source.url + "/2", "-d", destination.url + "/5"])
    try source.awaitToolFollowing(tool)
    try writer("INCR", "counter")
    try writer("SELECT", 0)
    try writer("INCR", "counter")
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try reader("SELECT", 5)
    #expect(try reader("MGET", "key", "counter").elements.map(\.text) == ["value", "1"])
    #expect(try reader.info("keyspace").keys.filter { $0.hasPrefix("db") } == ["db5"])
  }

  @Test func aPasswordFromAFile() throws {
    let source = try TestServer(.redis70, ["--requirepass", "the secret"])
    let destination = try TestServer()
    let client = try source.client()
    try client("AUTH", "the secret")
    try client("SET", "key", "value")
    let path = destination.folder + "/password"
    let file = fopen(path, "w")
    fputs("the secret\n", file)
    fclose(file)
    let result = try Tool.run([
      "sync", "--once", "-s", source.url, "-d", destination.url, "--source-password-file", path,
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(!"\(result)".contains("secret"))
  }
}
