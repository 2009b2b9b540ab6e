// A source that exists only as rules: it writes, is asked, fails, is replaced, all by chance, and its
// network splits, delays and loses what it says. Time is a number.

@testable import ReplicaLink

/// The source's history: what was written, under which id, and how far back it is kept.
struct SimulatedHistory {
  var identity = ""
  private var predecessor: (identity: String, end: UInt64)?
  /// The stream from `base` on.
  private var bytes: [UInt8] = []
  private var base: UInt64
  private var backlogStart: UInt64
  /// Where a command outside a transaction ends.
  private var boundaries: [UInt64]
  private var isInTransaction = false

  init(_ random: inout SeededRandom) {
    base = UInt64(random.below(1_000_000))
    backlogStart = base
    boundaries = [base]
    identity = Self.identity(&random)
  }

  var end: UInt64 { base + UInt64(bytes.count) }

  private static func identity(_ random: inout SeededRandom) -> String {
    let digits = Array("0123456789abcdef")
    return String((0..<40).map { _ in digits[random.below(16)] })
  }

  // MARK: - Writing

  mutating func write(_ random: inout SeededRandom) {
    if random.chance(20) { bytes += random.chance(2) ? [10] : [13, 10] }
    if random.chance(50) { bytes += Array("*0\r\n".utf8) }
    switch random.below(12) {
    case 0 where !isInTransaction:
      command(["MULTI"])
      isInTransaction = true
    case 1, 2:
      if isInTransaction { closeTransaction() } else { command(["multi", "x"]) }
    case 3:
      command(["SET", "k", String(repeating: "*1\r\n$4\r\nEXEC\r\n", count: random.below(80))])
    case 4: command(["ping"])
    default: command(["SET", "key:\(random.below(1000))", "\(random.next())"])
    }
  }

  private mutating func command(_ words: [String]) {
    // "MULTI x" is no command that begins a transaction: say it in a way that it does not.
    let words = words == ["multi", "x"] ? ["multix"] : words
    bytes += Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    if !isInTransaction && words[0] != "MULTI" { boundaries.append(end) }
  }

  mutating func closeTransaction() {
    guard isInTransaction else { return }
    isInTransaction = false
    command(["EXEC"])
  }

  // MARK: - Losing

  /// A replica that has not everything takes over.
  mutating func failOver(_ random: inout SeededRandom) {
    let recent = boundaries.suffix(1 + random.below(8))
    let point = recent[recent.startIndex]
    bytes.removeLast(Int(end - point))
    boundaries.removeAll { $0 > point }
    isInTransaction = false
    predecessor = (identity, point)
    identity = Self.identity(&random)
    if random.chance(3) { shrinkBacklog(&random) }
  }

  /// The source is replaced by one that knows nothing of the past.
  mutating func restart(_ random: inout SeededRandom) {
    closeTransaction()
    predecessor = nil
    identity = Self.identity(&random)
    bytes = []
    // Its offsets are its own.
    base = UInt64(random.below(2_000_000))
    backlogStart = base
    boundaries = [base]
  }

  mutating func shrinkBacklog(_ random: inout SeededRandom) {
    backlogStart = max(backlogStart, end - min(end, UInt64(random.below(3000))))
  }

  /// Forgets what nobody asks about any more.
  mutating func trim(to size: Int) {
    guard bytes.count > 2 * size else { return }
    let extra = bytes.count - size
    bytes.removeFirst(extra)
    base += UInt64(extra)
    backlogStart = max(backlogStart, base)
    boundaries.removeAll { $0 < base }
    if boundaries.isEmpty { boundaries = [base] }
  }

  // MARK: - Being asked

  enum Answer: Equatable {
    case goOn
    case snapshot
    /// The link has asked for what it must never ask for.
    case wrong
  }

  func answer(_ asked: String, _ first: UInt64) -> Answer {
    let offset = first - 1
    let isKnown =
      asked == identity
      || asked == predecessor?.identity && offset <= predecessor?.end ?? 0
    guard isKnown, offset >= backlogStart, offset <= end else { return .snapshot }
    return boundaries.contains(offset) ? .goOn : .wrong
  }

  /// What `INFO replication` says.
  var information: String {
    [
      "# Replication", "role:master", "master_replid:\(identity)",
      "master_replid2:\(predecessor?.identity ?? String(repeating: "0", count: 40))",
      "master_repl_offset:\(end)",
      "second_repl_offset:\(predecessor.map { "\($0.end + 1)" } ?? "-1")",
      "repl_backlog_active:1", "repl_backlog_first_byte_offset:\(backlogStart + 1)", "",
    ].joined(separator: "\r\n")
  }

  /// The stream from `offset` on, where it is still known.
  func stream(from offset: UInt64) -> ArraySlice<UInt8>? {
    guard offset >= base, offset <= end else { return nil }
    return bytes[Int(offset - base)...]
  }
}

/// What the source sends as its snapshot at a place: made of nothing but the place.
struct SimulatedSnapshot {
  let bytes: [UInt8]
  let mark: [UInt8]
  /// Where the mark stands inside the data, if it does: the position behind it.
  let decoyEnd: Int?

  init(_ identity: String, _ offset: UInt64) {
    let hash = identity.utf8.reduce(offset) { $0 &* 31 &+ UInt64($1) }
    var random = SeededRandom(seed: hash)
    mark = Array(identity.utf8.reversed())
    let most = random.chance(5) ? 30_000 : 1_500
    let size = random.below(most)
    var bytes = random.bytes(size)
    if random.chance(3), bytes.count > 1 {
      let place = random.below(bytes.count)
      bytes.insert(contentsOf: mark, at: place)
      decoyEnd = place + mark.count
    } else {
      decoyEnd = nil
    }
    self.bytes = bytes
  }
}
