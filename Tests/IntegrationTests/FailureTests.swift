// What breaks while a run is under way: a server that goes away, somebody else who writes to the
// destination, a queue that is full. The run ends with one clear line, or goes on and loses nothing.

import Glibc
import Testing

@Suite("Trouble during a run", .ownThread)
struct FailureTests {
  private func servers(
    _ sourceOptions: [String] = [], _ destinationOptions: [String] = []
  ) throws -> (source: TestServer, destination: TestServer) {
    let pair = (
      try TestServer(.redis70, sourceOptions), try TestServer(.redis70, destinationOptions)
    )
    let value = SampleData.noise(3000)
    _ = try pair.0.client().pipeline((0..<2000).map { ["SET", "bump:\($0)", value] })
    return pair
  }

  private func start(
    _ pair: (source: TestServer, destination: TestServer), _ options: String...
  ) throws -> Subprocess {
    try Tool.start(
      ["sync", "-s", pair.source.url, "-d", pair.destination.url, "-p", "bump:"] + options)
  }

  /// The shell's limit of open files is a habit; what the system allows counts.
  @Test func aLowLimitOfOpenFilesIsRaised() throws {
    let pair = try servers()
    let tool = "\(Tool.path) sync --once -s \(pair.source.url) -d \(pair.destination.url) -p bump:"
    let result = try Tool.finish(
      try Subprocess("bash", ["-c", "ulimit -S -n 12; exec \(tool) --workers 16"]))
    #expect(result.exitCode == 0, "\(result)")
    #expect(try pair.destination.digest() == pair.source.digest())
    let refused = try Tool.finish(
      try Subprocess("bash", ["-c", "ulimit -n 12; exec \(tool)"]))
    #expect(refused.exitCode == 1 && refused.errorLines.count == 1, "\(refused)")
    #expect(refused.standardError.contains("no more than 12 files open"), "\(refused)")
  }

  /// The run does not end with its source: it says so and waits.
  @Test func theSourceGoesAwayWhileFollowing() throws {
    let pair = try servers()
    let tool = try start(pair)
    try pair.source.awaitToolFollowing(tool)
    try pair.source.client()("SET", "bump:last", 1)
    try pair.source.awaitToolInSync(tool)
    pair.source.crash()
    try tool.awaitError("the link to the source was lost", "\(pair.source.port)")
    try interrupt(tool)
    #expect(try pair.destination.client()("EXISTS", "bump:last", "bump:1999").number == 2)
  }

  @Test func theSourceGoesAwayDuringTheSnapshot() throws {
    let pair = try servers(["--rdb-key-save-delay", "2000"])
    let tool = try start(pair)
    try awaitCondition("the snapshot to begin") {
      try pair.source.client().info("persistence")["rdb_bgsave_in_progress"] == "1"
    }
    pair.source.crash()
    try tool.awaitError("the link to the source was lost", "\(pair.source.port)")
    try interrupt(tool)
  }

  @Test func theDestinationGoesAwayWhileFollowing() throws {
    let pair = try servers()
    let tool = try start(pair)
    try pair.source.awaitToolFollowing(tool)
    pair.destination.crash()
    try pair.source.client()("SET", "bump:last", 1)
    try tool.awaitError("trying again", "\(pair.destination.port)")
    try interrupt(tool)
  }

  @Test func theDestinationGoesAwayDuringTheSnapshot() throws {
    let pair = try servers(["--rdb-key-save-delay", "1000"])
    let tool = try start(pair)
    try awaitSomeKeys(pair.destination)
    pair.destination.crash()
    try tool.awaitError("trying again", "\(pair.destination.port)")
    try interrupt(tool)
  }

  /// What does not fit waits until there is room; the source is drained meanwhile, and asked for one
  /// snapshot only.
  @Test func theDestinationIsTooSmallForAWhile() throws {
    let pair = try servers([], ["--maxmemory", "6mb"])
    let tool = try start(pair, "--once")
    try tool.awaitError("out of memory", "\(pair.destination.port)")
    try awaitCondition("the source to have sent everything") {
      try pair.source.attachedTools().contains { $0.state == "online" }
    }
    try pair.destination.client()("CONFIG", "SET", "maxmemory", 0)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(pair.destination, to: pair.source)
    #expect(try pair.source.resynchronisations() == ["1", "0"])
  }

  private func interrupt(_ tool: Subprocess) throws {
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
  }

