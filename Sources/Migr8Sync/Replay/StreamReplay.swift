// The stream's way from the link through the router into the lane, until the run is over.

import ReplicaLink

/// How long the wait for the end of a source's transaction may last after a stop was asked for.
private let transactionPatienceMilliseconds: Int64 = 1_000

/// Follows the source's commands. Lives on the replay thread.
struct StreamReplay: ~Copyable {
  unowned let replay: DestinationReplay
  let mapping: KeyMapping
  /// The plan's; taking them out of it for every command would copy all of it.
  let rewritesTimeToLive: Bool
  let watchesExpiry: Bool
  private let explains: Bool
  var decoder: CommandDecoder
  var router: CommandRouter
  var lane: Lane
  var repairs: RepairDesk
  /// The checkpoint, until all before it is passed of which the replies were not read.
  var unconfirmedEnd: UInt64?
  /// Whether commands on functions were sent again, which may meet what later ones have made.
  var resendsCode = false
  var counts: RoutingCounts
  var clock: WriteClock
  var commandsSinceExchange = 0
  /// So many commands pass between two looks at the fetcher, while the lane need not wait for it.
  static let commandsPerExchange = 64
  /// How often keys were read again because the destination refused a command on them.
  var healed: [KeyName: Int] = [:]
  /// More often than this a key is not read again while the lane lives.
  static let healingsMax = 5
  /// When a stop was first seen, to bound the wait for the end of a transaction.
  private var stopSeenMilliseconds: Int64?

  /// Begins where `record` says that all is confirmed.
  init(
    replay: DestinationReplay, lane: consuming Lane, record: JobRecord, repairs: RepairBook
  ) {
    self.replay = replay
    self.lane = lane
    self.repairs = RepairDesk(replay)
    clock = WriteClock(replay.host.pulse, replay.progress)
    counts = replay.streamCounters.reading
    unconfirmedEnd = record.isConfirmed ? nil : record.place.offset
    decoder = CommandDecoder(offset: record.confirmed.offset)
    router = CommandRouter(
      mapping: replay.plan.mapping, policy: replay.plan.policy, table: replay.plan.table,
      destinationIsOurs: replay.plan.isDestinationOurs, database: record.confirmed.database,
      repairs: repairs)
    router.skippedKeys = replay.progress.untouchedKeys
    router.movesFunctions = replay.plan.movesFunctions
    mapping = replay.plan.mapping
    rewritesTimeToLive = replay.plan.rewritesTimeToLive
    explains = replay.plan.explains
    router.mayExpire = replay.mayExpire
    watchesExpiry = replay.watchesExpiry
  }

  /// Follows until a stop is asked for, or, where the run ends then, until the stream is caught up
  /// with.
  mutating func run() throws(ReplayError) -> ReplayOutcome {
    let goal = replay.hasConverged ? 0 : replay.host.catchUpGoal()
    defer { replay.mayExpire = router.mayExpire }
    while true {
      try handleWhatIsThere()
      try serveRepairs(isIdle: true)
      try lane.flush()
      replay.streamCounters.publish(counts)
      replay.warnOfClocks()
      if !replay.hasConverged, unconfirmedEnd == nil, router.repairs.isEmpty,
        replay.progress.appliedOffset.load(ordering: .acquiring) >= goal
      {
        replay.converge()
      }
      if replay.hasConverged, replay.host.isComplete, router.repairs.isEmpty {
        if try conclude() { return .converged }
      }
      if replay.host.gate.isClosed {
        try lane.drain()
        return .converged
      }
      if isTimeToStop() {
        _ = try conclude()
        return .interrupted
      }
      try fill()
    }
  }

  /// Brings over what is there, and the record up to it; false when keys need repair after all.
  private mutating func conclude() throws(ReplayError) -> Bool {
    try lane.drain()
    if unconfirmedEnd != nil { return false }
    try heal()
    try lane.conclude()
    return router.repairs.isEmpty
  }

  /// Ends the lane, then what it asks.
  func end() {
    lane.end()
    repairs.end()
  }

  // MARK: - Input

  private mutating func handleWhatIsThere() throws(ReplayError) {
    while true {
      let step: CommandDecoder.Step
      do {
        step = try decoder.next()
      } catch {
        try lane.drain()
        throw ReplayError(error)
      }
      switch step {
      case .needsInput: return
      case .command: try handle()
      case .largeCommand: try handleLarge()
      }
    }
  }

  mutating func fill() throws(ReplayError) {
    try replay.progress.throwFailure()
    let patience =
      router.repairs.isEmpty ? Feed.patienceMilliseconds : Feed.repairPatienceMilliseconds
    do throws(ReplayError) {
      _ = try decoder.fill(minimum: 1 << 16) { room throws(ReplayError) -> Int in
        try replay.feed.streamBytes(into: room, patienceMilliseconds: patience)
      }
    } catch {
      // A step back or a new snapshot: what is under way at the destination is its own affair.
      if error.kind == .restart { throw error }
      // What had arrived whole is brought over before the run ends.
      try lane.drain()
      var ending = ReplayError("\(error)\(incompleteCommand)", error.kind)
      ending.isOfSource = error.isOfSource
      throw ending
    }
    replay.feed.release(upTo: lane.neededOffset)
  }

  private var incompleteCommand: String {
    let applied = replay.progress.appliedOffset.load(ordering: .acquiring)
    let received = decoder.startOffset + UInt64(decoder.pendingBytes)
    guard received > applied else { return "; everything up to offset \(applied) is applied" }
    return
      "; the stream was cut inside a command or a transaction: everything up to offset \(applied) is"
      + " applied, \(received - applied) bytes behind it are not"
  }

