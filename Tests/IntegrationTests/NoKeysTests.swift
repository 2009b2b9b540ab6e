// KEYS holds a server up for as long as it has keys: no part of the program sends it, nor a script in its
// name. What the servers were sent is told by their own MONITOR.

import Glibc
import Testing

@Suite("No KEYS", .ownThread)
struct NoKeysTests {
  /// What a server is sent from now on.
  private final class MonitorLog {
    private let server: TestServer
    private let process: Subprocess

    init(_ server: TestServer) throws {
      self.server = server
      process = try Subprocess("redis-cli", ["-p", "\(server.port)", "monitor"])
      try awaitCondition("MONITOR to begin") { process.standardOutput.hasPrefix("OK") }
    }

    /// The names of all commands so far, in small letters: from clients, the link and scripts alike.
    func names() throws -> [String: Int] {
      let mark = "migr8sync-test-mark-\(UInt32.random(in: 0...UInt32.max))"
      try server.client()("ECHO", mark)
      try awaitCondition("MONITOR to come to the mark") { process.standardOutput.contains(mark) }
      var names: [String: Int] = [:]
      for line in process.standardOutput.split(separator: "\n") {
        guard let match = line.firstMatch(of: /\] "([^"]*)"/) else { continue }
        names[match.1.lowercased(), default: 0] += 1
      }
      return names
    }
  }

  @Test(arguments: [ServerKind.redis62, .valkey81, .redis82])
  func noneIsEverSent(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let logs = (try MonitorLog(source), try MonitorLog(destination))
    let ends = ["-s", source.url, "-d", destination.url]
    let runtime = try ControlRuntime()
    func run(_ words: [String], _ code: Int32 = 0) throws {
      let result = try runtime.run(words)
      #expect(result.exitCode == code, "\(words): \(result)")
    }

    try run(["check"] + ends + ["-p", "bump:"])
    try run(["sync"] + ends + ["-p", "bump:", "--dry-run"])
    try run(["sync"] + ends + ["-p", "bump:", "--once"])
    try run(["sync"] + ends + ["-p", "bump:", "--once"], 4)
    try run(["sync"] + ends + ["-p", "bump:", "--once", "--on-conflict", "skip"])
    try run(["sync"] + ends + ["-p", "bump:", "--once", "--on-conflict", "replace"])
    try run(["check"] + ends + ["-p", "bump:", "--via", "scan", "--on-conflict", "replace"])
    try run(["sync"] + ends + ["-p", "bump:", "--via", "scan", "--on-conflict", "replace"])
    try run(
      ["sync"] + ends + [
        "-p", "bump:", "--rewrite", "bump:=new:", "--db", "0", "--db-map", "0=5", "--once",
      ])
    let tool = try runtime.follow(source, destination, ["--clear-dest", "--yes"])
    let writer = try source.client()
    try writer("SET", "bump:expiring", 1, "PX", 30)
    // Removes what matches at the destination, and nothing else.
    try writer("FLUSHDB")
    try writer("SET", "bump:left", 1)
    try writer("EVAL", "redis.call('SET', KEYS[1], 'x')", 1, "bump:script")
    try source.awaitToolInSync(tool)
    try destination.client()("SET", "bump:left", "other")
    try run(["verify"] + ends + ["-p", "bump:"], 3)
    try run(["verify"] + ends + ["-p", "bump:", "--fix", "--yes"])
    for options in [["--quick"], ["--sample", "5"]] {
      try run(["verify"] + ends + ["-p", "bump:"] + options)
    }
    try run(["verify", "drill"])
    try run(["status"])
    try run(["tell", "--pause"])
    try run(["tell", "--resume"])
    try run(["jobs", "-d", destination.url])
    let handedOver = try runtime.cutover()
    #expect(handedOver.exitCode == 0, "\(handedOver)")
    #expect(try Tool.finish(tool).exitCode == 0)
    try run(["delete"] + ends + ["-p", "bump:", "--yes"])
    try run(["jobs", "-d", destination.url])

    let names = (try logs.0.names(), try logs.1.names())
    #expect(names.0["keys"] == nil && names.1["keys"] == nil)
    // It was all seen: what each of the commands above is made of, and scripts.
    for name in ["scan", "dump", "unlink", "set", "watch"] {
      #expect(names.0[name] ?? 0 > 0, "\(name)")
    }
    for name in ["scan", "dump", "restore", "hset", "unlink"] {
      #expect(names.1[name] ?? 0 > 0, "\(name)")
    }
  }

  /// The same of a way back, a server that is analyzed, a file, and a removal without a destination.
  @Test(arguments: [ServerKind.redis62, .valkey81, .redis82])
  func noneIsSentAroundIt(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let logs = (try MonitorLog(source), try MonitorLog(destination))
    let runtime = try ControlRuntime()
    func run(_ words: [String]) throws {
      let result = try runtime.run(words)
      #expect(result.exitCode == 0, "\(words): \(result)")
    }

    let tool = try runtime.follow(source, destination)
    let turned = try runtime.cutover(["--reverse"])
    #expect(turned.exitCode == 0, "\(turned)")
    try awaitCondition("the reverse to follow", seconds: Tool.deadlineSeconds) {
      let status = try runtime.status()
      return status.contains("\"direction\":\"reverse\"")
        && status.contains("\"phase\":\"following\"")
    }
    try run(["cutover", "--complete"])
    #expect(try Tool.finish(tool).exitCode == 0)
    for way in ["psync", "scan"] { try run(["analyze", source.url, "--json", "--via", way]) }
    let file = try source.save()
    try run(
      ["extract", file, "-p", "other:", "--dest", destination.url, "--on-conflict", "replace"])
    try run(["delete", "-s", source.url, "-p", "other:", "--no-verify", "--yes"])

    let names = (try logs.0.names(), try logs.1.names())
    #expect(names.0["keys"] == nil && names.1["keys"] == nil)
    for name in ["scan", "unlink"] { #expect(names.0[name] ?? 0 > 0, "\(name)") }
    for name in ["restore", "hset"] { #expect(names.1[name] ?? 0 > 0, "\(name)") }
  }
}
