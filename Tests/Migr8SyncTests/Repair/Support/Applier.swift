// The smallest lane there can be: applies a router's decisions to a destination, one command at a time,
// and fetches repairs with delays at random moments.

import ReplicaLink
import Testing

@testable import Migr8Sync

final class Applier {
  private let asking: TestConnection
  private let target: TestConnection
  private let question: RepairQuestion
  private let encoder: RepairEncoder
  private let rewritesTimes: Bool
  private(set) var router: CommandRouter
  private(set) var counts = RoutingCounts()
  private var random: SeededGenerator
  /// How soon repairs are asked for and heard, in percent per command.
  private let eagerness: Int

  /// What a checkpoint would hold.
  private var checkpoint: Set<KeyName> = []
  private var answers: [RepairAnswer] = []
  private var boundary: UInt64
  private var isTransactionSent = false
  /// What was sent of the open transaction, with its database.
  private var sent: [([[UInt8]], Int)] = []
  /// Commands that the destination refused and whose keys were repaired.
  private(set) var refusals = 0
  private var selected = -1
  /// The last lines of --explain.
  private(set) var history: [String] = []

  /// The program's own way to ask, in place of asking at random moments.
  private let fetcher: RepairFetcher?
  private let replicationID: String

  init(
    router: CommandRouter, source: RedisServer, target: TestConnection, offset: UInt64,
    seed: UInt64, fetcher: RepairFetcher? = nil
  ) throws {
    self.fetcher = fetcher
    asking = try TestConnection(source)
    let facts = ServerFacts(info: try asking("INFO").text ?? "")
    question = RepairQuestion(facts)
    replicationID = facts.replicationID ?? ""
    rewritesTimes = facts.version < ServerVersion(7)
    self.router = router
    self.target = target
    encoder = RepairEncoder(
      mapping: router.mapping,
      types: RestorableTypes(ServerFacts(info: try target("INFO").text ?? "")), features: .init())
    random = SeededGenerator(seed: seed ^ 2)
    eagerness = [2, 5, 20, 60].randomElement(using: &random) ?? 20
    boundary = offset
  }

  /// Values that came too late, before every crash and after.
  var lateValues: UInt64 { lateBefore + router.repairs.lateValues }
  private var lateBefore: UInt64 = 0

  private func chance(_ percent: Int) -> Bool {
    Int.random(in: 0..<100, using: &random) < percent
  }

  /// Somebody else has used the connection.
  func forgetSelection() {
    selected = -1
  }

  // MARK: Repairs

  /// Perhaps asks, perhaps hears, perhaps crashes.
  private func betweenCommands() throws {
    if fetcher != nil || chance(eagerness) { try ask() }
    if chance(eagerness) { hear() }
    while router.repairs.isBlocking {
      try ask()
      hear()
      try writeDue()
    }
    try writeDue()
    if !router.isInTransaction {
      let changes = router.repairs.takeChanges()
      checkpoint = checkpoint.union(changes.added).subtracting(changes.removed)
      #expect(checkpoint == Set(router.repairs.names))
      if chance(1) { resume() }
    }
  }

