// Everything that an operator can get wrong, and everything that can go wrong: one clear line, and the
// exit code that says which kind it is (1 failed, 2 usage, 4 refused before anything was moved).

import Glibc
import Testing

@Suite("Bad input ends with one clear line", .ownThread)
struct BadInputTests {
  /// Runs a quiet sync and checks that it says one line with all these words in it.
  private func expectFailure(
    _ source: String, _ destination: String, _ options: [String] = [], code: Int32,
    saying words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try Tool.run(
      ["sync", "--once", "-q", "-s", source, "-d", destination, "-p", "bump:"] + options)
    expectLine(result, code: code, saying: words, sourceLocation: sourceLocation)
  }

  @Test func aPortWhereNobodyListens() throws {
    let server = try TestServer()
    let nobody = "redis://127.0.0.1:1"
    try expectFailure(nobody, server.url, code: 1, saying: ["127.0.0.1:", "refused"])
    try expectFailure(server.url, nobody, code: 1, saying: ["127.0.0.1:", "refused"])
  }

  @Test func aNameThatDoesNotExist() throws {
    let server = try TestServer()
    let nowhere = "redis://no-such-host.invalid:7000"
    try expectFailure(nowhere, server.url, code: 1, saying: ["no-such-host.invalid"])
    try expectFailure(server.url, nowhere, code: 1, saying: ["no-such-host.invalid"])
  }

  /// What a firewall that drops packets looks like: a listener whose queue is full.
  @Test func aHostThatDoesNotAnswerTheConnection() throws {
    let server = try TestServer()
    let listener = try Listener(queueLength: 0)
    let fillers = (0..<4).map { _ in startConnecting(port: listener.port) }
    defer { for filler in fillers { close(filler) } }
    try expectFailure(
      "redis://127.0.0.1:\(listener.port)", server.url, ["--connect-timeout", "1s"], code: 1,
      saying: ["127.0.0.1:\(listener.port)", "no answer"])
  }

  @Test func aWebServer() throws {
    let server = try TestServer()
    let web = try Impostor(answering: "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    try expectFailure(web.url, server.url, code: 1, saying: ["\(web.port)", "not", "redis"])
    try expectFailure(server.url, web.url, code: 1, saying: ["\(web.port)", "not", "redis"])
  }

  @Test func aListenerThatNeverAnswers() throws {
    let server = try TestServer()
    let silence = try Impostor(answering: nil)
    try expectFailure(
      silence.url, server.url, ["--io-timeout", "1s"], code: 1,
      saying: ["\(silence.port)", "within 1000 ms"])
  }

  @Test func aServerInProtectedMode() throws {
    let server = try TestServer()
    let protected = try Impostor(
      answering: "-DENIED Redis is running in protected mode because protected mode is enabled and"
        + " no password is set for the default user.\r\n")
    try expectFailure(protected.url, server.url, code: 1, saying: ["protected mode"])
    try expectFailure(server.url, protected.url, code: 1, saying: ["protected mode"])
  }

  @Test(arguments: ["redis://:wrong-secret@", "redis://nobody:wrong-secret@", "redis://"])
  func aWrongOrMissingPassword(start: String) throws {
    let locked = try TestServer(.redis70, ["--requirepass", "the-secret"])
    let open = try TestServer()
    let url = "\(start)127.0.0.1:\(locked.port)"
    try expectFailure(url, open.url, code: 1, saying: ["\(locked.port)", "password"])
    try expectFailure(open.url, url, code: 1, saying: ["\(locked.port)", "password"])
  }

  @Test func aRightPasswordFromUrlOrEnvironment() throws {
    let source = try TestServer(.redis70, ["--requirepass", "the-secret"])
    let destination = try TestServer()
    let client = try source.client()
    try client("AUTH", "the-secret")
    try client("SET", "bump:1", "x")
    let address = "127.0.0.1:\(source.port)"
    for (url, environment) in [
      ("redis://:the-secret@\(address)", [:]),
      ("redis://default:the-secret@\(address)", [:]),
      ("redis://\(address)", ["MIGR8SYNC_SOURCE_PASSWORD": "the-secret"]),
    ] {
      let result = try Tool.run(
        ["sync", "--once", "-s", url, "-d", destination.url, "--on-conflict", "replace"],
        environment: environment)
      #expect(result.exitCode == 0, "\(result)")
      #expect(!"\(result)".contains("the-secret"))
    }
  }

  @Test func aSourceUserWithoutThePermission() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("ACL", "SETUSER", "me", "on", ">pw", "~*", "+@all", "-psync")
    try expectFailure(
      "redis://me:pw@127.0.0.1:\(source.port)", destination.url, code: 4,
      saying: ["source rights", "psync"])
  }

