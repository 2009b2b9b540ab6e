// One of the two servers as a comparison reads it: a connection, what the server can do, and which db is
// selected. Reads and never writes; keeps what it reads out of the server's statistics of use where the
// server lets it.

import Glibc
import RDBParser
import ReplicaLink

/// What DUMP and the question after the expiry gave.
struct RawState: Sendable {
  /// The payload; nil when there is no such key.
  var payload: [UInt8]?
  /// In milliseconds since 1970.
  var expiryMilliseconds: Int64?

  /// The state without the payload.
  ///
  /// - Throws: when the payload cannot be read.
  func state(now: Int64) throws(RDBError) -> KeyState {
    guard let payload else { return .missing }
    let meaning = try RDBMeaning(
      payload: payload.span, withoutFieldsExpiredAt: now &+ ComparisonRules.clockMilliseconds)
    // A hash goes with its last field.
    if meaning.type == .hash, meaning.count == 0 { return .missing }
    return KeyState(meaning: meaning, expiryMilliseconds: expiryMilliseconds)
  }

  /// Whether the two values are byte for byte the same. The footers, which tell of the servers, do not
  /// count.
  static func haveSameBytes(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    let footer = DumpPayload.footerLength
    guard one.count == other.count, one.count > footer else { return false }
    return one.withUnsafeBytes { mine in
      other.withUnsafeBytes { others in
        memcmp(mine.baseAddress!, others.baseAddress!, mine.count - footer) == 0
      }
    }
  }
}

/// A connection to one end.
struct VerifyEnd: ~Copyable {
  var connection: RedisConnection
  let facts: ServerFacts
  /// Whether it knows PEXPIRETIME (7.0).
  let knowsExpireTime: Bool
  /// Whether fields of hashes can expire there.
  let knowsFieldExpiry: Bool
  /// Whether it knows MEMORY USAGE (4.0), under this name.
  let knowsMemory: Bool
  private var database: Int?
  /// What is being done, for errors.
  private let doing: String

