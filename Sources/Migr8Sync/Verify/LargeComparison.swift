// A value too large to be fetched whole is compared in pieces: its elements are read at the source some
// hundreds at a time and looked up at the destination. What seems to differ is confirmed, by the same
// method as a whole key, before it counts. Memory: a piece, whatever the value's size.

import RDBParser
import ReplicaLink

/// Compares large values.
extension PairReader {
  /// So often a key is compared anew that was replaced meanwhile, or is about to expire.
  static let comparisonsMax = 5
  /// So often an element is read again before its key counts as undecided.
  static let confirmationsMax = 12

  /// What comparing a large value came to.
  enum LargeResult: Sendable, Equatable {
    case same
    case different(DifferenceCause, String)
    case undecided
  }

  /// Both answers to a question about an element, when they are known to belong together.
  enum Confirmation {
    case same
    case different(RESPValue, RESPValue)
    case undecided
  }

  /// Compares one large key.
  ///
  /// - Parameter bytes: the memory that it takes.
  mutating func compareLarge(
    _ name: KeyName, bytes: UInt64
  ) throws(ReplayError) -> LargeResult {
    for attempt in 0..<Self.comparisonsMax {
      do throws(ReplayError) {
        if let result = try compareOnce(name, bytes) { return result }
      } catch {
        guard error.isOfChangedKey else { throw error }
        _ = try source.ask("UNWATCH")
        _ = try destination.ask("UNWATCH")
      }
      try progress.pause(milliseconds: Int64.random(in: 100...(200 << Int64(attempt))))
    }
    return .undecided
  }

  /// Nil when the key is to be compared anew a moment later.
  private mutating func compareOnce(
    _ name: KeyName, _ bytes: UInt64
  ) throws(ReplayError) -> LargeResult? {
    let type = Array("TYPE".utf8)
    switch try confirm(name, [type]) {
    case .undecided: return .undecided
    case .different(let mine, let other):
      guard mine.text == "none" || other.text == "none" else { return .different(.type, "") }
      let isAtSource = other.text == "none"
      if try isExpiring(name, atSource: isAtSource) { return nil }
      return .different(isAtSource ? .missing : .extra, "")
    case .same: break
    }
    try selectBoth(name)
    let word = try source.ask([type, name.key]).text ?? "none"
    var result = try compareElements(name, ofType: word, bytes)
    if result == .same { result = try compareExpiry(name) }
    if case .different = result {
      let (mine, other) = try askBoth(name, [Array("EXISTS".utf8)])
      // It went away under the comparison.
      if mine.integer == 0 || other.integer == 0 { return nil }
    }
    return result
  }

  /// Whether a key that only one end has is gone there, too, or will be in a moment.
  private mutating func isExpiring(
    _ name: KeyName, atSource: Bool
  ) throws(ReplayError) -> Bool {
    func isExpiring(
      _ key: [UInt8], _ end: inout VerifyEnd, _ rules: ComparisonRules
    ) throws(ReplayError) -> Bool {
      let expiry = try end.expiry(of: key)
      if expiry != nil { return rules.isExpiring(expiry, Clock.wallMilliseconds()) }
      return try end.ask([Array("EXISTS".utf8), key]).integer == 0
    }
    try selectBoth(name)
    if atSource { return try isExpiring(name.key, &source, rules) }
    return try isExpiring(mapping.destinationKey(of: name.key), &destination, rules)
  }

  private mutating func compareElements(
    _ name: KeyName, ofType word: String, _ bytes: UInt64
  ) throws(ReplayError) -> LargeResult {
    guard let kind = RDBValueKind(rawValue: word),
      let length = PieceReader.lengthCommand(of: kind)
    else { return try compareWhole(name) }
    let count = try source.ask([Array(length.utf8), name.key]).integer ?? 0
    let step = PieceReader.step(bytes: bytes, elements: count)
    switch kind {
    case .string:
      return try comparePieces(name, length, "GETRANGE", count, step: PieceReader.pieceBytes)
    case .list: return try comparePieces(name, length, "LRANGE", count, step: step)
    case .set: return try compareMembers(name, .set, step: step)
    case .sortedSet: return try compareMembers(name, .sortedSet, step: step)
    case .hash: return try compareMembers(name, .hash, step: step)
    case .stream: return try compareStream(name, step: step)
    case .module, .array, .unknown: return try compareWhole(name)
    }
  }

  /// A value of a module has no pieces: its bytes have to be the same.
  private mutating func compareWhole(_ name: KeyName) throws(ReplayError) -> LargeResult {
    switch try confirm(name, [Array("DUMP".utf8)], isSame: Self.haveSameBytes) {
    case .same: .same
    case .different: .different(.value, "")
    case .undecided: .undecided
    }
  }

