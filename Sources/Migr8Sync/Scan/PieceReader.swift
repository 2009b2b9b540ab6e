// A value that is too large to be fetched whole, read from a server some hundred elements at a time, as the
// commands that make it elsewhere. The key is watched from the first piece to the last: what nobody has
// touched in between is exactly what it was, and otherwise it is read again, a few times; so it is when the
// connection is lost, as often as that happens. Memory: a piece.
//
// Streams are in PieceReader+Stream.swift.

import RDBParser
import ReplicaLink

/// Reads large values, one after the other. On a connection of its own for each, because of what it watches,
/// and because a source may end those that are idle between them.
struct PieceReader: ValueCommands, ~Copyable {
  /// What is read next.
  enum Stage {
    case beginning
    /// From this place on: an index, a cursor, or an id.
    case elements([UInt8])
    /// What a stream says of itself, then its groups.
    case streamInfo
    case streamGroups([StreamGroup])
    case end
  }

  /// A consumer group that is still to be written; its pending entries from an id on.
  struct StreamGroup {
    var name: [UInt8]
    var pendingFrom: [UInt8]?
  }

  /// Elements of a piece, and its bytes, roughly.
  static let elementsMax: Int64 = 500
  static let pieceBytes: Int64 = 1 << 18
  /// So often a value that changes meanwhile is read.
  static let attemptsMax = 4

  /// How many elements make a piece.
  ///
  /// - Parameters:
  ///   - bytes: the memory that the value takes.
  ///   - elements: how many it has.
  static func step(bytes: UInt64, elements: Int64) -> Int64 {
    let bytesEach = max(1, Int64(clamping: bytes) / max(1, elements))
    return max(1, min(elementsMax, pieceBytes / bytesEach))
  }

  let plan: DestinationPlan
  private let connector: ScanConnector
  /// Of the source's process.
  private let runID: String?
  private var connection: VerifyEnd?
  private var pause = Backoff.forStream()
  private(set) var name = KeyName(database: 0, key: [])
  private var kind = RDBValueKind.string
  private var bytes: UInt64 = 0
  private var attempts = 0
  var stage = Stage.end
  var commandKey: [UInt8] = []
  /// Elements to ask for at once.
  var step: Int64 = 1
  private var output = ByteBuffer()
  private var count = 0
  var report = RDBCommandReport()
  private(set) var commandStringLength: UInt64 = 0
  private(set) var isTorn = false
  /// There is no value of this type under the key any more; nothing was written.
  private(set) var isGone = false
  private var expiry: Int64?
  var hasEntries = false

  /// - Parameter runID: of the source's process.
  init(_ plan: DestinationPlan, _ connector: ScanConnector, runID: String?) {
    self.plan = plan
    self.connector = connector
    self.runID = runID
  }

  var place: String { "reading the source" }

  /// Whether values of a kind can be read in pieces.
  static func reads(_ kind: RDBValueKind) -> Bool { lengthCommand(of: kind) != nil }

  /// Begins a value.
  ///
  /// - Parameter bytes: the memory that it takes.
  mutating func begin(_ name: KeyName, _ kind: RDBValueKind, bytes: UInt64) {
    self.name = name
    self.kind = kind
    self.bytes = bytes
    attempts = 0
    connection = nil
    pause = Backoff.forStream()
    stage = .beginning
    commandKey = name.key
    report = RDBCommandReport()
    isTorn = false
    isGone = false
  }

  func expiryMilliseconds(of entry: RDBEntry) -> Int64? { expiry }

  /// What has changed meanwhile is removed, and read anew.
  func mayVanish(_ entry: RDBEntry) -> Bool { true }

  mutating func setCommandKey(_ key: [UInt8]) { commandKey = key }

  func withCommands(_ body: (Span<UInt8>) -> Void) {
    output.withBytes { body(Span(_unsafeBytes: $0)) }
  }

