// RepairFetcher against real servers, and RepairEncoder against destinations that know less.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite(.enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"))
struct RepairFetcherTests {
  private static func name(_ key: String, _ database: Int = 0) -> KeyName {
    KeyName(database: database, key: Array(key.utf8))
  }

  private static func answers(_ fetcher: RepairFetcher, _ count: Int) throws -> [RepairAnswer] {
    var answers: [RepairAnswer] = []
    while answers.count < count {
      let isThere = fetcher.awaitAnswers(untilMilliseconds: Clock.monotonicMilliseconds() + 30_000)
      if let failure = fetcher.failure { throw failure }
      guard isThere else { throw RedisServer.Failure(reason: "no answer") }
      answers += fetcher.takeAnswers()
    }
    return answers
  }

  private static func fetcher(_ server: RedisServer) throws -> (RepairFetcher, NamedThread) {
    let url = try RedisURL(server.url)
    let fetcher = RepairFetcher(source: { () throws(LinkError) in url }, timeouts: Timeouts())
    return (fetcher, fetcher.start())
  }

  @Test(arguments: SourceKind.allCases) func answersInOrderFromEveryDatabase(kind: SourceKind)
    throws
  {
    let server = try kind.start()
    let replica = try RawReplica(of: server)
    let client = try TestConnection(server)
    for database in 0..<3 {
      try client("SELECT", "\(database)")
      for index in 0..<30 { try client("SET", "k\(index)", "\(database)-\(index)") }
      try client("PEXPIREAT", "k0", "4000000000000")
    }
    let offset = try client.offset()
    let (fetcher, thread) = try Self.fetcher(server)
    let names = (0..<90).map { Self.name("k\($0 / 3)", $0 % 3) } + [Self.name("none", 2)]
    fetcher.ask(names)
    let answers = try Self.answers(fetcher, names.count)
    fetcher.stop()
    thread.join()
    #expect(answers.map(\.value.name) == names)
    #expect(answers.allSatisfy { $0.value.offset >= offset && $0.isSettled })
    #expect(Set(answers.map(\.replicationID)).count == 1)
    #expect(answers.last?.value.payload == nil && answers[0].value.payload != nil)
    let difference = abs((answers[0].value.expiryMilliseconds ?? 0) - 4_000_000_000_000)
    #expect(difference <= (kind.hasExpireTime ? 0 : 2))
    #expect(answers[5].value.expiryMilliseconds == nil)
    withExtendedLifetime(replica) {}
  }

  /// The connection may be to a server that was the source once.
  @Test func aServerOfAnotherHistoryIsLookedForAgain() throws {
    let server = try SourceKind.redis70.start()
    let url = try RedisURL(server.url)
    let count = Guarded(0)
    let fetcher = RepairFetcher(
      source: { () throws(LinkError) in
        count.withLock { $0 += 1 }
        return url
      }, timeouts: Timeouts())
    let thread = fetcher.start()
    var book = RepairBook()
    _ = book.request(Self.name("k"), atBoundary: 0)
    let deadline = Clock.monotonicMilliseconds() + 60_000
    while count.withLock({ $0 }) < 3, Clock.monotonicMilliseconds() < deadline {
      try fetcher.exchange(with: &book, following: "another history")
      _ = fetcher.awaitAnswers(untilMilliseconds: Clock.monotonicMilliseconds() + 100)
    }
    fetcher.stop()
    thread.join()
    #expect(count.withLock { $0 } >= 3)
    #expect(!book.isEmpty)
  }

  @Test func aLostConnectionIsOpenedAgain() throws {
    let server = try SourceKind.redis70.start()
    _ = try server.command("SET", "k", "v")
    let (fetcher, thread) = try Self.fetcher(server)
    for _ in 0..<5 {
      fetcher.ask([Self.name("k"), Self.name("k", 1)])
      #expect(try Self.answers(fetcher, 2).map { $0.value.payload == nil } == [false, true])
      _ = try server.command("CLIENT", "KILL", "TYPE", "normal")
    }
    fetcher.stop()
    thread.join()
  }

  @Test func whatNoWaitingCanMendIsTheFailure() throws {
    let server = try SourceKind.redis70.start()
    _ = try server.command("ACL", "SETUSER", "default", "-dump")
    let (fetcher, thread) = try Self.fetcher(server)
    fetcher.ask([Self.name("k")])
    let error = #expect(throws: LinkError.self) { try Self.answers(fetcher, 1) }
    thread.join()
    #expect(error?.code == .permission && error?.description.contains("key k again") == true)
  }

  @Test func aServerThatIsNotThereIsTriedAgainUntilTheStop() throws {
    let fetcher = RepairFetcher(
      source: { () throws(LinkError) in
        throw LinkError(.refused, "connecting to nowhere", "connection refused")
      }, timeouts: Timeouts())
    let thread = fetcher.start()
    fetcher.ask([Self.name("k")])
    while fetcher.trouble == nil {}
    #expect(fetcher.failure == nil && fetcher.takeAnswers().isEmpty)
    fetcher.stop()
    thread.join()
  }