  @Test func aDestinationUserWithoutThePermission() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try destination.client()("ACL", "SETUSER", "me", "on", ">pw", "~*", "+@all", "-restore")
    try expectFailure(
      source.url, "redis://me:pw@127.0.0.1:\(destination.port)", code: 4, saying: ["restore"])
  }

  /// What docs/sync.md says that the users need is enough.
  @Test func theLeastPermissionsSuffice() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try SampleData.fill(source)
    try source.client()("ACL", "SETUSER", "me", "on", ">pw", "+psync", "+replconf")
    try destination.client()(
      "ACL", "SETUSER", "me", "on", ">pw", "~bump:*", "~migr8sync:job:*", "+@write", "+@read",
      "+@transaction", "+select", "+scan", "+info")
    let application = try Application(to: source, seed: 1)
    try application.awaitCommands(1000)
    let tool = try Tool.start([
      "sync", "-s", "redis://me:pw@127.0.0.1:\(source.port)",
      "-d", "redis://me:pw@127.0.0.1:\(destination.port)", "-p", "bump:",
    ])
    try source.awaitToolFollowing(tool)
    try application.awaitCommands(5000)
    try application.stop()
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    #expect(result.standardError.contains("+client|list +client|kill"), "\(result)")
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// A server says again what it was told with a command that it does not know.
  @Test func aPasswordForAServerWithoutAUTH() throws {
    let (strange, plain) = (
      try TestServer(.redis70, ["--rename-command", "AUTH", ""]), try TestServer()
    )
    let url = "redis://me:hushhush@127.0.0.1:\(strange.port)"
    for (source, destination) in [(url, plain.url), (plain.url, url)] {
      for command in ["sync", "check", "verify"] {
        let result = try Tool.run([command, "-s", source, "-d", destination, "-p", "bump:"])
        #expect(result.exitCode != 0 && "\(result)".contains("unknown command"), "\(result)")
        #expect(!"\(result)".contains("hush"), "\(result)")
      }
    }
  }

  @Test func aSourceThatStillLoads() throws {
    let filled = try TestServer()
    _ = try filled.client().pipeline((0..<5000).map { ["SET", "bump:\($0)", $0] })
    try filled.client()("SAVE")
    let loading = try TestServer(
      .redis70,
      [
        "--dir", filled.folder, "--key-load-delay", "5000",
        "--loading-process-events-interval-bytes", "1024",
      ], untilReady: false)
    let destination = try TestServer()
    try expectFailure(loading.url, destination.url, code: 4, saying: ["loading"])
  }

  @Test func aSourceThatIsACutOffReplica() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("REPLICAOF", "127.0.0.1", 1)
    try expectFailure(source.url, destination.url, code: 4, saying: ["replica", "link", "down"])
  }

  @Test func aDestinationThatIsAReplica() throws {
    let (source, master, destination) = (try TestServer(), try TestServer(), try TestServer())
    try destination.client()("REPLICAOF", "127.0.0.1", master.port)
    try expectFailure(source.url, destination.url, code: 4, saying: ["read-only"])
  }

  @Test(arguments: [
    "127.0.0.1:6379", "http://127.0.0.1", "redis://127.0.0.1:99999", "redis://[::1", "",
    "redis://127.0.0.1:1/x", "redis://:secret/word@127.0.0.1",
  ])
  func aMalformedURL(url: String) throws {
    let server = try TestServer()
    try expectFailure(url, server.url, code: 2, saying: ["source"])
    try expectFailure(server.url, url, code: 2, saying: ["dest"])
    let result = try Tool.run(["sync", "-s", url, "-d", server.url])
    #expect(!"\(result)".contains("secret"))
  }

  @Test func sourceAndDestinationAreTheSameServer() throws {
    let server = try TestServer()
    try expectFailure(server.url, server.url, code: 4, saying: ["same server"])
    try expectFailure(
      server.url, "redis://localhost:\(server.port)", code: 4, saying: ["same server"])
  }

  @Test(arguments: [ServerKind.redis62, .redis70])
  func aSnapshotWithOneWrongBit(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let proxy = try FaultyProxy(to: source, .flip(behind: Array("other:large".utf8), bytes: 1000))
    defer { proxy.stop() }
    try expectFailure(proxy.url, destination.url, code: 1, saying: ["snapshot"])
    #expect(proxy.struck)
  }
}

/// Exactly one line of complaint, with all these words whatever their case, and that exit code.
func expectLine(
  _ result: ToolResult, code: Int32, saying words: [String],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(result.exitCode == code, "\(result)", sourceLocation: sourceLocation)
  let complaints = result.errorLines.filter { $0.hasPrefix("migr8sync") }
  #expect(complaints.count == 1, "\(result)", sourceLocation: sourceLocation)
  let line = complaints.last?.lowercased() ?? ""
  for word in words {
    #expect(line.contains(word.lowercased()), "\(result)", sourceLocation: sourceLocation)
  }
}
