// CommandRouter: what becomes of each command of the stream at one destination. Logic without I/O: a
// command in, a decision out. Several destinations have several routers, and each sees everything.
//
//   bytes, arguments ──▶ CommandTable ──▶ control   ── MULTI, EXEC, SELECT, PING, GETACK
//                                     ──▶ keyless   ── CommandRouter+Databases.swift
//                                     ──▶ keys      ── CommandRouter+Keys.swift, +Crossing.swift
//
// A key is usable when it matches and the destination has it as the source does; awaited when it
// matches and is under repair; outside otherwise. All keys usable: the command passes. None: it does
// not concern the destination. Some: what can be taken apart is, and the rest is repaired: the keys
// that it wrote are fetched from the source. Nothing is guessed.

/// Follows the source's selected database and transactions, and applies the mapping.
struct CommandRouter: Sendable {
  /// Which keys and databases concern the destination, and what they are called there.
  let mapping: KeyMapping
  /// What to do where keys decide nothing.
  let policy: RoutingPolicy
  /// Whether the destination holds nothing but what this run puts there, so that a FLUSHALL of
  /// the source may be one there.
  let destinationIsOurs: Bool
  /// Whether the source's functions go to the destination, too.
  var movesFunctions: Bool
  /// The database the source's commands act on now.
  private(set) var database: Int
  /// Whether a MULTI is open.
  private(set) var isInTransaction = false

  /// Matching keys that the destination keeps as it has them.
  var skippedKeys = KeyHashSet()
  /// Matching keys that are being put right. The router enters them and passes over the commands on
  /// them; the lane fetches and writes.
  var repairs: RepairBook

  /// Whether any key that passed may have a time to live: before the first, none can expire too early.
  var mayExpire = false
  /// How to find out whether the command that was just decided on meets what it met at the source.
  private(set) var watch = ExpiryWatch()
  /// The destination's db that the command which was just decided on writes to beside the selected one.
  var otherDatabase: Int?
  /// Whether the destination may have lost keys that the present command reads.
  private(set) var isLate = false

  let table: CommandTable
  private var databaseMatches: Bool

  /// Begins at a command boundary outside a transaction.
  ///
  /// - Parameters:
  ///   - table: what is known about commands; `CommandTable.learned(from:)` knows the source's own.
  ///   - database: the database in force there: after a snapshot its `repl-stream-db`, on a resumed
  ///     stream the one stored with the offset.
  ///   - repairs: what the checkpoint says was under repair.
  init(
    mapping: KeyMapping, policy: RoutingPolicy = RoutingPolicy(),
    table: CommandTable = .builtIn, destinationIsOurs: Bool, database: Int,
    repairs: RepairBook = RepairBook()
  ) {
    self.mapping = mapping
    self.policy = policy
    self.table = table
    self.destinationIsOurs = destinationIsOurs
    movesFunctions = mapping.filter.matchesEverything
    self.database = database
    self.repairs = repairs
    databaseMatches = mapping.filter.matches(database: database)
  }

  var filter: KeyFilter { mapping.filter }

  /// Whether all data of the source goes to the destination.
  var mirrorsEverything: Bool { filter.matchesEverything }

  /// Whether all data of the source goes to the destination, which has nothing else.
  var isMirror: Bool { mirrorsEverything && destinationIsOurs }