  mutating func nextCommands() throws(ReplayError) -> RDBCommandStep {
    output.removeAll()
    count = 0
    do {
      while count == 0 {
        if case .end = stage {
          if isGone { return .end(report) }
          if try isWhole() { return .end(report) }
        } else {
          try advance()
        }
      }
    } catch {
      connection = nil
      output.removeAll()
      count = 0
      beginAgain()
      if error.isOfChangedKey {
        attempts += 1
        if attempts >= Self.attemptsMax { giveUp() }
      } else {
        connection = try connector.connect(after: error, to: runID, &pause)
      }
    }
    return .commands(count: count)
  }

  /// Whether what was read is the value; begins again where somebody has touched it.
  private mutating func isWhole() throws(ReplayError) -> Bool {
    var end = try take()
    let isUntouched = try PairReader.transact([], &end) != nil
    connection = consume end
    if isUntouched { return true }
    attempts += 1
    guard attempts < Self.attemptsMax else {
      isTorn = true
      return true
    }
    beginAgain()
    return false
  }

  /// Throws away what was written.
  private mutating func beginAgain() {
    emit([Array("UNLINK".utf8), commandKey])
    report = RDBCommandReport()
    stage = .beginning
  }

  private mutating func giveUp() {
    isGone = true
    stage = .end
  }

  private mutating func take() throws(ReplayError) -> VerifyEnd {
    if let open = connection.take() { return open }
    return try connector.connect()
  }

  /// The reply to a command that is enqueued.
  private mutating func receive(
    _ command: [[UInt8]], _ end: inout VerifyEnd
  ) throws(ReplayError) -> RESPValue {
    let reply = try end.receive()
    guard let line = reply.errorLine else { return reply }
    throw end.refusal(line, command)
  }

  /// Asks the source.
  mutating func ask(_ words: String..., more: [[UInt8]] = []) throws(ReplayError) -> RESPValue {
    var end = try take()
    let command = words.map { Array($0.utf8) } + more
    end.connection.enqueue(command)
    let reply = try receive(command, &end)
    connection = consume end
    return reply
  }

  /// Asks what time it is at the source, and something else right behind that.
  mutating func askWithTime(
    _ command: [[UInt8]]
  ) throws(ReplayError) -> (time: RESPValue, reply: RESPValue) {
    var end = try take()
    let time = [Array("TIME".utf8)]
    end.connection.enqueue(time)
    end.connection.enqueue(command)
    let now = try receive(time, &end)
    let reply = try receive(command, &end)
    connection = consume end
    return (now, reply)
  }

  /// Adds a command to the output.
  mutating func emit(_ command: [[UInt8]]) {
    output.appendCommand(command)
    count += 1
  }

  // MARK: - Pieces

  private mutating func advance() throws(ReplayError) {
    switch stage {
    case .beginning: try begin()
    case .elements(let place):
      switch kind {
      case .string: try readString(place)
      case .list: try readList(place)
      case .set, .sortedSet, .hash: try readMembers(place)
      case .stream: try readEntries(place)
      case .module, .array, .unknown: giveUp()
      }
    case .streamInfo: try readStreamInfo()
    case .streamGroups(let groups): try readGroup(groups)
    case .end: break
    }
  }

  /// What tells how many elements a value has; nil for a kind whose values have no pieces.
  static func lengthCommand(of kind: RDBValueKind) -> String? {
    switch kind {
    case .string: "STRLEN"
    case .list: "LLEN"
    case .set: "SCARD"
    case .sortedSet: "ZCARD"
    case .hash: "HLEN"
    case .stream: "XLEN"
    case .module, .array, .unknown: nil
    }
  }

  private mutating func begin() throws(ReplayError) {
    guard let length = Self.lengthCommand(of: kind) else { return giveUp() }
    var end = try take()
    try end.select(name.database)
    connection = consume end
    _ = try ask("WATCH", more: [name.key])
    guard try ask("TYPE", more: [name.key]).text == kind.rawValue else { return giveUp() }
    expiry = try askExpiry()
    let count = try ask(length, more: [name.key]).integer ?? 0
    commandStringLength = kind == .string ? UInt64(clamping: count) : 0
    hasEntries = false
    step = Self.step(bytes: bytes, elements: count)
    stage = .elements(Array((kind == .stream ? "-" : "0").utf8))
  }

