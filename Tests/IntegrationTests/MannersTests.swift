// Good manners towards a source: what FAILOVER and SHUTDOWN do with a replica that listens on no port,
// which docs/failover.md tells, and the warnings before attaching, from real servers.

import Glibc
import Testing

@Suite("FAILOVER with a replica that listens on no port", .ownThread)
struct FailoverTests {
  private func role(_ server: TestServer) throws -> [String?] {
    let fields = try server.client().info("replication")
    return [fields["role"], fields["master_port"], fields["master_failover_state"]]
  }

  private func awaitOnline(_ source: TestServer, _ replicas: Int) throws {
    try awaitCondition("\(replicas) replicas to be online") {
      try source.attachedTools().count { $0.state == "online" && $0.offset > 0 } == replicas
    }
  }

  /// Why the last byte must not be acknowledged: the source gives itself up for a server that is not
  /// there, for as long as nobody says ABORT.
  @Test(arguments: ServerKind.allCases)
  func oneThatAcknowledgesEverythingIsChosen(kind: ServerKind) throws {
    let source = try TestServer(kind)
    let tool = try FakeReplica(of: source)
    defer { tool.stop() }
    let client = try source.client()
    try client("SET", "key", 1)
    #expect(try client("WAIT", 1, 30_000).number == 1)
    try awaitCondition("the acknowledgement of everything") {
      let end = try client.info("replication")["master_repl_offset"]
      return try source.attachedTools().contains { "\($0.offset)" == end }
    }
    try client("FAILOVER", "TIMEOUT", 1000)
    try awaitCondition("the source to give itself up") {
      try role(source) == ["slave", "0", "failover-in-progress"]
    }
    guard case .error(let refusal) = try client.reply(to: "SET", "key", 2) else {
      Issue.record("the write was taken")
      return
    }
    #expect(refusal.hasPrefix("READONLY"))
    try client("FAILOVER", "ABORT")
    try client("SET", "key", 3)
    try awaitCondition("the link to be dropped") { tool.isDropped }
  }

  /// One byte less, and it is passed over: writes wait, and are done when the failover is given up.
  @Test(arguments: ServerKind.allCases)
  func oneThatWithholdsAByteIsNot(kind: ServerKind) throws {
    let source = try TestServer(kind)
    let tool = try FakeReplica(of: source, withholding: 1)
    defer { tool.stop() }
    let client = try source.client()
    try client("SET", "key", 1)
    // WAIT is not held up: the GETACK that it sends lies behind the write.
    #expect(try client("WAIT", 1, 30_000).number == 1)
    try client("FAILOVER")
    #expect(try role(source) == ["master", nil, "waiting-for-sync"])
    let port = source.port
    let writer = startThread {
      _ = try? TestClient(port: port)("SET", "key", 2)
    }
    try awaitCondition("the write to be held back") {
      try client.info("clients")["blocked_clients"] == "1"
    }
    #expect(try role(source) == ["master", nil, "waiting-for-sync"])
    try client("FAILOVER", "ABORT")
    pthread_join(writer, nil)
    #expect(try client("GET", "key").text == "2")
    #expect(!tool.isDropped)

    try client("FAILOVER", "TIMEOUT", 200)
    try awaitCondition("the failover to end by itself") {
      try role(source) == ["master", nil, "no-failover"]
    }
    try client("SET", "key", 3)
    #expect(!tool.isDropped)
  }

  @Test(arguments: ServerKind.allCases)
  func aRealReplicaIsChosenBesideIt(kind: ServerKind) throws {
    let source = try TestServer(kind)
    let tool = try FakeReplica(of: source, withholding: 1)
    defer { tool.stop() }
    let replica = try NativeReplica(of: source).server
    try source.client()("SET", "key", 1)
    try awaitOnline(source, 2)
    try source.client()("FAILOVER")
    try awaitCondition("the failover") {
      try role(source) == ["slave", "\(replica.port)", "no-failover"]
        && role(replica) == ["master", nil, "no-failover"]
    }
    #expect(try replica.client()("GET", "key").text == "1")
  }

  @Test(arguments: ServerKind.allCases)
  func aTargetThatIsNamedIsTaken(kind: ServerKind) throws {
    let source = try TestServer(kind)
    let tool = try FakeReplica(of: source)
    defer { tool.stop() }
    let replica = try NativeReplica(of: source).server
    try awaitOnline(source, 2)
    try source.client()("FAILOVER", "TO", "127.0.0.1", replica.port)
    try awaitCondition("the failover") { try role(replica) == ["master", nil, "no-failover"] }
  }

  /// From 7.0 a source that shuts down waits until its replicas have acknowledged everything, up to
  /// shutdown-timeout. It asks them with GETACK, which FAILOVER never does: the byte may go then.
  @Test(arguments: ServerKind.allCases.filter { $0 != .redis62 })
  func aShutdownAsksForTheLastByte(kind: ServerKind) throws {
    let source = try TestServer(kind, ["--shutdown-timeout", "3600"])
    let tool = try FakeReplica(of: source, withholding: 1)
    let client = try source.client()
    try client("SET", "key", 1)
    try awaitOnline(source, 1)
    #expect(!tool.isAsked)
    source.terminate()
    try awaitCondition("the question") { tool.isAsked }
    #expect(try client.info("server")["shutdown_in_milliseconds"] != nil)
    tool.withheld.store(0, ordering: .releasing)
    try awaitCondition("the source to end") { !source.isRunning }
  }
}