  static func haveSameBytes(_ one: RESPValue, _ other: RESPValue) -> Bool {
    guard case .bulk(let mine) = one, case .bulk(let others) = other else { return one == other }
    return RawState.haveSameBytes(mine, others)
  }

  private mutating func compareExpiry(_ name: KeyName) throws(ReplayError) -> LargeResult {
    // Below 7.0 only the time left is told: the two are asked within moments of each other.
    let isExact = source.knowsExpireTime && destination.knowsExpireTime
    let command = [Array((isExact ? "PEXPIRETIME" : "PTTL").utf8)]
    let slack: Int64 = isExact ? 0 : settleMilliseconds + Self.patienceMilliseconds
    var rules = rules
    rules.toleranceMilliseconds += slack
    let tolerant = rules
    let confirmation = try confirm(name, command) { one, other in
      let times = [one, other].map { $0.integer.flatMap { $0 >= 0 ? $0 : nil } }
      return tolerant.isSame(times[0], times[1])
    }
    switch confirmation {
    case .same: return .same
    case .different: return .different(.ttl, "")
    case .undecided: return .undecided
    }
  }

  // MARK: - Strings and lists

  private mutating func comparePieces(
    _ name: KeyName, _ length: String, _ range: String, _ count: Int64, step: Int64
  ) throws(ReplayError) -> LargeResult {
    var start: Int64 = 0
    while start < count {
      if progress.isCancelled { throw .interrupted }
      let bounds = [start, start + step - 1].map { Array("\($0)".utf8) }
      let command = [Array(range.utf8)]
      let (mine, other) = try askBoth(name, command, bounds)
      if mine != other {
        switch try confirm(name, command, bounds) {
        case .same: break
        case .undecided: return .undecided
        case .different(let mine, let other):
          return .different(.value, Self.describe(mine, other, from: start))
        }
      }
      start += step
    }
    switch try confirm(name, [Array(length.utf8)]) {
    case .same: return .same
    case .undecided: return .undecided
    case .different(let mine, let other):
      let unit = range == "LRANGE" ? "items" : "bytes"
      return .different(
        .value,
        "\(mine.text ?? "?") \(unit) at the source, \(other.text ?? "?") at the destination")
    }
  }

  private static func describe(
    _ mine: RESPValue, _ other: RESPValue, from start: Int64
  ) -> String {
    if case .bulk(let one) = mine, case .bulk(let another) = other {
      return "byte \(start + Int64(zip(one, another).prefix { $0 == $1 }.count))"
    }
    let (items, others) = (mine.array ?? [], other.array ?? [])
    return "item \(start + Int64(zip(items, others).prefix { $0 == $1 }.count))"
  }

  // MARK: - Asking both

  mutating func selectBoth(_ name: KeyName) throws(ReplayError) {
    try source.select(name.database)
    try destination.select(mapping.destination(of: name.database))
  }

  /// One question to both ends at about the same time.
  mutating func askBoth(
    _ name: KeyName, _ command: [[UInt8]], _ arguments: [[UInt8]] = []
  ) throws(ReplayError) -> (RESPValue, RESPValue) {
    try selectBoth(name)
    let mine = command + [name.key] + arguments
    let other = command + [mapping.destinationKey(of: name.key)] + arguments
    source.connection.enqueue(mine)
    destination.connection.enqueue(other)
    try source.send()
    try destination.send()
    // Both are read, whatever they are: what is left unread would be taken for the next answer.
    let (answer, others) = (try source.receive(), try destination.receive())
    if let line = answer.errorLine { throw source.refusal(line, mine) }
    if let line = others.errorLine { throw destination.refusal(line, other) }
    return (answer, others)
  }

  /// Asks until the answers are the same, or known to belong together and to be different.
  mutating func confirm(
    _ name: KeyName, _ command: [[UInt8]], _ arguments: [[UInt8]] = [],
    isSame: (RESPValue, RESPValue) -> Bool = { $0 == $1 }
  ) throws(ReplayError) -> Confirmation {
    var rest = SameReadings()
    for attempt in 0..<Self.confirmationsMax {
      let (mine, other) = try askBoth(name, command, arguments)
      if isSame(mine, other) { return .same }
      let reading = try read(
        [name], source: [command + [name.key] + arguments],
        destination: [command + [mapping.destinationKey(of: name.key)] + arguments])
      if case .answers(let mine, let other) = reading {
        return isSame(mine[0], other[0]) ? .same : .different(mine[0], other[0])
      }
      if rest.decides(reading, mine, other) { return .different(mine, other) }
      try progress.pause(milliseconds: Int64.random(in: 20...(50 << Int64(min(attempt, 4)))))
    }
    return .undecided
  }
}
