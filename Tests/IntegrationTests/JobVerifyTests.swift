// `migr8sync verify` without servers: the running job compares its own two ends, remembers what came of it, and
// a cutover relies on that.

import Glibc
import Testing

@Suite("A job that compares its own ends", .ownThread)
struct JobVerifyTests {
  /// A cutover, asked for again while keys happen to be under repair.
  private static func cutover(_ runtime: ControlRuntime, _ options: String...) throws -> ToolResult
  {
    var result: ToolResult?
    try awaitCondition("no key to be under repair", seconds: Tool.deadlineSeconds) {
      let last = try runtime.run(
        ["cutover", "--max-lag", "1m", "--fence-time", "20s", "--check-time", "5s"] + options)
      result = last
      return !last.standardError.contains("wait a moment")
    }
    return try #require(result)
  }

  @Test(arguments: [ServerKind.redis62, .redis82])
  func whatItFoundDecidesAboutACutover(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let runtime = try ControlRuntime()
    expectLine(try runtime.run(["verify"]), code: 1, saying: ["no job", "--source"])
    let tool = try runtime.follow(source, destination)
    try application.awaitCommands(2_000)
    expectLine(
      try Self.cutover(runtime, "--dry-run"), code: 4, saying: ["migr8sync verify drill"])

    let quiet = try runtime.run(["verify", "drill"])
    #expect(quiet.exitCode == 0 && quiet.standardOutput.isEmpty, "\(quiet)")
    #expect(quiet.standardError.contains("no differences"), "\(quiet)")
    #expect(try runtime.status().contains("\"verification\":{\"age_ms\""))
    #expect(try Self.cutover(runtime, "--dry-run").exitCode == 0)

    try source.client()("SET", "bump:planted", 1)
    let planting = try destination.client()
    try awaitCondition("the key to arrive", seconds: Tool.deadlineSeconds) {
      try planting.reply(to: "GET", "bump:planted").text == "1"
    }
    try planting("SET", "bump:planted", 2)
    let loud = try runtime.run(["verify", "--json"])
    #expect(loud.exitCode == 3 && VerifyTests.found(loud) == ["bump:planted": "value"], "\(loud)")
    #expect(try runtime.run(["status"]).standardOutput.contains("a cutover is refused"))
    expectLine(
      try Self.cutover(runtime, "--skip-verify"), code: 4, saying: ["found 1 difference"])
    #expect(
      try VerifyTests.verify(source, destination, "-p", "bump:", "--fix", "--yes").exitCode == 0)
    #expect(try runtime.run(["verify", "--max-rate", "1000000", "--json"]).exitCode == 0)

    #expect(try runtime.run(["tell", "--pause"]).exitCode == 0)
    expectLine(try runtime.run(["verify"]), code: 1, saying: ["paused"])
    #expect(try runtime.run(["tell", "--resume"]).exitCode == 0)
    try application.stop()
    let handedOver = try Self.cutover(runtime)
    #expect(handedOver.exitCode == 0, "\(handedOver)")
    #expect(try Tool.finish(tool).exitCode == 0)
  }

  /// Every destination is compared, each by its own rules.
  @Test func allDestinationsAreCompared() throws {
    let (source, one, other) = (try TestServer(), try TestServer(), try TestServer())
    _ = try source.client().pipeline(
      (0..<100).map { ["SET", "\($0 % 2 == 0 ? "a" : "b"):\($0)", $0] })
    let runtime = try ControlRuntime()
    let tool = try Tool.start(
      [
        "sync", "-s", source.url, "--route", "a:=\(one.url)", "--route", "b:=\(other.url)",
        "--rewrite", "b:=c:", "--no-progress",
      ], environment: runtime.environment)
    try runtime.awaitFollowing(tool)
    let same = try runtime.run(["verify", "--json"])
    #expect(
      same.exitCode == 0 && same.standardOutput.contains("\"keys_compared\":100,"), "\(same)")
    try other.client()("DEL", "c:1")
    try one.client()("SET", "a:extra", 1)
    let loud = try runtime.run(["verify", "--json"])
    #expect(VerifyTests.found(loud) == ["b:1": "missing", "a:extra": "extra"], "\(loud)")
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// What the data went through since makes a comparison worth nothing.
  @Test func anEarlierComparisonDoesNotCountForEver() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let writer = try source.client()
    try writer("SET", "bump:text", "a")
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    #expect(try runtime.run(["verify"]).exitCode == 0)

    try destination.client()("DEL", "bump:text")
    try destination.client()("LPUSH", "bump:text", "another type")
    try writer("APPEND", "bump:text", "b")
    try awaitCondition("the key to be read again") {
      try destination.client().reply(to: "GET", "bump:text").text == "ab"
    }
    expectLine(
      try Self.cutover(runtime, "--dry-run"), code: 4, saying: ["refused commands", "again"])
    #expect(try runtime.run(["verify"]).exitCode == 0)
    #expect(try Self.cutover(runtime, "--dry-run").exitCode == 0)

    try writer("DEBUG", "CHANGE-REPL-ID")
    try writer.endConnections(ofType: "replica")
    try awaitCondition("a new snapshot") {
      try runtime.status().contains("\"full_resynchronisations\":2")
    }
    try runtime.awaitFollowing(tool)
    expectLine(try Self.cutover(runtime, "--dry-run"), code: 4, saying: ["new snapshot", "again"])
    #expect(try Self.cutover(runtime, "--dry-run", "--skip-verify").exitCode == 0)
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  @Test func theRulesAreTheJobsOwn() throws {
    expectLine(
      try Tool.run(["verify", "-p", "bump:"]), code: 2, saying: ["--prefix", "running job"])
    expectLine(try Tool.run(["verify", "--fix"]), code: 2, saying: ["--fix", "running job"])
  }
}