  private mutating func askExpiry() throws(ReplayError) -> Int64? {
    var end = try take()
    let expiry = try end.expiry(of: name.key)
    connection = consume end
    return expiry
  }

  /// `place` as an index.
  private static func index(_ place: [UInt8]) -> Int64 {
    Int64(String(decoding: place, as: UTF8.self)) ?? 0
  }

  private mutating func readString(_ place: [UInt8]) throws(ReplayError) {
    let start = Self.index(place)
    let bounds = [start, start + Self.pieceBytes - 1].map { Array("\($0)".utf8) }
    let reply = try ask("GETRANGE", more: [name.key] + bounds)
    guard case .bulk(let piece) = reply, !piece.isEmpty else { return stage = .end }
    emit([Array((start == 0 ? "SET" : "APPEND").utf8), commandKey, piece])
    stage = .elements(Array("\(start + Int64(piece.count))".utf8))
  }

  private mutating func readList(_ place: [UInt8]) throws(ReplayError) {
    let start = Self.index(place)
    let bounds = [start, start + step - 1].map { Array("\($0)".utf8) }
    let items = try ask("LRANGE", more: [name.key] + bounds).bulks
    if items.isEmpty { return stage = .end }
    emit([Array("RPUSH".utf8), commandKey] + items)
    stage = .elements(Array("\(start + Int64(items.count))".utf8))
  }

  private mutating func readMembers(_ place: [UInt8]) throws(ReplayError) {
    let kind: MemberKind =
      self.kind == .set ? .set : self.kind == .sortedSet ? .sortedSet : .hash
    let scan = String(decoding: kind.scan, as: UTF8.self)
    let reply = try ask(
      scan, more: [name.key, place, Array("COUNT".utf8), Array("\(step)".utf8)])
    guard let parts = reply.array, parts.count == 2, case .bulk(let next) = parts[0] else {
      throw ReplayError("reading key \(name) from the source: the answer to \(scan) makes no sense")
    }
    stage = next == Array("0".utf8) ? .end : .elements(next)
    let items = parts[1].bulks
    if items.isEmpty { return }
    switch kind {
    case .set: emit([Array("SADD".utf8), commandKey] + items)
    case .sortedSet:
      let pairs = stride(from: 0, to: items.count - 1, by: 2).flatMap {
        [items[$0 + 1], items[$0]]
      }
      emit([Array("ZADD".utf8), commandKey] + pairs)
    case .hash: try emitFields(items)
    }
  }

  /// Writes fields and their values that alternate, and when they expire by themselves.
  private mutating func emitFields(_ items: [[UInt8]]) throws(ReplayError) {
    guard connection?.knowsFieldExpiry ?? false else {
      return emit([Array("HSET".utf8), commandKey] + items)
    }
    let fields = stride(from: 0, to: items.count - 1, by: 2).map { items[$0] }
    let times = try ask(
      "HPEXPIRETIME",
      more: [name.key, Array("FIELDS".utf8), Array("\(fields.count)".utf8)] + fields)
    var present: [[UInt8]] = []
    var deadlines: [(field: [UInt8], milliseconds: Int64)] = []
    for (index, time) in (times.array ?? []).prefix(fields.count).enumerated() {
      // -2 is a field that has expired since it was read, and -1 one that never does.
      guard let milliseconds = time.integer, milliseconds != -2 else { continue }
      present += items[(2 * index)...(2 * index + 1)]
      if milliseconds >= 0 { deadlines.append((fields[index], milliseconds)) }
    }
    if present.isEmpty { return }
    emit([Array("HSET".utf8), commandKey] + present)
    guard plan.facts?.commandFeatures.fieldExpiry ?? true else {
      report.droppedFieldExpiries += deadlines.count
      return
    }
    for (field, milliseconds) in deadlines {
      emit([
        Array("HPEXPIREAT".utf8), commandKey, Array("\(milliseconds)".utf8),
        Array("FIELDS".utf8), Array("1".utf8), field,
      ])
    }
  }
}

extension RESPValue {
  /// The strings of an array.
  var bulks: [[UInt8]] {
    (array ?? []).compactMap { value in
      if case .bulk(let bytes) = value { return bytes }
      return nil
    }
  }
}
