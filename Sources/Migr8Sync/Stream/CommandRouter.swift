// CommandRouter: what becomes of each command of the stream. Logic without I/O: a command in, a
// decision out.
//
//   bytes, arguments ──▶ CommandTable ──▶ control   ── MULTI, EXEC, SELECT, PING, GETACK
//                                     ──▶ keyless   ── FLUSHDB, PUBLISH, FUNCTION …
//                                     ──▶ keys      ── CommandRouter+Keys.swift
//
// The rule for keys: all match, forward; none, drop; some, take apart what can be taken apart and
// stop at the rest. Nothing is guessed: an unknown command stops too.

/// Follows the source's selected database and transactions, and applies the filter.
struct CommandRouter: Sendable {
  /// Which keys and databases concern the destination.
  let filter: KeyFilter
  /// Whether the destination holds nothing but what this run puts there, so that a FLUSHALL of
  /// the source may be one there.
  let destinationIsOurs: Bool
  /// The database the source's commands act on now.
  private(set) var database: Int
  /// Whether a MULTI is open.
  private(set) var isInTransaction = false

  /// Matching keys that the destination keeps as it has them.
  var skippedKeys = KeyHashSet()

  private let table = CommandTable.builtIn
  private var databaseMatches: Bool

  /// Begins at a command boundary outside a transaction.
  ///
  /// - Parameter database: the database in force there: after a snapshot its `repl-stream-db`, on
  ///   a resumed stream the one stored with the offset.
  init(filter: KeyFilter, destinationIsOurs: Bool, database: Int) {
    self.filter = filter
    self.destinationIsOurs = destinationIsOurs
    self.database = database
    databaseMatches = filter.matches(database: database)
  }

  /// Whether all data of the source goes to the destination.
  var mirrorsEverything: Bool { filter.matchesEverything }

  /// Decides about the next command of the stream.
  ///
  /// Forwarding whole and dropping allocate nothing. `.stop` leaves the
  /// state as it was before the command.
  ///
  /// - Parameters:
  ///   - bytes: a buffer that holds the command.
  ///   - arguments: where its arguments lie in `bytes`, the name first.
  ///   - startOffset: the replication offset at which the command begins.
  mutating func route(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, startOffset: UInt64
  ) -> RoutingDecision {
    // `*0` is a filler that servers accept.
    if arguments.isEmpty { return .consumed }
    guard let shape = table.shape(named: bytes.extracting(arguments[0])) else {
      if !databaseMatches { return .drop(.otherDatabase) }
      return stop(
        .unknownCommand, bytes, arguments, startOffset,
        "this command is not known, so its keys cannot be found; stop the application from sending"
          + " it, or use a newer migr8sync")
    }
    switch shape.kind {
    case .control(let control):
      return route(control, bytes, arguments, startOffset)
    case .keyless(let keyless):
      return route(keyless, bytes, arguments, startOffset)
    default:
      return routeKeys(shape, bytes, arguments, startOffset)
    }
  }

  /// Decides about a large command of which only the beginning is there, where its name and first key
  /// are enough to do so; nil where the whole command is needed.
  ///
  /// - Parameters:
  ///   - arguments: the name and the argument behind it.
  ///   - rewritesTimeToLive: whether a relative time to live further on would have to be rewritten.
  mutating func routeHead(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, startOffset: UInt64,
    rewritesTimeToLive: Bool
  ) -> RoutingDecision? {
    guard let shape = table.shape(named: bytes.extracting(arguments[0])), shape.kind == .keyed,
      shape.first == 1, shape.last == 1
    else { return nil }
    if rewritesTimeToLive, shape.relativeTime != .none { return nil }
    return route(bytes, arguments: arguments, startOffset: startOffset)
  }

  /// Whether `database` is selected by the filter.
  var isDatabaseSelected: Bool { databaseMatches }

  func stop(
    _ code: RoutingError.Code, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    keys: String = "", _ offset: UInt64, _ reason: String
  ) -> RoutingDecision {
    .stop(
      RoutingError(
        code, name: bytes.extracting(arguments[0]), keys: keys, database: database, offset: offset,
        reason: reason))
  }

  func stopMalformed(_ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64)
    -> RoutingDecision
  {
    stop(
      .malformed, bytes, arguments, offset,
      "its arguments do not make sense, so the stream is damaged or the source is of a kind not"
        + " known; start again from a new snapshot")
  }

  // MARK: The stream itself

  private mutating func route(
    _ control: CommandShape.Control, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    _ offset: UInt64
  ) -> RoutingDecision {
    switch control {
    case .ping:
      return .consumed
    case .replconf:
      // `if`, not `&&`: a span inside an autoclosure crashes the optimizer of Swift 6.3.
      if arguments.count > 1, bytes.extracting(arguments[1]).isWord("getack") {
        return .acknowledge
      }
      return .consumed
    case .select:
      guard arguments.count == 2, let selected = databaseNumber(bytes, arguments, 1) else {
        return stopMalformed(bytes, arguments, offset)
      }
      database = selected
      databaseMatches = filter.matches(database: selected)
      return .consumed
    case .multi:
      if isInTransaction { return stopTransaction(bytes, arguments, offset, "one is open already") }
      isInTransaction = true
      return .begin
    case .exec, .discard:
      if !isInTransaction { return stopTransaction(bytes, arguments, offset, "none is open") }
      isInTransaction = false
      return control == .exec ? .commit : .abort
    }
  }

  private func stopTransaction(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64, _ problem: String
  ) -> RoutingDecision {
    stop(
      .transaction, bytes, arguments, offset,
      "out of turn, as to transactions \(problem); the stream is damaged: start again from a new"
        + " snapshot")
  }

  /// The database number an argument gives, or `nil`.
  func databaseNumber(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ index: Int
  ) -> Int? {
    guard index < arguments.count, let number = bytes.extracting(arguments[index]).integer,
      number >= 0, number <= Int64(Int32.max)
    else { return nil }
    return Int(number)
  }

  // MARK: Commands without keys

  private func route(
    _ keyless: CommandShape.Keyless, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    _ offset: UInt64
  ) -> RoutingDecision {
    let isWhole = mirrorsEverything && destinationIsOurs
    switch keyless {
    case .message:
      return .drop(.message)
    case .cluster:
      return .drop(.cluster)
    case .code:
      return isWhole ? .forward(database: database) : .drop(.code)
    case .flushDatabase:
      if !databaseMatches { return .drop(.otherDatabase) }
    case .flushAll:
      break
    case .swapDatabases:
      guard let one = databaseNumber(bytes, arguments, 1),
        let other = databaseNumber(bytes, arguments, 2)
      else { return stopMalformed(bytes, arguments, offset) }
      if !filter.matches(database: one), !filter.matches(database: other) {
        return .drop(.otherDatabase)
      }
    }
    if isWhole { return .forward(database: database) }
    return stop(
      .wholeDatabase, bytes, arguments, offset,
      mirrorsEverything
        ? "the destination holds data that is not this run's, which it would touch; clear the"
          + " destination and start again from a new snapshot"
        : "it changes whole databases, of which only a part is selected; start again from a new"
          + " snapshot once the application no longer sends it")
  }
}
