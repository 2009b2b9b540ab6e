// The heart of repairs: the value that a source gives is the key's state at exactly the offset it
// gives with it. Shown on real servers: while clients write, keys are asked for and the stream is
// recorded; the recording is then replayed, and at each offset the replayed key compared.

import ReplicaLink
import Synchronization
import Testing

@testable import Migr8Sync

/// A client that writes without pause: plain commands, transactions, scripts, keys that expire.
private final class Writer: Sendable {
  static let keys = (0..<6).map { Array("k\($0)".utf8) }
  /// Batches that have been answered.
  let batchesDone = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  private let failure = Guarded<String?>(nil)
  private let thread = Guarded<NamedThread?>(nil)

  init(to server: RedisServer, seed: UInt64) throws {
    let url = try RedisURL(server.url)
    let thread = NamedThread("writer") { [self] in
      do {
        var connection = try RedisConnection.open(url, timeouts: Timeouts())
        var random = SeededGenerator(seed: seed)
        while !isStopping.load(ordering: .relaxed) {
          let batch = Self.batch(&random)
          for command in batch { connection.enqueue(command) }
          for _ in batch { _ = try connection.receive() }
          batchesDone.add(1, ordering: .relaxed)
        }
      } catch {
        failure.withLock { $0 = "\(error)" }
      }
    }
    self.thread.withLock { $0 = thread }
  }

  func stop() throws {
    isStopping.store(true, ordering: .relaxed)
    thread.withLock { $0.take() }?.join()
    if let text = failure.withLock({ $0 }) { throw RedisServer.Failure(reason: text) }
  }

  private static func batch(_ random: inout SeededGenerator) -> [[[UInt8]]] {
    let key = String(decoding: keys.randomElement(using: &random)!, as: UTF8.self)
    let other = String(decoding: keys.randomElement(using: &random)!, as: UTF8.self)
    let number = "\(Int.random(in: 0..<1000, using: &random))"
    let brief = "\(Int.random(in: 1...4, using: &random))"
    let commands: [[String]] =
      switch Int.random(in: 0..<9, using: &random) {
      case 0: [["SELECT", "\(Int.random(in: 0...2, using: &random))"]]
      case 1: [["APPEND", key, number]]
      case 2: [["SET", key, number, "PX", brief], ["SET", other, number, "PX", brief]]
      case 3: [["DEL", key], ["RPUSH", key, number, "x"]]
      case 4:
        [
          ["MULTI"], ["APPEND", key, "("], ["SET", other, number], ["APPEND", key, ")"], ["EXEC"],
        ]
      case 5:
        [
          [
            "EVAL",
            "redis.call('SET', KEYS[1], ARGV[1]) redis.call('APPEND', KEYS[2], ARGV[1])",
            "2", key, other, number,
          ]
        ]
      case 6: [["PEXPIRE", key, brief], ["PEXPIRE", other, "100000"]]
      case 7: [["PERSIST", key], ["INCR", key]]
      default: [["SET", key, number], ["RENAME", key, other]]
      }
    return commands.map { $0.map { Array($0.utf8) } }
  }
}

