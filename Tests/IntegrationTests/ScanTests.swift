// `sync --via scan`: a copy without attaching, through the same machinery as a snapshot. The truth about what
// arrived is the servers' own digest, and `Keyspace`.

import Glibc
import ReplicaLink
import Testing

@Suite("A copy by SCAN", .ownThread)
struct ScanTests {
  static func copy(
    _ source: TestServer, _ destination: TestServer, _ options: String...
  ) throws -> ToolResult {
    try Tool.run(["sync", "--via", "scan", "-s", source.url, "-d", destination.url] + options)
  }

  @Test(arguments: ServerKind.pairs)
  func everything(source kind: ServerKind, destination other: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(other))
    try SampleData.fill(source)
    let result = try Self.copy(source, destination)
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("copies once and follows nothing"), "\(result)")
    #expect(result.standardError.contains("as it was when it was read"), "\(result)")
    // 6.2 tells the time left and the time, each to a millisecond.
    try expectEqual(destination, to: source, expiryTolerance: kind == .redis62 ? 1 : 0)
    if kind == other {
      let digests = try [source, destination].map { try $0.client()("DEBUG", "DIGEST").text }
      #expect(digests[0] == digests[1])
    }
    #expect(try destination.client()("EXISTS", "migr8sync:job").number == 0)
    #expect(try source.client().info("replication")["connected_slaves"] == "0")
    try VerifyTests.expectNoKeys(source, destination)
  }

  @Test(arguments: [ServerKind.valkey81, .redis82])
  func anOlderDestination(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(.redis62))
    try SampleData.fill(source, fieldExpiries: false)
    let result = try Self.copy(source, destination)
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  /// Values that are never fetched whole, at either end.
  @Test(arguments: ServerKind.allCases)
  func largeValuesComeInPieces(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    let client = try source.client()
    // Made by the server itself, which is the quickest.
    let filling = """
      for i = 0, 49999 do
        local body = i .. ' ' .. ARGV[1]
        redis.call('RPUSH', KEYS[1], body)
        redis.call('SADD', KEYS[2], body)
        redis.call('ZADD', KEYS[3], i / 3, body)
        redis.call('HSET', KEYS[4], 'f' .. i, body)
        if i > 0 then redis.call('XADD', KEYS[5], i .. '-7', 'f', body) end
      end
      """
    var commands: [[any Word]] = [
      [
        "EVAL", filling, 5, "bump:list", "bump:set", "bump:zset", "bump:hash", "bump:stream",
        String(repeating: "x", count: 110),
      ]
    ]
    commands += [
      ["XGROUP", "CREATE", "bump:stream", "g", "0"],
      ["XGROUP", "CREATE", "bump:stream", "h", "77-7"],
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", 1_700, "STREAMS", "bump:stream", ">"],
      ["XDEL", "bump:stream", "39999-7"], ["XGROUP", "CREATECONSUMER", "bump:stream", "h", "idle"],
      ["SETRANGE", "bump:string", 9_000_000, "end"],
      ["PEXPIREAT", "bump:set", SampleData.farFuture],
    ]
    if kind.knowsFieldExpiry {
      commands.append([
        "HPEXPIREAT", "bump:hash", SampleData.farFuture, "FIELDS", 2, "f1", "f49999",
      ])
    }
    try VerifyTests.run(source, commands)
    try client("CONFIG", "RESETSTAT")
    let result = try Self.copy(source, destination, "-p", "bump:")
    #expect(result.exitCode == 0, "\(result)")
    #expect(try client.info("commandstats")["cmdstat_dump"] == nil)
    // Of pending entries a server tells how long ago they were delivered: exact to some milliseconds.
    let isExact = { (name: KeyName) in name.key != Array("bump:stream".utf8) }
    let (mine, others) = (try Keyspace(of: source), try Keyspace(of: destination))
    // Before 7.0 it tells of a key how long it lives, too.
    let differences = others.filter(isExact).differences(
      from: mine.filter(isExact), expiryTolerance: kind.knowsPexpiretime ? 0 : 5_000)
    #expect(differences == [])
    let reader = try destination.client()
    #expect(try reader("DBSIZE").number == 6)
    for question in [
      ["DEBUG", "DIGEST-VALUE", "bump:stream"], ["XINFO", "GROUPS", "bump:stream"],
      ["XPENDING", "bump:stream", "g"], ["XPENDING", "bump:stream", "h"],
    ] {
      let answers = try [client, reader].map { try $0.pipeline([question])[0].orThrow() }
      #expect(answers[0] == answers[1], "\(question)")
    }
    let pending = try [client, reader].map { client in
      try client("XPENDING", "bump:stream", "g", "-", "+", 2_000).elements.map(\.elements)
    }
    #expect(pending[0].count == 1_700 && pending[1].count == 1_700)
    for (one, other) in zip(pending[0], pending[1]) {
      #expect(one[0] == other[0] && one[1] == other[1] && one[3] == other[3])
      #expect(abs((one[2].number ?? 0) - (other[2].number ?? 0)) < 60_000)
    }
  }

  @Test func rulesNamesAndPoliciesAreTheSame() throws {
    let (source, one, other) = (try TestServer(), try TestServer(), try TestServer())
    let client = try source.client()
    _ = try client.pipeline((0..<300).map { ["SET", "\($0 % 3 == 0 ? "a" : "b"):\($0)", $0] })
    try client("LPUSH", "b:list", "x")
    try other.client()("SET", "c:1", "theirs")
    let words = [
      "sync", "--via", "scan", "-s", source.url, "--route", "a:=\(one.url)", "--route",
      "b:=\(other.url)/4", "--rewrite", "b:=c:", "--type", "string", "--db", "0",
    ]
    let report = try Tool.run(words + ["--dry-run"])
    #expect(report.exitCode == 0 && report.standardOutput.contains("Would move 200"), "\(report)")
    try VerifyTests.run(other, [["SELECT", 4], ["SET", "c:1", "theirs"]])
    let refused = try Tool.run(words)
    #expect(refused.exitCode == 4 && refused.standardError.contains("c:1"), "\(refused)")
    let result = try Tool.run(words + ["--on-conflict", "skip", "--log-format", "json"])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("\"keys_of_other_types\":1,"), "\(result)")
    #expect(try one.client()("DBSIZE").number == 100)
    let reader = try other.client()
    try reader("SELECT", 4)
    #expect(try reader("GET", "c:1").text == "theirs")
    #expect(try reader("DBSIZE").number == 200)
    #expect(try reader("GET", "c:2").text == "2")
    #expect(try reader("EXISTS", "c:list").number == 0)
  }

  /// What an interrupted run has written is its own: the same command replaces it, and removes what is gone.
  @Test func whatWasInterruptedBeginsAgain() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (client, reader) = (try source.client(), try destination.client())
    _ = try client.pipeline((0..<8_000).map { ["SET", "bump:\($0)", "value \($0)"] })
    let words = ["sync", "--via", "scan", "-s", source.url, "-d", destination.url, "-p", "bump:"]
    let tool = try Tool.start(words + ["--max-rate", "2000"])
    try awaitCondition("some keys to be there") { try reader("DBSIZE").number ?? 0 > 500 }
    tool.send(signal: SIGINT)
    let stopped = try Tool.finish(tool)
    #expect(
      stopped.exitCode == 5 && stopped.standardError.contains("begins the copy again"), "\(stopped)"
    )
    let written = try reader("SCAN", 0, "COUNT", 100).elements[1].elements.map(\.text)
      .filter { $0.hasPrefix("bump:") }
    try client("DEL", written[0])
    try client("SET", written[1], "new")
    let result = try Tool.run(words)
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  /// Keys that go while the copy is made are counted.
  @Test func whatChangesMeanwhileIsCounted() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try source.client()
    _ = try client.pipeline((0..<20_000).map { ["SET", "bump:\($0)", "value \($0)"] })
    // Removes keys by chance, some of them such as a page has just named.
    let application = WritingThread()
    let port = source.port
    application.start {
      let client = try TestClient(port: port)
      return {
        _ = try client.pipeline(
          (0..<20).map { _ in ["DEL", "bump:\(Int.random(in: 0..<20_000))"] })
      }
    }
    let result = try Self.copy(
      source, destination, "-p", "bump:", "--max-rate", "3000", "--log-format", "json")
    try application.stop()
    #expect(result.exitCode == 0, "\(result)")
    let vanished = result.standardError.firstMatch(
      of: /"event":"summary".*"keys_vanished":([0-9]+)/)
    #expect((vanished.flatMap { Int($0.1) } ?? 0) > 0, "\(result)")
  }

  /// A value that changes while its pieces are read is read again, and copied in the end.
  @Test func aLargeValueThatNeverRestsArrivesAllTheSame() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let body = String(repeating: "x", count: 80)
    try VerifyTests.run(
      source,
      stride(from: 0, to: 60_000, by: 1_000).map { start in
        ["HSET", "bump:hash"] + (start..<(start + 1_000)).flatMap { ["f\($0)", body] }
      })
    // Two, so that one of them writes while the system lets the other wait.
    let application = [WritingThread(), WritingThread()]
    let port = source.port
    for writer in application {
      writer.start {
        let client = try TestClient(port: port)
        return {
          try client("HSET", "bump:hash", "busy", UInt32.random(in: 0...UInt32.max).description)
        }
      }
    }
    let result = try Self.copy(source, destination, "--log-format", "json")
    for writer in application { try writer.stop() }
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("\"keys_torn\":1,"), "\(result)")
    #expect(try destination.client()("HLEN", "bump:hash").number ?? 0 >= 60_000)
  }

  /// The source's end of the connection is lost: the same page is asked for again.
  @Test func aLostConnectionIsMadeAnew() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (client, reader) = (try source.client(), try destination.client())
    _ = try client.pipeline((0..<8_000).map { ["SET", "bump:\($0)", "value \($0)"] })
    let tool = try Tool.start([
      "sync", "--via", "scan", "-s", source.url, "-d", destination.url, "-p", "bump:",
      "--max-rate", "3000",
    ])
    for count in [500, 2_000, 4_000] {
      try awaitCondition("some keys to be there") { try reader("DBSIZE").number ?? 0 > count }
      try client.endConnections(ofType: "normal")
    }
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("trying again"), "\(result)")
    try expectEqual(destination, to: source)
  }

  private static let largeKey = "bump:large"

  /// A value of 7 MB at a source that answers so late that it takes a while to be read.
  private static func startCopyOfLargeValue(
    from source: TestServer, through proxy: FaultyProxy, to destination: TestServer,
    isStream: Bool = false
  ) throws -> (tool: Subprocess, reads: () throws -> Int) {
    let client = try source.client()
    let filling = """
      for i = 1, 60000 do
        local body = i .. ' ' .. ARGV[1]
        if ARGV[2] == 'stream' then
          redis.call('XADD', KEYS[1], i .. '-7', 'f', body)
        else
          redis.call('RPUSH', KEYS[1], body)
        end
      end
      """
    let body = String(repeating: "x", count: 110)
    try client("EVAL", filling, 1, largeKey, body, isStream ? "stream" : "list")
    try client("SET", "bump:small", 1)
    let tool = try Tool.start(
      ["sync", "--via", "scan", "-s", proxy.url, "-d", destination.url, "-p", "bump:"])
    let statistic = isStream ? "cmdstat_xrange" : "cmdstat_lrange"
    return (tool, { try calls(statistic, client) })
  }

  private static func calls(_ statistic: String, _ client: TestClient) throws -> Int {
    let text = try client.info("commandstats")[statistic] ?? ""
    return text.firstMatch(of: /calls=([0-9]+)/).flatMap { Int($0.1) } ?? 0
  }

  /// Lost in the middle of a large value, the value is begun again and the copy is not.
  @Test func aConnectionLostInsideALargeValueCostsThatValueOnly() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let proxy = try FaultyProxy(to: source, delayMilliseconds: 5)
    defer { proxy.stop() }
    let (tool, reads) = try Self.startCopyOfLargeValue(
      from: source, through: proxy, to: destination)
    for count in [20, 100] {
      try awaitCondition("some pieces to be read") { try reads() > count }
      proxy.drop()
    }
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("trying again"), "\(result)")
    #expect(try Self.calls("cmdstat_scan", try source.client()) == 1)
    try expectEqual(destination, to: source)
  }

  /// What happens to a large value while it is read is true of the copy.
  @Test(
    arguments: [["DEL"], ["SET", "another"], ["PEXPIREAT", "\(SampleData.farFuture)"]],
    [false, true])
  func whatHappensToALargeValueMeanwhile(command: [String], isStream: Bool) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let proxy = try FaultyProxy(to: source, delayMilliseconds: 5)
    defer { proxy.stop() }
    let (tool, reads) = try Self.startCopyOfLargeValue(
      from: source, through: proxy, to: destination, isStream: isStream)
    try awaitCondition("some pieces to be read") { try reads() > 20 }
    let words: [any Word] = [command[0], Self.largeKey] + command.dropFirst().map { $0 }
    try VerifyTests.run(source, [words])
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  /// The user that check's line makes may do it, and is refused PSYNC with a hint.
  @Test(arguments: ServerKind.allCases)
  func aUserWithoutPsync(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try SampleData.fill(source)
    let client = try source.client()
    try client("ACL", "SETUSER", "mover", "on", ">pw", "+ping", "+info", "+time")
    let mover = "redis://mover:pw@127.0.0.1:\(source.port)"
    let ends = ["-s", mover, "-d", destination.url, "-p", "bump:"]
    try client("ACL", "SETUSER", "twin", "on", ">pw", "+ping", "+info", "+time")
    let rights = try PrintedRights(
      "source rights", in: CheckRow.all(["--via", "scan"] + ends))
    #expect(rights.line.contains("'~bump:*'") && !rights.line.contains("psync"))
    try rights.give(to: "mover", and: "twin", at: source)

    let refused = try Tool.run(["sync", "--once", "--force"] + ends)
    #expect(refused.exitCode == 1 && refused.standardError.contains("--via scan"), "\(refused)")
    #expect(try Tool.run(["check", "--via", "scan"] + ends).exitCode == 0)
    let result = try Tool.run(["sync", "--via", "scan"] + ends)
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source, prefixes: ["bump:"])
  }

  @Test(arguments: [
    ["--publish", "x"], ["--explain"], ["--psync-command", "P"], ["--one-channel"],
    ["--spool-max", "1gb"], ["--queue-memory", "2mb"], ["--not-handed-over"],
  ])
  func whatIsAboutAStreamIsRefused(options: [String]) throws {
    expectLine(
      try Tool.run(
        ["sync", "--via", "scan", "-s", "redis://127.0.0.1:1", "-d", "redis://127.0.0.1:2"]
          + options),
      code: 2, saying: ["--via scan", options[0]])
  }

  /// A destination that was away while the record was written is not waited for any more once it has it.
  @Test(arguments: [1, 2])
  func aRecordThatTakesTwoAttempts(time: Int) throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("SET", "k", 1)
    // Of the commands of a record one that nothing else sends.
    let count = Guarded(0)
    let proxy = try InterjectingProxy(
      to: destination,
      [
        "UNLINK": {
          let seen = count.withLock { count in
            count += 1
            return count
          }
          if seen == time { throw TestFailure("cut") }
        }
      ])
    defer { proxy.stop() }
    let result = try Tool.run(["sync", "--via", "scan", "-s", source.url, "-d", proxy.url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("trying again"), "\(result)")
    #expect(result.standardError.contains("going on: what was waited for is over"), "\(result)")
  }

  /// The same of a source that is away when the copy begins.
  @Test func aSourceThatIsAwayForAMoment() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    nonisolated(unsafe) let client = try source.client()
    try client("SET", "k", 1)
    let port = source.port
    let isAway = Guarded(false)
    let proxy = try InterjectingProxy(
      to: destination,
      [
        // While the record is written, which is the first step of every attempt.
        "UNLINK": {
          try isAway.withLock { isAway in
            isAway.toggle()
            try client("CONFIG", "SET", "port", isAway ? 0 : port)
          }
        }
      ])
    defer { proxy.stop() }
    let result = try Tool.run(["sync", "--via", "scan", "-s", source.url, "-d", proxy.url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardError.contains("trying again"), "\(result)")
    #expect(result.standardError.contains("going on: what was waited for is over"), "\(result)")
  }
}