  /// The job's own records are there before the first key.
  private func awaitSomeKeys(_ server: TestServer) throws {
    try awaitCondition("the first keys to arrive") {
      (try server.client()("DBSIZE").number ?? 0) > 10
    }
  }

  /// Nothing is overwritten unasked, also not what appears after the check.
  @Test func somebodyElseWritesAKeyDuringTheSnapshot() throws {
    let pair = try servers(["--rdb-key-save-delay", "10000"])
    let tool = try start(pair)
    let other = try pair.destination.client()
    try awaitSomeKeys(pair.destination)
    let written = try other.pipeline((0..<2000).map { ["SET", "bump:\($0)", "mine", "NX"] })
    let mine = written.indices.filter { written[$0] == .status("OK") }
    try #require(!mine.isEmpty)
    expectLine(try Tool.finish(tool), code: 1, saying: ["bump:", "appeared"])
    func expectMine() throws {
      let values = try other.pipeline(mine.map { ["GET", "bump:\($0)"] }).map(\.text)
      #expect(Set(values) == ["mine"])
    }
    try expectMine()
    try pair.source.client()("CONFIG", "SET", "rdb-key-save-delay", 0)
    // Nor by the same command, whoever starts it again.
    for _ in 0..<2 {
      let refused = try Tool.finish(try start(pair))
      expectLine(refused, code: 4, saying: ["bump:", "somebody else's", "still there"])
      try expectMine()
    }
    _ = try other.pipeline(mine.map { ["DEL", "bump:\($0)"] })
    let again = try start(pair)
    try pair.source.awaitToolFollowing(again)
    try interrupt(again)
    try expectEqual(pair.destination, to: pair.source, prefixes: ["bump:"], afterStream: true)
  }

  /// A run that is killed has written down which keys it left alone.
  @Test func whatAppearsDuringTheSnapshotIsSkippedForGood() throws {
    let pair = try servers(["--rdb-key-save-delay", "10000"])
    var tool = try start(pair, "--on-conflict", "skip")
    let other = try pair.destination.client()
    try awaitSomeKeys(pair.destination)
    _ = try other.pipeline((0..<1000).map { ["SET", "bump:\($0)", "mine", "NX"] })
    func records(_ suffix: String) throws -> [String] {
      try other("KEYS", "migr8sync:job:*\(suffix)").elements.map(\.text)
    }
    try awaitCondition("keys that are noted as skipped", seconds: 60) {
      try #require(tool.isRunning, "\(tool.standardError)")
      return try !records(":skipped").isEmpty
    }
    tool.kill()
    // Before the snapshot's end, where they are noted in any case.
    let theirs = try other.pipeline((1000..<2000).map { ["EXISTS", "bump:\($0)"] })
    try #require(theirs.contains { $0.number == 0 })
    let noted = try other("SMEMBERS", try records(":skipped")[0]).elements.map {
      String($0.text.dropFirst(2))
    }
    try pair.source.client()("CONFIG", "SET", "rdb-key-save-delay", 0)
    tool = try start(pair, "--on-conflict", "skip")
    try pair.source.awaitToolFollowing(tool)
    let values = try other.pipeline(noted.map { ["GET", $0] }).map(\.text)
    #expect(Set(values) == ["mine"])
    try interrupt(tool)
  }

  /// Where everything moves to a server that was empty, the source's FLUSHALL could be one there.
  @Test func whatWasSkippedOutlivesAFlush() throws {
    let pair = try servers(["--rdb-key-save-delay", "2000"])
    let tool = try Tool.start([
      "sync", "-s", pair.source.url, "-d", pair.destination.url, "--on-conflict", "skip",
    ])
    let (writer, other) = (try pair.source.client(), try pair.destination.client())
    try awaitSomeKeys(pair.destination)
    _ = try other.pipeline((0..<1000).map { ["SET", "bump:\($0)", "mine", "NX"] })
    try pair.source.awaitToolFollowing(tool)
    let names = (0..<1000).map { "bump:\($0)" }
    let theirs = zip(names, try other.pipeline(names.map { ["GET", $0] })).filter {
      $1.text == "mine"
    }
    try #require(!theirs.isEmpty)
    try writer("FLUSHALL")
    try writer("SET", "later", "1")
    try awaitCondition("the stream") { try other("GET", "later").text == "1" }
    let kept = try other.pipeline(theirs.map { ["GET", $0.0] }).map(\.text)
    #expect(Set(kept) == ["mine"] && kept.count == theirs.count)
    #expect(try other("DBSIZE").number ?? 0 < theirs.count + 10)
    try interrupt(tool)
  }