  private mutating func isTimeToStop() -> Bool {
    guard replay.host.isStopRequested else { return false }
    guard lane.isInTransaction else { return true }
    let now = Clock.monotonicMilliseconds()
    let seen = stopSeenMilliseconds ?? now
    stopSeenMilliseconds = seen
    return now - seen > transactionPatienceMilliseconds
  }

  // MARK: - Commands

  private mutating func handle() throws(ReplayError) {
    if let unconfirmedEnd { return try passUnconfirmed(to: unconfirmedEnd) }
    guard try mayPass() else { return try passOver() }
    if !router.repairs.isEmpty || replay.progress.mayHaveRefusals { try serveRepairs() }
    let start = decoder.startOffset
    let end = decoder.endOffset
    let arrival =
      rewritesTimeToLive
      ? replay.host.receiptTime(at: start) ?? Clock.wallMilliseconds() : nil
    let (written, isLate) = age(start, end)
    var decision = decoder.withCommand { (bytes, arguments) in
      router.route(
        Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start,
        receiptMilliseconds: arrival, isLate: isLate)
    }
    if decision == .needsKeys { decision = try askForKeys(start) }
    counts.count(decision)
    if explains { explain(decision, start) }
    lane.note(writtenMilliseconds: written)
    if replay.recentKeys.isOn { remember(decision) }
    if let database = router.otherDatabase { try replay.targets.confirm(database) }
    try carryOut(decision, start, end)
    if arrival != nil, case .rewritten(_, _, .renamed) = decision { repairTimeToLive(start) }
    if router.repairs.hasChanges { noteRepairs() }
    try lane.reached(end, database: router.database)
  }

  mutating func carryOut(
    _ decision: RoutingDecision, _ start: UInt64, _ end: UInt64
  ) throws(ReplayError) {
    switch decision {
    case .forward(let database): try forward(to: database, end)
    case .flush(let database):
      try forward(to: database, end)
      lane.recordIsLost(underRepair: router.repairs.names)
    case .swap(let one, let other):
      for database in [one, other] { try replay.targets.confirm(database) }
      var command = ByteBuffer()
      command.appendCommand("SWAPDB", "\(one)", "\(other)")
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: destinationDatabase, offset: end)
      }
      lane.recordHasMoved(between: one, other, underRepair: router.repairs.names)
    case .rewritten(let command, let database, _):
      let database = database ?? destinationDatabase
      let watch = try watch(database, end)
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(
          bytes, database: database, offset: end, expecting: watch.expectation,
          isTimely: watch.isTimely)
      }
    case .begin: lane.begin()
    case .commit: lane.commit()
    case .abort:
      throw ReplayError(
        "reading the replication stream at offset \(start): DISCARD, which no source sends"
          + " (start again)")
    case .acknowledge:
      try lane.flush()
      replay.acknowledge(onceApplied: start)
    case .clear(let scope): try clear(scope, start)
    case .repair, .drop, .consumed, .needsKeys: break
    case .resynchronise(let error):
      try lane.drain()
      replay.requestSnapshot("\(error)")
      throw ReplayError("a new snapshot is needed", .restart)
    case .stop(let error):
      // Everything before the command is brought over, so that the line below is exact.
      try lane.drain()
      throw ReplayError("following the stream: \(error)")
    }
  }

  private func explain(_ decision: RoutingDecision, _ start: UInt64) {
    let line = decoder.withCommand { (bytes, arguments) in
      decision.explanation(
        Span(_unsafeBytes: bytes), arguments: arguments.span, database: router.database,
        offset: start)
    }
    StandardError.write(line + "\n")
  }

  mutating func askForKeys(_ start: UInt64) throws(ReplayError) -> RoutingDecision {
    let words = decoder.withCommand { (bytes, arguments) in arguments.map { Array(bytes[$0]) } }
    let keys = try repairs.keys(of: words)
    return decoder.withCommand { (bytes, arguments) in
      router.route(
        Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start, askedKeys: keys)
    }
  }

  /// Removes every key of the job that comes from `scope`, as the source emptied it.
  private mutating func clear(_ scope: ClearScope, _ start: UInt64) throws(ReplayError) {
    guard !lane.isInTransaction else {
      replay.requestSnapshot("the source emptied databases inside a transaction at offset \(start)")
      throw ReplayError("a new snapshot is needed", .restart)
    }
    // What the lane still carries has to be there to be found.
    try lane.drain()
    var keys = DestinationKeys(
      try replay.connector.open(interrupt: replay.stopBell), mapping: mapping,
      databases: replay.plan.destinationDatabases(of: scope))
    let skipped = router.skippedKeys
    try keys.forEach { (database, key, name) throws(ReplayError) in
      if skipped.contains(name.key.span, database: name.database) { return }
      var command = ByteBuffer(capacity: key.count + 64)
      command.appendCommand([Array("UNLINK".utf8), key])
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database, offset: start)
      }
      try lane.sendIfFull()
    }
  }

  /// The destination's database for the one the stream is in.
  var destinationDatabase: Int { mapping.destination(of: router.database) }

  private mutating func forward(to database: Int?, _ end: UInt64) throws(ReplayError) {
    let database = database ?? destinationDatabase
    let watch = try watch(database, end)
    try decoder.withCommand { (bytes, arguments) throws(ReplayError) in
      guard watch.expectation == .any, let run = CommandRun.kind(of: bytes, arguments.span) else {
        return try lane.forward(
          bytes, database: database, offset: end, expecting: watch.expectation,
          isTimely: watch.isTimely)
      }
      try lane.forward(
        run.kind, operands: UnsafeRawBufferPointer(rebasing: bytes[run.operands...]),
        database: database, offset: end)
    }
  }
}

extension Array<UInt8> {
  /// Lends the bytes, with typed errors.
  func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try span.withUnsafeBytes { bytes throws(E) in try body(bytes) }
  }
}