  /// Decides about the next command of the stream.
  ///
  /// Forwarding whole and dropping allocate nothing while no key is under repair. `.stop`,
  /// `.resynchronise` and `.needsKeys` leave the state as it was before the command.
  ///
  /// - Parameters:
  ///   - bytes: a buffer that holds the command.
  ///   - arguments: where its arguments lie in `bytes`, the name first.
  ///   - startOffset: the replication offset at which the command begins.
  ///   - receiptMilliseconds: when it arrived, for sources that send times to live which count from
  ///     then; with `nil` they stay as they are.
  ///   - isLate: whether so much time has passed since it was written that the destination may have
  ///     expired keys which the source still had.
  mutating func route(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, startOffset: UInt64,
    receiptMilliseconds: Int64? = nil, isLate: Bool = false
  ) -> RoutingDecision {
    watch = ExpiryWatch()
    otherDatabase = nil
    self.isLate = isLate && mayExpire
    // `*0` is a filler that servers accept.
    if arguments.isEmpty { return .consumed }
    guard let shape = table.shape(named: bytes.extracting(arguments[0])) else {
      if !databaseMatches { return .drop(.otherDatabase) }
      return unplaced(
        .unknownCommand, bytes, arguments, startOffset,
        "neither this program nor the source's COMMAND knows it, so its keys cannot be found")
    }
    switch shape.kind {
    case .control(let control):
      return route(control, bytes, arguments, startOffset)
    case .keyless(let keyless):
      return route(keyless, bytes, arguments, startOffset)
    case .asked:
      if !databaseMatches { return .drop(.otherDatabase) }
      if passesUnseen, !self.isLate {
        setWatchOfUnknown()
        return .forward(database: mapping.destination(of: database))
      }
      return .needsKeys
    default:
      return routeKeys(shape, bytes, arguments, startOffset, receiptMilliseconds)
    }
  }

  /// Decides about a large command of which only the beginning is there, where its name and first key
  /// are enough to do so; nil where the whole command is needed. It is forwarded under the key's name at
  /// the destination.
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
    let decision = route(bytes, arguments: arguments, startOffset: startOffset)
    // What stands behind may give a time to live.
    if case .drop = decision {
    } else if shape.mayGiveTimeToLive(argumentCount: .max) {
      mayExpire = true
    }
    // The new name is the caller's to write: what follows is not here.
    if case .rewritten(_, let database, .renamed) = decision {
      return .forward(database: database)
    }
    return decision
  }

  /// Whether `database` is selected by the filter.
  var isDatabaseSelected: Bool { databaseMatches }

  /// Whether every command on keys of a selected database passes as it is.
  var passesUnseen: Bool {
    filter.matchesEveryKey && repairs.isEmpty && skippedKeys.isEmpty && !mapping.renamesKeys
  }

  /// Looks at what a command that passes makes of times to live.
  mutating func setWatch(
    _ shape: CommandShape, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) {
    if !mayExpire, shape.mayGiveTimeToLive(argumentCount: arguments.count) { mayExpire = true }
    watch = shape.watch(bytes, arguments, isLate: isLate, mapping: mapping)
  }

  /// The same for a command whose keys the source was asked for.
  mutating func setWatchOfUnknown() {
    mayExpire = true
    watch.isTimely = true
  }

  // MARK: Errors

  func error(
    _ code: RoutingError.Code, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    keys: String = "", _ offset: UInt64, _ reason: String
  ) -> RoutingError {
    RoutingError(
      code, name: bytes.extracting(arguments[0]), keys: keys, database: database, offset: offset,
      reason: reason)
  }

  func stopMalformed(_ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64)
    -> RoutingDecision
  {
    .stop(
      error(
        .malformed, bytes, arguments, offset,
        "its arguments do not make sense, so the stream is damaged or the source is of a kind not"
          + " known; start again from a new snapshot"))
  }

  /// What the policy says about a command whose keys are not known.
  func unplaced(
    _ code: RoutingError.Code, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    _ offset: UInt64, _ reason: String
  ) -> RoutingDecision {
    switch policy.unplaced {
    case .drop: return .drop(.unplaced)
    case .forward: return .forward(database: mapping.destination(of: database))
    case .stop:
      return .stop(
        error(
          code, bytes, arguments, offset,
          reason + "; stop the application from sending it, or start again with --on-unknown"
            + " drop|forward"))
    }
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
    .stop(
      error(
        .transaction, bytes, arguments, offset,
        "out of turn, as to transactions \(problem); the stream is damaged: start again from a new"
          + " snapshot"))
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
}