@Suite(.enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"))
struct RepairOffsetTests {
  static let probes = 400

  @Test(arguments: SourceKind.allCases, [false, true])
  func aValueIsTheStateAtItsOffset(kind: SourceKind, isReplica: Bool) throws {
    let seed = UInt64.random(in: 0..<1_000_000)
    print("\(kind)\(isReplica ? " replica" : ""): seed \(seed)")
    let (master, port) = try isReplica ? kind.startMaster() : (try kind.start(), 0)
    let replica = try isReplica ? kind.start(["--replicaof", "127.0.0.1", "\(port)"]) : nil
    let source = replica ?? master
    let asking = try TestConnection(source)
    if isReplica { try awaitAttached(asking) }
    try TestConnection(master)("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    let recording = try RawReplica(of: source)

    let writer = try Writer(to: master, seed: seed)
    let answers = try probe(asking, writer, seed)
    try writer.stop()
    let masterOffset = try TestConnection(master).offset()
    while try asking.offset() < masterOffset {}
    try recording.pump(upTo: masterOffset)
    try Replay(kind: kind, isReplica: isReplica, seed: seed).run(recording, answers)
  }

  private func awaitAttached(_ replica: TestConnection) throws {
    while !ServerFacts(info: try replica("INFO", "replication").text ?? "").isMasterLinkUp {}
  }

  private func probe(
    _ connection: TestConnection, _ writer: Writer, _ seed: UInt64
  ) throws -> [RepairAnswer] {
    var random = SeededGenerator(seed: seed ^ 1)
    let question = RepairQuestion(ServerFacts(info: try connection("INFO").text ?? ""))
    var answers: [RepairAnswer] = []
    // As long as it takes the writer to get something done beside it.
    for number in 0..<100 * Self.probes {
      if number >= Self.probes, writer.batchesDone.load(ordering: .relaxed) > 4 * Self.probes {
        break
      }
      let name = KeyName(
        database: Int.random(in: 0...2, using: &random),
        key: Writer.keys.randomElement(using: &random)!)
      connection.enqueue([Array("SELECT".utf8), Array("\(name.database)".utf8)])
      let commands = question.commands(for: name.key)
      for command in commands { connection.enqueue(command) }
      for _ in commands { _ = try connection.receive() }
      let answer = try #require(question.answer(try connection.receive(), for: name))
      if answer.isSettled { answers.append(answer) }
    }
    return answers
  }
}

/// Replays a recording and holds answers against it.
private final class Replay {
  private let kind: SourceKind
  private let isReplica: Bool
  private let seed: UInt64
  private let server: RedisServer
  private let target: TestConnection
  private var database = 0
  /// Keys of which the source said that they are gone while the stream still has them: the next thing
  /// to come on them must be their end.
  private var doomed: Set<KeyName> = []
  private var existing = 0
  private var absent = 0
  private var early = 0
  private var inside = 0

  init(kind: SourceKind, isReplica: Bool, seed: UInt64) throws {
    (self.kind, self.isReplica, self.seed) = (kind, isReplica, seed)
    (server, target) = try SourceKind.startDestination()
  }

  func run(_ recording: RawReplica, _ answers: [RepairAnswer]) throws {
    var waiting = answers.sorted { $0.value.offset < $1.value.offset }[...]
    var isInTransaction = false
    var boundary = recording.startOffset
    while true {
      while !isInTransaction, let next = waiting.first, next.value.offset <= boundary {
        if next.value.offset < boundary { inside += 1 }
        try compare(next.value)
        waiting.removeFirst()
      }
      guard let command = try recording.next() else { break }
      let name = String(decoding: command.words[0], as: UTF8.self).uppercased()
      if let next = waiting.first, next.value.offset > command.start,
        next.value.offset < command.end
      {
        Issue.record("seed \(seed): offset \(next.value.offset) is inside of \(name)")
      }
      if name == "MULTI" { isInTransaction = true }
      if name == "EXEC" { isInTransaction = false }
      boundary = command.end
      try apply(command.words, name)
    }
    #expect(waiting.isEmpty, "seed \(seed)")
    #expect(existing > 20 && absent > 5, "seed \(seed): \(existing), \(absent)")
    #expect(kind == .redis62 || inside == 0, "seed \(seed)")
    #expect(!isReplica || early == 0, "seed \(seed)")
    print(
      "\(kind)\(isReplica ? " replica" : ""): \(existing) values, \(absent) without, of these"
        + " \(early) before their DEL, \(inside) inside of a transaction")
  }

  private func apply(_ words: [[UInt8]], _ name: String) throws {
    if name == "SELECT" { database = Int(String(decoding: words[1], as: UTF8.self)) ?? 0 }
    if name == "PING" || name == "REPLCONF" { return }
    for word in words.dropFirst() {
      let key = KeyName(database: database, key: word)
      if doomed.remove(key) != nil {
        #expect(name == "DEL" || name == "UNLINK", "seed \(seed): \(name) on an expired key")
      }
    }
    let reply = try target.send(words)
    #expect(reply.errorLine == nil, "seed \(seed): \(name)")
  }

  private func compare(_ value: RepairValue) throws {
    try target("SELECT", "\(value.name.database)")
    defer { _ = try? target("SELECT", "\(database)") }
    let key = value.name.key
    let exists = try target.send([Array("EXISTS".utf8), key]).integer == 1
    guard let payload = value.payload else {
      absent += 1
      if exists {
        early += 1
        doomed.insert(value.name)
      }
      return
    }
    existing += 1
    let scratch = Array("scratch".utf8)
    var restore = [Array("RESTORE".utf8), scratch, Array("\(value.expiryMilliseconds ?? 0)".utf8)]
    restore += [try stamped(payload), Array("REPLACE".utf8), Array("ABSTTL".utf8)]
    let restored = try target.send(restore)
    #expect(restored.errorLine == nil, "seed \(seed): \(restored)")
    let digests = [key, scratch].map {
      try? target.send([Array("DEBUG".utf8), Array("DIGEST-VALUE".utf8), $0]).array?.first
    }
    #expect(digests[0] == digests[1], "seed \(seed): \(value.name) at \(value.offset)")
    if kind.hasExpireTime {
      let expiry = try target.send([Array("PEXPIRETIME".utf8), key]).integer
      #expect(expiry == value.expiryMilliseconds ?? -1, "seed \(seed): \(value.name)")
    }
    try target("DEL", "scratch")
  }

  /// The payload with the footer of the oldest version that knows its type.
  private func stamped(_ payload: [UInt8]) throws -> [UInt8] {
    let encoder = RepairEncoder(
      mapping: KeyMapping(KeyFilter()), types: RestorableTypes(nil), features: .init())
    var buffer = ByteBuffer()
    let value = RepairValue(
      name: KeyName(database: 0, key: [0]), payload: payload, expiryMilliseconds: nil, offset: 0)
    _ = try encoder.append(value, to: &buffer)
    let bytes = buffer.withBytes { Array($0) }
    let command = try #require(RESP.decode(bytes, at: 0))
    return Array(bytes[command.arguments[3]])
  }
}
