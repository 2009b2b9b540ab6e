// One run that feeds several destinations. The truth is a native replica of the source: each destination
// must hold the part of it that its route takes, whatever happens to the others.

import Glibc
import Testing

@Suite("Several destinations", .ownThread)
struct RoutesTests {
  private static let backlog = ["--repl-backlog-size", "256mb"]

  // MARK: One that stands still

  @Test(arguments: [2, 5])
  func oneThatIsStoppedFor20SecondsDelaysNoOther(count: Int) throws {
    let source = try TestServer(.redis70, Self.backlog)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let places = try Place.some(count)
    let application = try Application(
      to: source, seed: .random(in: 1...1_000_000), pauseMicroseconds: 20_000, brief: false)
    let tool = try places.start(source)
    try places.awaitFollowing(tool, source, besides: [native.server.port])
    let stopped = places[1]
    stopped.server.freeze()
    let client = try source.client()
    let began = monotonicSeconds()
    var mark = 0
    while monotonicSeconds() - began < 20 {
      mark += 1
      for place in places where place.prefix != stopped.prefix {
        try client("SET", "\(place.prefix)mark", mark)
        let reader = try place.server.client()
        try awaitCondition("write \(mark) to be at \(place.prefix)") {
          try reader("GET", "\(place.prefix)mark").text == "\(mark)"
        }
      }
    }
    #expect(mark > 3)
    // The source is told what is applied everywhere.
    try client("SET", "\(stopped.prefix)late", 1)
    #expect(try client("WAIT", 2, 5_000).number == 1)
    try tool.awaitError("127.0.0.1:\(stopped.server.port)", "has not answered")
    stopped.server.thaw()
    try awaitCondition("the source to hear that all is applied", seconds: 60) {
      try client("WAIT", 2, 1000).number == 2
    }
    try places.conclude(application, tool, native, source, fulls: 2)
  }

  // MARK: Resuming

  @Test(arguments: [2, 3])
  func killedWhileTheyAreAtDifferentPlaces(count: Int) throws {
    let source = try TestServer(.redis70, Self.backlog)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let places = try Place.some(count)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    var tool = try places.start(source)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    for _ in 0..<10 {
      let behind = places.randomElement()
      behind?.server.freeze()
      try application.awaitCommands(.random(in: 1...2000))
      tool.kill()
      behind?.server.thaw()
      try application.awaitCommands(.random(in: 1...500))
      tool = try places.start(source)
      if Bool.random() { try source.awaitToolFollowing(tool, besides: [native.server.port]) }
    }
    try places.conclude(application, tool, native, source, fulls: 2)
  }

  /// Its backlog begins anew with a name of its own, and the old one's history up to there.
  @Test func oneThatLostEverythingGetsASnapshotAndSoDoAll() throws {
    let source = try TestServer(.redis70, Self.backlog)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let places = try Place.some(3)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    let tool = try places.start(source)
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try places[1].server.restart()
    try tool.awaitError("127.0.0.1:\(places[1].server.port)", "a new snapshot is needed")
    try awaitCondition("the second snapshot", seconds: 60) {
      try source.resynchronisations()[0] == "3"
    }
    try places.conclude(application, tool, native, source, fulls: 3)
  }

  // MARK: The end