@Suite("The tool and a source whose role changes", .ownThread)
struct RoleChangeTests {
  /// A source that sends nothing by itself, and the tool in sync with it.
  private func follow(_ kind: ServerKind, _ options: [String] = []) throws -> (
    source: TestServer, destination: TestServer, tool: Subprocess
  ) {
    let source = try TestServer(kind, ["--repl-ping-replica-period", "3600"] + options)
    let destination = try TestServer(.redis82)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url])
    try source.awaitToolFollowing(tool)
    try source.client()("SET", "key", 1)
    try source.awaitToolInSync(tool)
    return (source, destination, tool)
  }

  @Test(arguments: ServerKind.allCases)
  func failoverPassesTheToolOver(kind: ServerKind) throws {
    let (source, destination, tool) = try follow(kind)
    let client = try source.client()
    try client("FAILOVER")
    let fields = try client.info("replication")
    #expect(fields["role"] == "master")
    #expect(fields["master_failover_state"] == "waiting-for-sync")
    try client("FAILOVER", "ABORT")
    tool.kill()
    withExtendedLifetime(destination) {}
  }

  /// From 7.0 a source waits for its replicas' acknowledgements before it ends.
  @Test(arguments: ServerKind.allCases)
  func theToolDoesNotHoldUpAShutdown(kind: ServerKind) throws {
    let (source, destination, tool) = try follow(
      kind, kind == .redis62 ? [] : ["--shutdown-timeout", "3600"])
    source.terminate()
    try awaitCondition("the source to end") { !source.isRunning }
    tool.kill()
    withExtendedLifetime(destination) {}
  }
}

@Suite("Warnings before attaching", .ownThread)
struct WarningTests {
  private func sync(_ source: TestServer, _ options: String...) throws -> ToolResult {
    let destination = try TestServer()
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url] + options)
    #expect(result.exitCode == 0, "\(result)")
    return result
  }

  @Test(arguments: ServerKind.allCases)
  func aPlainSourceIsNotWarnedOf(kind: ServerKind) throws {
    let source = try TestServer(kind)
    try source.client()("SET", "key", 1)
    let destination = try TestServer(.redis82)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(!result.standardError.contains("warning"), "\(result)")
  }

  @Test(arguments: ServerKind.allCases)
  func settingsAreRead(kind: ServerKind) throws {
    let source = try TestServer(
      kind, ["--min-replicas-to-write", "2", "--repl-backlog-ttl", "7"])
    let destination = try TestServer(.redis82)
    let result = try Tool.run(["sync", "--once", "-s", source.url, "-d", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    let warnings = result.errorLines.filter { $0.contains(" warning: ") }
    #expect(warnings.count == 2, "\(result)")
    #expect(result.standardError.contains("min-replicas-to-write, 0 attached now"), "\(result)")
    #expect(result.standardError.contains("7 s after its last replica"), "\(result)")
  }

  @Test func theWriteRateIsMeasured() throws {
    let source = try TestServer(
      .redis70, ["--client-output-buffer-limit", "replica 16kb 0 0", "--repl-backlog-size", "16kb"])
    let replica = try NativeReplica(of: source)
    let application = try Application(to: source, seed: 7, pauseMicroseconds: 0)
    try application.awaitCommands(1000)
    let destination = try TestServer()
    let result = try Tool.run(["sync", "-s", source.url, "-d", destination.url, "--dry-run"])
    #expect(result.standardError.contains("backlog of 16.0 KB holds"), "\(result)")
    try application.stop()
    withExtendedLifetime(replica) {}
  }

  @Test func aSourceThatHidesItsSettings() throws {
    let source = try TestServer(.redis70, ["--rename-command", "CONFIG", ""])
    let result = try sync(source, "--log-format", "json")
    let lines = result.errorLines.filter { $0.contains("\"event\":\"warning\"") }
    #expect(lines.count == 1, "\(result)")
    for setting in [
      "client-output-buffer-limit", "repl-backlog-ttl", "min-replicas-to-write",
      "repl-diskless-sync",
    ] {
      #expect(lines.first?.contains(setting) == true, "\(result)")
    }
  }

  @Test func aUserWhoMayAskNothing() throws {
    let source = try TestServer()
    try source.client()("ACL", "SETUSER", "mover", "on", ">secret", "+psync", "+replconf")
    let destination = try TestServer()
    let result = try Tool.run([
      "sync", "--once", "-s", "redis://mover:secret@127.0.0.1:\(source.port)", "-d",
      destination.url,
    ])
    #expect(result.exitCode == 0, "\(result)")
    let warnings = result.errorLines.filter { $0.contains(" warning: ") }
    #expect(warnings.count == 1, "\(result)")
    for item in ["memory", "write rate", "repl-backlog-size", "client-output-buffer-limit"] {
      #expect(warnings.first?.contains(item) == true, "\(result)")
    }
  }

  @Test func quietMeansQuiet() throws {
    let source = try TestServer(.redis70, ["--min-replicas-to-write", "2"])
    #expect(try sync(source, "-q").standardError == "")
  }
}