  /// Somebody spoils a key at the destination: the command that it then refuses is named, and the key is
  /// read again from the source.
  @Test func aKeyHasAnotherTypeAtTheDestination() throws {
    let pair = try servers()
    let tool = try start(pair)
    try pair.source.awaitToolFollowing(tool)
    let other = try pair.destination.client()
    try other("DEL", "bump:1")
    try other("RPUSH", "bump:1", "a list")
    try pair.source.client()("APPEND", "bump:1", "x")
    try tool.awaitError("APPEND bump:1", "wrong kind of value", "offset", "read again")
    try awaitCondition("the key to be healed") { try other("TYPE", "bump:1").text == "string" }
    try interrupt(tool)
    try expectEqual(pair.destination, to: pair.source, prefixes: ["bump:"], afterStream: true)
  }

  /// What was left alone stays alone.
  @Test func skippedKeysAreLeftAloneByTheStream() throws {
    let pair = try servers()
    let (writer, reader) = (try pair.source.client(), try pair.destination.client())
    try reader("SET", "bump:1", "theirs")
    let tool = try start(pair, "--on-conflict", "skip")
    try pair.source.awaitToolFollowing(tool)
    try writer("SET", "bump:1", "ours")
    try writer("MSET", "bump:1", "ours", "bump:2", "new")
    try writer("DEL", "bump:1", "bump:3")
    try pair.source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(
      try reader("MGET", "bump:1", "bump:2", "bump:3").elements
        == [.bulk(Array("theirs".utf8)), .bulk(Array("new".utf8)), .null])
  }

  @Test func theDestinationHasTooFewDatabases() throws {
    let pair = try servers([], ["--databases", "2"])
    let client = try pair.source.client()
    try client("SELECT", 7)
    try client("SET", "bump:seven", 7)
    let tool = try start(pair)
    expectLine(try Tool.finish(tool), code: 1, saying: ["7", "databases"])
  }

  /// Nothing of such a command is sent, so nothing is lost, and a run with more databases goes on with it.
  @Test(arguments: [
    ["MOVE", "bump:1", "20"], ["COPY", "bump:1", "bump:copy", "DB", "20"], ["SWAPDB", "0", "20"],
  ])
  func aCommandNamesADatabaseThatTheDestinationLacks(command: [String]) throws {
    let pair = try servers(["--databases", "32"])
    let tool = try Tool.start([
      "sync", "-s", pair.source.url, "-d", pair.destination.url, "--job", "all",
    ])
    try pair.source.awaitToolFollowing(tool)
    let writer = try pair.source.client()
    try writer("SET", "bump:1", "moved")
    try pair.source.awaitToolInSync(tool)
    _ = try writer.pipeline([command])
    expectLine(
      try Tool.finish(tool), code: 1, saying: ["cannot select db 20", "databases"])
    let reader = try pair.destination.client()
    #expect(try reader("GET", "bump:1").text == "moved")
    #expect(try reader("HGET", "migr8sync:job:all", "phase").text == "stream")
  }

  /// A full queue makes the source wait; it loses nothing.
  @Test func theQueueIsFull() throws {
    let pair = try servers(["--client-output-buffer-limit", "replica 0 0 0"])
    let tool = try start(pair, "--queue-memory", "1mb", "--spool-max", "1mb")
    try pair.source.awaitToolFollowing(tool)
    pair.destination.freeze()
    let client = try pair.source.client()
    let value = SampleData.noise(100_000)
    for round in 0..<300 {
      _ = try client.pipeline([["SET", "bump:\(round)", value], ["INCR", "bump:n"]])
    }
    try tool.awaitError("reading from the source is slowed down")
    pair.destination.thaw()
    try pair.source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try expectEqual(pair.destination, to: pair.source, prefixes: ["bump:"], afterStream: true)
    #expect(try pair.source.resynchronisations() == ["1", "0"])
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func interruptedDuringTheSnapshot(signal: Int32) throws {
    let pair = try servers(["--rdb-key-save-delay", "2000"])
    let tool = try Tool.start(
      ["sync", "-s", pair.source.url, "-d", pair.destination.url, "-p", "bump:"])
    try awaitSomeKeys(pair.destination)
    tool.send(signal: signal)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    #expect(result.standardError.contains("part of the keys"), "\(result)")
  }
}