  private func ask() throws {
    if let fetcher {
      if router.repairs.isBlocking {
        _ = fetcher.awaitAnswers(untilMilliseconds: Clock.monotonicMilliseconds() + 100)
      }
      return try fetcher.exchange(with: &router.repairs, following: replicationID)
    }
    for name in router.repairs.takeNeeded(limit: 5) {
      try asking("SELECT", "\(name.database)")
      let commands = question.commands(for: name.key)
      for command in commands { asking.enqueue(command) }
      for _ in commands.dropLast() { _ = try asking.receive() }
      answers.append(try #require(question.answer(try asking.receive(), for: name)))
    }
  }

  private func hear() {
    for answer in answers {
      if chance(5) {
        router.repairs.answered(answer, following: "another history")
      } else {
        router.repairs.answered(answer, following: answer.replicationID)
      }
    }
    answers = []
  }

  private func writeDue() throws {
    guard !router.isInTransaction, router.repairs.hasDue(at: boundary) else { return }
    for value in router.repairs.takeDue(at: boundary) {
      note("offset \(boundary): writes \(value.name) of offset \(value.offset)")
      var buffer = ByteBuffer()
      let count = try encoder.append(value, to: &buffer)
      let bytes = buffer.withBytes { Array($0) }
      var position = 0
      var written = 0
      while let command = RESP.decode(bytes, at: position) {
        try send(
          command.arguments.map { Array(bytes[$0]) },
          router.mapping.destination(of: value.name.database))
        position = command.range.upperBound
        written += 1
      }
      #expect(written == count)
    }
  }

  /// A crash: nothing survives but what the checkpoint holds.
  private func resume() {
    answers = []
    lateBefore += router.repairs.lateValues
    var fresh = CommandRouter(
      mapping: router.mapping, policy: router.policy, table: router.table,
      destinationIsOurs: router.destinationIsOurs, database: router.database,
      repairs: RepairBook(resuming: Array(checkpoint), atBoundary: boundary))
    swap(&router, &fresh)
    note("offset \(boundary): resumes")
  }

  /// Carries out everything that is still under repair, while `pump` brings what the stream still has.
  func settle(_ pump: () throws -> Void) throws {
    for _ in 0..<1000 where !router.repairs.isEmpty {
      if let fetcher {
        _ = fetcher.awaitAnswers(untilMilliseconds: Clock.monotonicMilliseconds() + 20)
      }
      try ask()
      hear()
      try pump()
      try writeDue()
    }
    #expect(router.repairs.isEmpty)
  }

  // MARK: Commands

  func apply(_ command: RawReplica.Command) throws {
    try betweenCommands()
    var decision = router.route(
      command.bytes.span, arguments: command.arguments.span, startOffset: command.start,
      receiptMilliseconds: rewritesTimes ? Clock.wallMilliseconds() : nil)
    note(
      decision.explanation(
        command.bytes.span, arguments: command.arguments.span, database: router.database,
        offset: command.start))
    if decision == .needsKeys {
      let keys = try asking.send(["COMMAND", "GETKEYS"].map { Array($0.utf8) } + command.words)
      decision = router.route(
        command.bytes.span, arguments: command.arguments.span, startOffset: command.start,
        askedKeys: keys.array?.compactMap { $0.text.map { Array($0.utf8) } })
    }
    counts.count(decision)
    try carryOut(decision, command)
    if !router.isInTransaction {
      boundary = command.end
      try writeDue()
    }
  }

  private func carryOut(_ decision: RoutingDecision, _ command: RawReplica.Command) throws {
    switch decision {
    case .forward(let database): try send(command.words, database)
    case .flush(let database): try send(command.words, database)
    case .swap(let one, let other):
      try send(["SWAPDB", "\(one)", "\(other)"].map { Array($0.utf8) }, nil)
    case .rewritten(let bytes, let database, _):
      let command = try #require(RESP.decode(bytes, at: 0))
      try send(command.arguments.map { Array(bytes[$0]) }, database)
    case .clear(let scope): try clear(scope)
    case .commit:
      try exec()
    case .repair, .drop, .begin, .acknowledge, .consumed: break
    case .abort, .needsKeys, .resynchronise, .stop: Issue.record("\(decision)")
    }
  }

  private func send(_ words: [[UInt8]], _ database: Int?) throws {
    if router.isInTransaction, !isTransactionSent {
      try check(try target("MULTI"))
      isTransactionSent = true
    }
    if let database, database != selected {
      try check(try target("SELECT", "\(database)"))
      selected = database
      if isTransactionSent { sent.append(([], selected)) }
    }
    if isTransactionSent { sent.append((words, selected)) }
    heal(try target.send(words), words, selected)
  }

  private func exec() throws {
    guard isTransactionSent else { return }
    isTransactionSent = false
    defer { sent = [] }
    let reply = try target("EXEC")
    try check(reply)
    for ((words, database), part) in zip(sent, reply.array ?? []) { heal(part, words, database) }
  }

  /// A refused command means that its keys are not what they should be.
  private func heal(_ reply: RESPValue, _ words: [[UInt8]], _ database: Int) {
    guard let line = reply.errorLine else { return }
    let names = router.keysRefused(words, database: database)
    note("offset \(boundary): refused, \(line): repairs \(names)")
    refusals += 1
    #expect(!names.isEmpty)
    for name in names {
      let entered = router.repairs.request(name, atBoundary: boundary)
      #expect(entered)
    }
  }

  private func check(_ reply: RESPValue) throws {
    guard let line = reply.errorLine else { return }
    Issue.record("the destination refuses: \(line)")
    throw RedisServer.Failure(reason: history.suffix(20).joined(separator: "\n"))
  }

  private func clear(_ scope: ClearScope) throws {
    try exec()
    for database in 0..<RandomWorkload.databases {
      if case .database(let one) = scope, one != database { continue }
      guard router.filter.matches(database: database) else { continue }
      selected = router.mapping.destination(of: database)
      try check(try target("SELECT", "\(selected)"))
      for key in try target("KEYS", "*").array ?? [] {
        guard case .bulk(let bytes) = key, router.mapping.sourceKey(of: bytes) != nil else {
          continue
        }
        try check(try target.send([Array("DEL".utf8), bytes]))
      }
    }
  }

  private func note(_ line: String) {
    history.append(line)
  }
}