  @Test func onceEndsWhenAllHaveCaughtUp() throws {
    let source = try TestServer()
    try SampleData.fill(source)
    let places = try Place.some(5)
    // The pause between keys makes the snapshot last long enough to stop one destination in its middle.
    try source.client()("CONFIG", "SET", "rdb-key-save-delay", 20_000)
    let tool = try places.start(source, "--once")
    let last = places[3].server
    let watcher = try last.client()
    try awaitCondition("the job to begin") { try watcher("DBSIZE").number ?? 0 > 1 }
    last.freeze()
    // Those that have caught up go on following meanwhile.
    try awaitCondition("the snapshot to be sent", seconds: 60) {
      try source.attachedTools().contains { $0.state == "online" }
    }
    try source.client()("SET", "bump:mark", 1)
    let reader = try places[0].server.client()
    try awaitCondition("a write to arrive", seconds: 60) {
      try reader("GET", "bump:mark").text == "1"
    }
    #expect(tool.isRunning)
    last.thaw()
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("Done. Every destination has all that matches"))
    // Nothing of the job stays.
    try places.filter { $0.prefix != "bump:app:n:" && $0.prefix != "other:app:l" }
      .expectDivided(as: source)
    for place in places {
      #expect(try place.server.client()("KEYS", "migr8sync:*").elements.isEmpty)
    }
    #expect(try source.resynchronisations() == ["1", "0"])
  }

  @Test func oneThatFailsIsNamedAndTheOthersKeepTheirPlaces() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let places = try Place.some(2)
    try source.client()("MSET", "bump:1", 1, "other:1", 1)
    let tool = try places.start(source)
    try source.awaitToolFollowing(tool)
    // Emptied by somebody: that the job goes on there would be wrong.
    try places[1].server.client()("FLUSHALL")
    try source.client()("INCR", "bump:1")
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    let line = try #require(result.errorLines.first { $0.hasPrefix("migr8sync: ") })
    #expect(
      line.contains("destination 127.0.0.1:\(places[1].server.port): ")
        && line.contains("is not known at"), "\(line)")
    #expect(try places[0].server.client()("GET", "bump:1").text == "2")

    let again = try places.start(source)
    try again.awaitError("a new snapshot is needed", "127.0.0.1:\(places[1].server.port)")
    try source.awaitToolFollowing(again)
    try source.awaitToolInSync(again)
    try places.expectDivided(as: source)
    again.send(signal: SIGINT)
    #expect(try Tool.finish(again).exitCode == 5)
  }

  // MARK: One server, and before the run

  @Test func twoDatabasesOfOneServer() throws {
    let source = try TestServer(.redis70, Self.backlog)
    let server = try TestServer()
    let client = try source.client()
    try client("MSET", "a:1", 1, "b:1", 1, "c:1", 1)
    let arguments = [
      "sync", "-s", source.url, "--db", "0", "--route", "a:=\(server.url)/2", "--route",
      "b:=\(server.url)/3", "--job", "both",
    ]
    var tool = try Tool.start(arguments)
    try source.awaitToolFollowing(tool)
    for round in 2...4 {
      tool.kill()
      _ = try client.pipeline([["MULTI"], ["INCR", "a:1"], ["INCR", "b:1"], ["EXEC"]])
      tool = try Tool.start(arguments)
      try source.awaitToolFollowing(tool)
      try source.awaitToolInSync(tool)
      let reader = try server.client()
      for (database, key) in [(2, "a:1"), (3, "b:1")] {
        try reader("SELECT", database)
        #expect(try reader("GET", key).text == "\(round)")
        #expect(try reader("DBSIZE").number == 3)  // the key, the record and the lease
      }
    }
    let jobs = try Tool.run(["jobs", "-d", server.url, "--log-format", "json"])
    let lines = jobs.standardOutput.split(separator: "\n")
    #expect(lines.count == 2 && lines.allSatisfy { $0.contains("\"working\"") }, "\(jobs)")
    #expect(try source.resynchronisations()[0] == "1")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  @Test func twoWaysToOnePlaceAreRefused() throws {
    let (source, server) = (try TestServer(), try TestServer())
    let result = try Tool.run([
      "sync", "-q", "-s", source.url, "--route", "a:=\(server.url)", "--route",
      "b:=redis://localhost:\(server.port)",
    ])
    expectLine(result, code: 4, saying: ["one place", "localhost:\(server.port)", "same URL"])
    #expect(try server.client()("DBSIZE").number == 0)
  }

  /// Nothing is written anywhere while one destination is not ready.
  @Test func oneWithKeysOfItsOwnHoldsAllBack() throws {
    let source = try TestServer()
    let places = try Place.some(3)
    try source.client()("MSET", "bump:1", 1, "other:1", 1)
    try places[1].server.client()("SET", "other:theirs", 1)
    let tool = try places.start(source, "-q")
    expectLine(
      try Tool.finish(tool), code: 4,
      saying: ["127.0.0.1:\(places[1].server.port)", "1 matching key", "other:theirs"])
    for index in [0, 2] { #expect(try places[index].server.client()("DBSIZE").number == 0) }
    let cleared = try places.start(source, "--once", "--clear-dest", "--yes")
    #expect(try Tool.finish(cleared).exitCode == 0)
    #expect(try places[1].server.client()("KEYS", "*").elements.map(\.text) == ["other:1"])
  }

  @Test func aDryRunReportsForEach() throws {
    let source = try TestServer()
    let places = try Place.some(2)
    try source.client()("MSET", "bump:1", 1, "other:1", 1, "other:2", 2)
    try places[1].server.client()("SET", "other:1", 0)
    let result = try Tool.finish(try places.start(source, "--dry-run", "--log-format", "json"))
    #expect(result.exitCode == 0, "\(result)")
    let lines = result.standardOutput.split(separator: "\n")
    #expect(lines.count == 2)
    for (line, (place, numbers)) in zip(lines, zip(places, [(1, 0), (2, 1)])) {
      #expect(line.contains("\"address\":\"127.0.0.1:\(place.server.port)\""))
      #expect(
        line.contains("\"keys_read\":3,\"keys\":\(numbers.0),")
          && line.contains("\"keys_at_destination\":\(numbers.1)"), "\(line)")
    }
  }
}
