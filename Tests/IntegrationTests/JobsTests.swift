// `migr8sync jobs`: what it finds at a destination, who works there, and what it takes away.

import Glibc
import Testing

@Suite("The jobs of a destination", .ownThread)
struct JobsTests {
  private func sync(
    _ source: TestServer, _ destination: TestServer, job: String, prefix: String
  ) throws -> Subprocess {
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "-p", prefix, "--job", job,
    ])
    try source.awaitToolFollowing(tool)
    return tool
  }

  private func stop(_ tool: Subprocess) throws {
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  private func jobs(_ server: TestServer, _ options: String...) throws -> ToolResult {
    try Tool.run(["jobs", "-d", server.url] + options)
  }

  @Test func thereMayBeNone() throws {
    let server = try TestServer()
    let result = try jobs(server)
    #expect(result.exitCode == 0 && result.standardError.isEmpty, "\(result)")
    #expect(result.standardOutput == "No jobs at 127.0.0.1:\(server.port).\n")
    #expect(try jobs(server, "--log-format=json").standardOutput.isEmpty)
  }

  @Test func aJobIsListedWhileItRunsAndAfterwards() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let tool = try sync(source, destination, job: "one", prefix: "bump:")
    let running = try jobs(destination, "--log-format", "json")
    #expect(running.exitCode == 0, "\(running)")
    for part in [
      "{\"job\":\"one\",\"db\":0,\"phase\":\"stream\",\"source\":\"127.0.0.1:\(source.port)\"",
      "\"rules\":\"prefix bump:\"", ":\(tool.processIdentifier):", "\"process_state\":\"working\"",
      "\"offset\":", "\"written\":\"20",
    ] {
      #expect(running.standardOutput.contains(part), "\(running)")
    }
    #expect(running.standardOutput.split(separator: "\n").count == 1)
    try stop(tool)
    let stopped = try jobs(destination)
    let line = stopped.standardOutput.split(separator: "\n").last.map(String.init) ?? ""
    #expect(line.split(separator: " ").prefix(3) == ["one", "0", "stream"], "\(stopped)")
    #expect(line.contains("  none  ") && line.hasSuffix("prefix bump:"), "\(stopped)")
  }

  /// A stranger's key in the place of a record makes no job of what no job may be called: its name would
  /// stand in commands that are copied.
  @Test func whatCannotBeAJobsNameIsNone() throws {
    let server = try TestServer()
    try server.client()("HSET", "migr8sync:job:$(reboot)", "phase", "stream", "offset", 1)
    #expect(try jobs(server).standardOutput == "No jobs at 127.0.0.1:\(server.port).\n")
  }

  /// Records lie in the db that the keys go to; other keys, and a key of another type under such a
  /// name, are no jobs.
  @Test func everyDatabaseIsLookedAt() throws {
    let server = try TestServer()
    let client = try server.client()
    for database in [0, 7, 15] {
      try client("SELECT", database)
      for number in 0..<2_000 { try client("SET", "key:\(number)", 1) }
      try client(
        "HSET", "migr8sync:job:j\(database)", "phase", "snapshot", "rules", "a\u{1B}[31m", "offset",
        "x")
    }
    try client("SADD", "migr8sync:job:j15:skipped", "0:a", "0:b")
    try client("SET", "migr8sync:job:late:runner", "host:1:2")
    let result = try jobs(server, "--log-format=json")
    let lines = result.standardOutput.split(separator: "\n")
    #expect(lines.count == 4, "\(result)")
    #expect(lines[0].hasPrefix("{\"job\":\"j0\",\"db\":0,\"phase\":\"snapshot\""))
    #expect(lines[1].hasPrefix("{\"job\":\"j7\",\"db\":7,"))
    #expect(lines[2].contains("\"skipped_keys\":2") && lines[3].hasPrefix("{\"job\":\"late\""))
    #expect(try !jobs(server).standardOutput.contains("\u{1B}"))
    let one = try Tool.run(["jobs", "-d", "\(server.url)/7"])
    #expect(one.standardOutput.split(separator: "\n").count == 2, "\(one)")
  }

  @Test func aLivingJobIsNotForgotten() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let tool = try sync(source, destination, job: "one", prefix: "bump:")
    let refused = try jobs(destination, "--forget", "one", "--yes")
    expectLine(refused, code: 4, saying: ["job one", "\(tool.processIdentifier)"])
    tool.send(signal: SIGSTOP)
    try destination.client()("DEL", "migr8sync:job:one:runner")
    expectLine(try jobs(destination, "--forget", "one", "--yes"), code: 4, saying: ["paused"])
    tool.send(signal: SIGCONT)
    tool.kill()
    _ = try Tool.finish(tool)
    let forgotten = try jobs(destination, "--forget", "one", "--yes")
    #expect(forgotten.exitCode == 0, "\(forgotten)")
    #expect(try destination.client()("KEYS", "migr8sync:*").elements.isEmpty)
  }

  @Test func onlyTheStateOfThatJobIsRemoved() throws {
    let server = try TestServer()
    let client = try server.client()
    for job in ["one", "one.more"] {
      try client("HSET", "migr8sync:job:\(job)", "phase", "stream")
      try client("SADD", "migr8sync:job:\(job):skipped", "0:a")
    }
    try client("SET", "bump:1", 1)
    // There is no terminal to confirm it on.
    expectLine(try jobs(server, "--forget", "one"), code: 4, saying: ["--yes"])
    #expect(try client("DBSIZE").number == 5)
    #expect(try jobs(server, "--forget", "one", "--yes").exitCode == 0)
    #expect(try client("EXISTS", "migr8sync:job:one", "migr8sync:job:one:skipped").number == 0)
    #expect(try client("DBSIZE").number == 3)
    expectLine(
      try jobs(server, "--forget", "one", "--yes"), code: 4, saying: ["nothing of a job one"])
    try client("SELECT", 3)
    try client("HSET", "migr8sync:job:one.more", "phase", "stream")
    let twice = try jobs(server, "--forget", "one.more", "--yes")
    expectLine(twice, code: 4, saying: ["in db 0 and 3", "--dest"])
    #expect(
      try Tool.run(["jobs", "-d", "\(server.url)/3", "--forget=one.more", "--yes"]).exitCode == 0)
    #expect(try client("DBSIZE").number == 0)
  }

  /// Its reverse works at the other server, which is not asked; without the record the same command would
  /// copy that one over the application's data.
  @Test func aJobThatWasTurnedRoundIsNotForgottenUnasked() throws {
    let server = try TestServer()
    let client = try server.client()
    try client("HSET", "migr8sync:job:one", "phase", "reversed", "source", "old:6379")
    expectLine(
      try jobs(server, "--forget", "one", "--yes"), code: 4,
      saying: ["handed the application over", "old:6379", "--complete", "--force"])
    #expect(try client("HGET", "migr8sync:job:one", "phase").text == "reversed")
    let forgotten = try jobs(server, "--forget", "one", "--yes", "--force")
    #expect(forgotten.exitCode == 0, "\(forgotten)")
    #expect(try client("DBSIZE").number == 0)
  }

  @Test func aServerThatDoesNotAnswerIsAFailure() throws {
    let result = try Tool.run(["jobs", "-d", "redis://127.0.0.1:1"])
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.errorLines.count == 1 && result.standardOutput.isEmpty)
  }

  /// A user who may not look at other connections is told nothing untrue.
  @Test func withoutClientListALeaseCounts() throws {
    let server = try TestServer()
    let client = try server.client()
    try client("ACL", "SETUSER", "looker", "on", ">pw", "~migr8sync:*", "+@all", "-client", "-info")
    try client("HSET", "migr8sync:job:one", "phase", "stream")
    try client("SET", "migr8sync:job:one:runner", "host:1:2", "EX", 100)
    let url = "redis://looker:pw@127.0.0.1:\(server.port)"
    let list = try Tool.run(["jobs", "-d", url])
    #expect(list.standardOutput.contains("host:1:2 (may live)"), "\(list)")
    expectLine(
      try Tool.run(["jobs", "-d", url, "--forget", "one", "--yes"]), code: 4,
      saying: ["CLIENT LIST"])
  }

  /// The same file serves sync and jobs; what holds a password and is open to all is warned of.
  @Test func aFileOfOptionsServesBoth() throws {
    let (source, destination) = (
      try TestServer(), try TestServer(.redis70, ["--requirepass", "pw"])
    )
    try source.client()("SET", "bump:1", 1)
    var template = Array("/tmp/migr8sync-test-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    defer { unlink(path) }
    let text = """
      source \(source.url)
      dest redis://:pw@127.0.0.1:\(destination.port)
      regex ^bump:[0-9]$
      job one
      """
    #expect(write(descriptor, text, text.utf8.count) == text.utf8.count)
    #expect(fchmod(descriptor, 0o644) == 0)
    close(descriptor)
    let tool = try Tool.start(["sync", "--config", path])
    try source.awaitToolFollowing(tool)
    try stop(tool)
    #expect(tool.standardError.contains("which holds a password (chmod 600)"))
    #expect(!tool.standardError.contains(":pw"))
    let list = try Tool.run(["jobs", "--config", path])
    #expect(list.standardOutput.contains("regex ^bump:[0-9]$"), "\(list)")
  }
}