  @Test func aFrozenServerDoesNotHoldUpTheStop() throws {
    let server = try SourceKind.redis70.start()
    let (fetcher, thread) = try Self.fetcher(server)
    fetcher.ask([Self.name("k")])
    _ = try Self.answers(fetcher, 1)
    try server.sendRaw(RESP.encode("DEBUG", "SLEEP", "30"))
    fetcher.ask([Self.name("k")])
    fetcher.stop()
    thread.join()
  }

  // MARK: - Encoding

  private static func fill(_ client: TestConnection, _ kind: SourceKind) throws {
    let long = String(repeating: "compressible ", count: 40)
    for command in [
      ["SET", "int", "12"], ["SET", "text", "some text"], ["SET", "long", long],
      ["RPUSH", "list", "a", "2", long], ["SADD", "ints", "1", "2", "3000"],
      ["SADD", "set", "a", "b", long], ["ZADD", "zset", "1.5", "a", "-inf", "b"],
      ["HSET", "hash", "a", "1", "b", long], ["XADD", "stream", "1-1", "f", "v"],
      ["XADD", "stream", "2-1", "f", "v", "g", "w"], ["XGROUP", "CREATE", "stream", "g", "0"],
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "stream", ">"],
      ["PFADD", "hll", "a", "b"], ["GEOADD", "geo", "13", "52", "here"],
      ["PEXPIREAT", "hash", "4000000000000"],
    ] {
      let reply = try client.send(command.map { Array($0.utf8) })
      #expect(reply.errorLine == nil, "\(command): \(reply)")
    }
    for index in 0..<2_000 { try client("RPUSH", "biglist", "element \(index)") }
    for index in 0..<600 { try client("HSET", "bighash", "f\(index)", "\(index)") }
    for index in 0..<600 { try client("ZADD", "bigzset", "\(index)", "m\(index)") }
    for index in 0..<600 { try client("SADD", "bigset", "m\(index)") }
  }

  /// The newest source into each destination: RESTORE where that goes, commands where not.
  @Test(arguments: SourceKind.allCases) func everyValueArrivesAtEveryVersion(kind: SourceKind)
    throws
  {
    let source = try SourceKind.redis82.start()
    let destination = try kind.start()
    let (client, target) = (try TestConnection(source), try TestConnection(destination))
    try Self.fill(client, kind)
    let facts = ServerFacts(info: try target("INFO").text ?? "")
    let encoder = RepairEncoder(
      mapping: KeyMapping(KeyFilter()), types: RestorableTypes(facts),
      features: facts.commandFeatures)
    let question = RepairQuestion(ServerFacts(info: try client("INFO").text ?? ""))
    var restored = 0
    let keys = try #require(try client("KEYS", "*").array).compactMap(\.text) + ["none"]
    for key in keys {
      let name = Self.name(key)
      try target("SET", key, "in the way", "PX", "1000000")
      let commands = question.commands(for: name.key)
      for command in commands { client.enqueue(command) }
      for _ in commands.dropLast() { _ = try client.receive() }
      let answer = try #require(question.answer(try client.receive(), for: name))
      var buffer = ByteBuffer()
      let count = try encoder.append(answer.value, to: &buffer)
      let bytes = buffer.withBytes { Array($0) }
      try destination.sendRaw(bytes)
      for _ in 0..<count {
        let reply = try destination.readReply()
        if case .error(let line) = reply { Issue.record("\(kind): \(key): \(line)") }
      }
      restored += bytes.contains([UInt8](Array("RESTORE".utf8))[...]) ? 1 : 0
      let digests = try [client, target].map {
        try $0("DEBUG", "DIGEST-VALUE", key).array?.first?.text
      }
      #expect(digests[0] == digests[1], "\(kind): \(key)")
      #expect(try client("PTTL", key).integer ?? 0 > 0 || target("PTTL", key).integer ?? 0 < 0)
    }
    #expect(try target("XPENDING", "stream", "g") == client("XPENDING", "stream", "g"))
    #expect(restored > 5 && (kind != .redis62 || restored < keys.count - 3))
  }

  @Test func aDamagedPayloadIsAnErrorThatNamesTheKey() throws {
    let encoder = RepairEncoder(
      mapping: KeyMapping(KeyFilter()), types: RestorableTypes(nil), features: .init())
    for payload in [[], [0, 1, 2], [UInt8](repeating: 7, count: 40)] as [[UInt8]] {
      var buffer = ByteBuffer()
      let value = RepairValue(
        name: Self.name("k"), payload: payload, expiryMilliseconds: nil, offset: 1)
      let error = #expect(throws: ReplayError.self) { try encoder.append(value, to: &buffer) }
      #expect(error?.description.contains("key k") == true)
    }
  }
}