  /// Connects.
  ///
  /// - Parameters:
  ///   - doing: what for, for errors.
  ///   - interrupt: ends whatever is waited for when it rings.
  init(
    _ locator: ServerLocator, timeouts: Timeouts, doing: String = "comparing",
    interrupt: WakePipe? = nil
  ) throws(ReplayError) {
    self.doing = doing
    var connection = try ReplayError.wrap { () throws(LinkError) in
      try RedisConnection.open(
        try locator.locate(interrupt: interrupt), timeouts: timeouts, interrupt: interrupt)
    }
    let facts = try ReplayError.wrap { () throws(LinkError) in
      try ServerFacts.read(&connection)
    }
    guard let facts else {
      throw ReplayError(
        "\(doing) \(connection.peer): INFO is not permitted (grant the user +info)")
    }
    // Since 7.2: reading then leaves the times of last use alone. Elsewhere an error that says nothing.
    _ = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("CLIENT", "NO-TOUCH", "ON")
    }
    let memory = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("MEMORY", "USAGE")
    }
    knowsMemory = !Self.isUnknownCommand(memory.errorLine)
    self.connection = connection
    self.facts = facts
    knowsExpireTime = facts.version >= ServerVersion(7)
    knowsFieldExpiry = facts.commandFeatures.fieldExpiry
  }

  var peer: String { connection.peer }

  /// The dbs that hold anything, as the server said when it was connected to.
  var databases: [Int] { facts.keyCounts.keys.sorted() }

  /// Selects a db, unless it is selected.
  mutating func select(_ number: Int) throws(ReplayError) {
    if database == number { return }
    _ = try ask([Array("SELECT".utf8), Array("\(number)".utf8)])
    database = number
  }

  /// One command and its reply, which is no error.
  mutating func ask(_ command: [[UInt8]]) throws(ReplayError) -> RESPValue {
    connection.enqueue(command)
    return try receive(command)
  }

  /// One command of words.
  mutating func ask(_ words: String...) throws(ReplayError) -> RESPValue {
    try ask(words.map { Array($0.utf8) })
  }

  /// All questions, then all answers, none of which is an error.
  mutating func askAll(_ commands: [[[UInt8]]]) throws(ReplayError) -> [RESPValue] {
    for command in commands { connection.enqueue(command) }
    try send()
    var answers: [RESPValue] = []
    for _ in commands { answers.append(try receive()) }
    for (answer, command) in zip(answers, commands) {
      if let line = answer.errorLine { throw refusal(line, command) }
    }
    return answers
  }

  /// The same, with a db selected behind the first questions and before the others: their answers, without
  /// that of SELECT.
  mutating func askAll(
    _ commands: [[[UInt8]]], selecting number: Int, _ others: [[[UInt8]]]
  ) throws(ReplayError) -> [RESPValue] {
    let select = [Array("SELECT".utf8), Array("\(number)".utf8)]
    database = number
    var answers = try askAll(commands + [select] + others)
    answers.remove(at: commands.count)
    return answers
  }

  /// Sends what is enqueued.
  mutating func send() throws(ReplayError) {
    do throws(LinkError) { try connection.send() } catch { throw ReplayError(error) }
  }

  /// The reply to a command that is enqueued.
  mutating func receive(_ command: [[UInt8]]) throws(ReplayError) -> RESPValue {
    let reply = try receive()
    if let line = reply.errorLine { throw refusal(line, command) }
    return reply
  }

  /// A reply, whatever it is.
  mutating func receive() throws(ReplayError) -> RESPValue {
    do throws(LinkError) { return try connection.receive() } catch { throw ReplayError(error) }
  }

  /// The failure that an error reply means.
  func refusal(_ line: String, _ command: [[UInt8]]) -> ReplayError {
    let name = String(decoding: command.first ?? [], as: UTF8.self)
    let key = command.count > 1 ? " \(Printable.key(command[1]))" : ""
    var error = ReplayError(
      ServerRefusal.error(line, action: "\(doing): \(name)\(key) at \(connection.peer)"))
    error.isOfChangedKey = ["WRONGTYPE", "NOGROUP", "ERR no such key"].contains(
      where: line.hasPrefix)
    return error
  }

  // MARK: - Keys

  /// Keys looked at by one SCAN: a millisecond or so of the server's time.
  static let scanCount = 1_000

  /// One page of SCAN over the selected db.
  mutating func scan(
    _ cursor: [UInt8], _ pattern: [UInt8]?, count: Int = scanCount
  ) throws(ReplayError) -> (cursor: [UInt8], keys: [[UInt8]]) {
    var command = [Array("SCAN".utf8), cursor]
    if let pattern { command += [Array("MATCH".utf8), pattern] }
    command += [Array("COUNT".utf8), Array("\(count)".utf8)]
    guard let parts = try ask(command).array, parts.count == 2, case .bulk(let next) = parts[0],
      let found = parts[1].array
    else { throw ReplayError("scanning \(peer): the answer to SCAN makes no sense") }
    let keys = found.compactMap { value -> [UInt8]? in
      if case .bulk(let key) = value { return key }
      return nil
    }
    return (next, keys)
  }

  /// The commands that ask what a key is.
  func stateCommands(_ key: [UInt8]) -> [[[UInt8]]] {
    let dump = [Array("DUMP".utf8), key]
    if knowsExpireTime { return [dump, [Array("PEXPIRETIME".utf8), key]] }
    return [dump, [Array("PTTL".utf8), key], [Array("TIME".utf8)]]
  }

  /// The state of a key whose `stateCommands` are enqueued.
  mutating func receiveState(_ key: [UInt8]) throws(ReplayError) -> RawState {
    var replies: [RESPValue] = []
    for _ in 0..<stateReplyCount { replies.append(try receive([Array("DUMP".utf8), key])) }
    return state(replies[...])
  }

  /// When a key expires, in milliseconds since 1970; nil when it does not, or is not there.
  mutating func expiry(of key: [UInt8]) throws(ReplayError) -> Int64? {
    if knowsExpireTime {
      let time = try ask([Array("PEXPIRETIME".utf8), key]).integer
      return time.flatMap { $0 >= 0 ? $0 : nil }
    }
    let (asked, clock) = ([Array("PTTL".utf8), key], [Array("TIME".utf8)])
    connection.enqueue(asked)
    connection.enqueue(clock)
    let left = try receive(asked).integer
    let time = try receive(clock)
    return left.flatMap { $0 >= 0 ? RepairQuestion.deadline($0, time) : nil }
  }

  /// How many replies they have.
  var stateReplyCount: Int { knowsExpireTime ? 2 : 3 }

  /// Reads their replies.
  func state(_ replies: ArraySlice<RESPValue>) -> RawState {
    let first = replies.startIndex
    guard replies.count == stateReplyCount, case .bulk(let payload) = replies[first],
      let time = replies[first + 1].integer, time != -2
    else { return RawState() }
    guard time >= 0 else { return RawState(payload: payload) }
    if knowsExpireTime { return RawState(payload: payload, expiryMilliseconds: time) }
    return RawState(
      payload: payload, expiryMilliseconds: RepairQuestion.deadline(time, replies[first + 2]))
  }
}
