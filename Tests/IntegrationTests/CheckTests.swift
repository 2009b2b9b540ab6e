// `migr8sync check` on set-ups that were broken on purpose: each is found, named, and says what to do; and on
// one that is well nothing fails.

import Glibc
import Testing

@Suite("Looking before a run", .ownThread)
struct CheckTests {
  private static func check(
    _ source: String, _ destination: String, _ options: [String] = []
  ) throws -> ToolResult {
    try Tool.run(["check", "-s", source, "-d", destination] + options)
  }

  /// Whether a row says this.
  private static func expectRow(
    _ result: ToolResult, _ level: String, _ subject: String, _ words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let lines = result.standardOutput.split(separator: "\n").map(String.init)
    let place = lines.firstIndex { line in
      line.hasPrefix("  \(level)  \(subject)") && (words.first.map { line.contains($0) } ?? true)
    }
    guard let place else {
      Issue.record("no \(level) of \(subject): \(result)", sourceLocation: sourceLocation)
      return
    }
    let row = lines[place...].prefix(2).joined(separator: " ")
    for word in words {
      #expect(row.contains(word), "\(result)", sourceLocation: sourceLocation)
    }
    #expect(
      result.exitCode == (result.standardOutput.contains("  fail  ") ? 4 : 0), "\(result)",
      sourceLocation: sourceLocation)
  }

  private static func filled(
    _ kind: ServerKind = .redis70, _ options: [String] = []
  ) throws -> TestServer {
    let server = try TestServer(kind, options)
    try VerifyTests.run(server, (0..<500).map { ["SET", "bump:\($0)", "value \($0)"] })
    return server
  }

  @Test(arguments: ServerKind.pairs)
  func nothingFailsWhereAllIsWell(kind: ServerKind, other: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(other))
    try SampleData.fill(source)
    let result = try Self.check(source.url, destination.url)
    #expect(result.exitCode == 0 && !result.standardOutput.contains("  fail  "), "\(result)")
    #expect(result.standardError.isEmpty, "\(result)")
    let json = try Self.check(source.url, destination.url, ["--json"])
    #expect(
      json.standardOutput.split(separator: "\n").allSatisfy { $0.hasPrefix("{\"level\":\"") })
    #expect(try destination.client()("DBSIZE").number == 0)
    try VerifyTests.expectNoKeys(source, destination)
  }

  @Test func serversThatCannotBeReachedAreNamed() throws {
    let server = try Self.filled()
    let nobody = "redis://127.0.0.1:1"
    Self.expectRow(
      try Self.check(nobody, server.url), "fail", "source reachable", "refused")
    Self.expectRow(
      try Self.check(server.url, nobody), "fail", "destination reachable", "refused")
    let locked = try TestServer(.redis70, ["--requirepass", "pw"])
    Self.expectRow(
      try Self.check(server.url, locked.url), "fail", "destination reachable", "password")
  }

  @Test func serversThatCannotPlayTheirPartAreNamed() throws {
    let (server, other) = (try Self.filled(), try TestServer())
    Self.expectRow(try Self.check(server.url, server.url), "fail", "two servers", "same server")
    let replica = try NativeReplica(of: server)
    let read = try Self.check(server.url, replica.server.url)
    Self.expectRow(read, "fail", "two servers", "replicate each other", "REPLICAOF NO ONE")
    Self.expectRow(read, "fail", "destination state", "read-only replica")
    let cluster = try TestServer(
      .redis70, ["--cluster-enabled", "yes", "--cluster-port", "\(try freePort())"])
    Self.expectRow(
      try Self.check(server.url, cluster.url), "fail", "destination state", "cluster node")
    Self.expectRow(try Self.check(cluster.url, other.url), "fail", "source state", "cluster node")
    let orphan = try TestServer()
    try orphan.client()("REPLICAOF", "127.0.0.1", 1)
    Self.expectRow(try Self.check(orphan.url, other.url), "fail", "source state", "link to")
  }

  /// As a sync is refused: by two names two routes lead to one server.
  @Test func routesThatMeetAreNamed() throws {
    let (source, destination) = (try Self.filled(), try TestServer())
    func routes(_ one: String, _ other: String) -> [String] {
      [
        "-s", source.url, "--route", "a:=\(destination.url)\(one)",
        "--route", "b:=redis://localhost:\(destination.port)\(other)",
      ]
    }
    let rows = try CheckRow.all(routes("", ""))
    let row = try #require(rows.first { $0.check == "two routes" }, "\(rows)")
    #expect(row.level == "fail" && row.found.contains("are the same server"))
    #expect(row.do?.contains("the same URL") == true)
    expectLine(
      try Tool.run(["sync", "--once"] + routes("", "")), code: 4, saying: ["the same URL"])
    let apart = try CheckRow.all(routes("/1", "/2") + ["--db", "0"])
    #expect(apart.count > 0 && !apart.contains { $0.check == "two routes" }, "\(apart)")
  }

  @Test func destinationsThatCannotTakeTheKeysAreNamed() throws {
    let source = try Self.filled()
    try VerifyTests.run(source, [["SELECT", 9], ["SET", "bump:x", 1]])
    let few = try TestServer(.redis70, ["--databases", "4"])
    Self.expectRow(try Self.check(source.url, few.url), "fail", "databases", "db 9", "has 4")
    try VerifyTests.run(source, [["SELECT", 9], ["DEL", "bump:x"]])
    let alone = try TestServer(.redis70, ["--min-replicas-to-write", "2"])
    Self.expectRow(
      try Self.check(source.url, alone.url), "fail", "destination writes", "2 replicas")
    for (most, level) in [(10, "fail"), (40, "warn")] {
      let busy = try TestServer(.redis70, ["--maxclients", "\(most)"])
      Self.expectRow(
        try Self.check(source.url, busy.url), level, "connections", "of \(most)", "takes 10")
    }
    let short = try TestServer(.redis70, ["--proto-max-bulk-len", "1mb"])
    Self.expectRow(try Self.check(source.url, short.url), "warn", "string length", "1.00 MB")
    let holding = try Self.filled()
    let held = try Self.check(source.url, holding.url, ["-p", "bump:1"])
    Self.expectRow(held, "fail", "existing keys", "111 match", "--on-conflict")
    Self.expectRow(
      try Self.check(source.url, holding.url, ["--on-conflict", "skip"]), "warn", "existing keys")
    try VerifyTests.run(holding, [["FLUSHALL"], ["HSET", "migr8sync:job:old", "phase", "stream"]])
    Self.expectRow(try Self.check(source.url, holding.url), "warn", "jobs", "old", "--forget")
  }

  /// What a job of the same rules has copied stands against none of its later runs.
  @Test func aJobsOwnKeysAreKnown() throws {
    let (source, destination) = (try Self.filled(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
    Self.expectRow(
      try Self.check(source.url, destination.url, ["-p", "bump:"]), "warn", "existing keys",
      "500 match", "goes on with job drill")
    Self.expectRow(
      try Self.check(source.url, destination.url, ["-p", "bump:1"]), "fail", "existing keys")
  }

  @Test func memoryThatWillNotDoIsNamed() throws {
    let source = try TestServer()
    let value = [UInt8](repeating: 65, count: 10_000)
    try VerifyTests.run(source, (0..<1_000).map { ["SET", "bump:\($0)", value] })
    let small = try TestServer(.redis70, ["--maxmemory", "8mb"])
    Self.expectRow(
      try Self.check(source.url, small.url), "fail", "memory", "for about 1,000 keys", "maxmemory")
    let evicting = try TestServer(
      .redis70, ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"])
    Self.expectRow(
      try Self.check(source.url, evicting.url), "warn", "eviction", "allkeys-lru", "noeviction")
    Self.expectRow(
      try Self.check(source.url, evicting.url, ["-p", "bmup:"]), "warn", "memory", "no key matches")
  }

  @Test func whatAttachingCostsIsNamed() throws {
    let destination = try TestServer()
    let tight = try Self.filled()
    try VerifyTests.run(
      tight,
      [
        ["CONFIG", "SET", "min-replicas-to-write", 1], ["CONFIG", "SET", "repl-backlog-ttl", 5],
      ])
    let result = try Self.check(tight.url, destination.url)
    Self.expectRow(result, "warn", "attaching (replicasToWrite)", "min-replicas-to-write")
    Self.expectRow(result, "warn", "attaching (backlogTTL)", "5 s")
  }

  @Test func rightsThatAreMissingAreNamed() throws {
    let (source, destination) = (try Self.filled(), try TestServer())
    try source.client()(
      "ACL", "SETUSER", "mover", "on", ">pw", "~*", "+@all", "-psync")
    try destination.client()(
      "ACL", "SETUSER", "mover", "on", ">pw", "~*", "+@all", "-restore", "-multi")
    let one = "redis://mover:pw@127.0.0.1:\(source.port)"
    let other = "redis://mover:pw@127.0.0.1:\(destination.port)"
    Self.expectRow(
      try Self.check(one, destination.url), "fail", "source rights", "psync", "+psync +replconf")
    Self.expectRow(
      try Self.check(source.url, other, ["-p", "bump:"]), "fail", "destination rights",
      "multi restore", "'~bump:*' '~migr8sync:*'")
    try source.client()("ACL", "SETUSER", "mover", "+@all", "-dump", "-scan")
    let poor = try Self.check(one, destination.url)
    Self.expectRow(poor, "warn", "source rights", "dump: a key that has to be read again", "+dump")
    Self.expectRow(poor, "warn", "memory and value types", "could not be looked at", "scan")
    try destination.client()("ACL", "SETUSER", "mover", "+@all", "-client")
    Self.expectRow(try Self.check(source.url, other), "warn", "destination rights", "client")
    try destination.client()("ACL", "SETUSER", "mover", "+@all", "-info")
    Self.expectRow(try Self.check(source.url, other), "warn", "destination info", "INFO")
    let renamed = try Self.filled(.redis70, ["--rename-command", "PSYNC", "HIDDEN"])
    Self.expectRow(
      try Self.check(renamed.url, destination.url), "fail", "source rights", "no command PSYNC",
      "--psync-command")
  }

  @Test func valuesThatTheDestinationCannotHoldAreNamed() throws {
    let (source, older) = (try TestServer(.redis82), try TestServer(.redis62))
    try source.client()("HSET", "bump:h", "f", "v")
    let forms = try Self.check(source.url, older.url)
    Self.expectRow(forms, "warn", "versions", "Redis 8.2", "older destination")
    Self.expectRow(forms, "warn", "value types", "hash", "plain commands")
    try source.client()("HPEXPIREAT", "bump:h", SampleData.farFuture, "FIELDS", 1, "f")
    Self.expectRow(try Self.check(source.url, older.url), "fail", "value types", "hash fields")
  }

  @Test func commandsAndTheSpoolAreLookedAt() throws {
    let (source, destination) = (try Self.filled(.redis62), try TestServer())
    try VerifyTests.run(
      source, [["SWAPDB", 3, 4], ["PUBLISH", "c", "m"], ["EVAL", "return 1", 0], ["FLUSHDB"]])
    let result = try Self.check(
      source.url, destination.url, ["--spool-dir", "/nonexistent/folder"])
    Self.expectRow(result, "warn", "command swapdb", "1 times")
    Self.expectRow(result, "warn", "command publish", "--publish")
    Self.expectRow(result, "warn", "command eval", "before 7.0")
    Self.expectRow(result, "warn", "command flushdb")
    try VerifyTests.run(source, [["SUNIONSTORE", "a", "b"], ["SMOVE", "a", "b", "c"]])
    Self.expectRow(
      try Self.check(source.url, destination.url, ["-p", "bump:"]), "warn",
      "commands of several keys", "smove 1, sunionstore 1")
    Self.expectRow(result, "fail", "spool", "No such file", "--spool-dir")
  }

  /// A sync looks first, without reading keys.
  @Test func aSyncIsRefusedForWhatFails() throws {
    let (source, few) = (try TestServer(), try TestServer(.redis70, ["--databases", "4"]))
    try VerifyTests.run(source, [["SELECT", 9], ["SET", "bump:x", 1]])
    let arguments = ["sync", "-s", source.url, "-d", few.url, "--once"]
    expectLine(try Tool.run(arguments), code: 4, saying: ["databases", "db 9", "--force"])
    #expect(try source.client().info("commandstats")["cmdstat_scan"] == nil)
    let forced = try Tool.run(arguments + ["--force"])
    #expect(forced.exitCode == 1, "\(forced)")
    #expect(forced.standardError.contains("ignored by --force: databases"), "\(forced)")
  }
}
