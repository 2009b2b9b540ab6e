// The stream's way from the link through the router into the lane, until the run is over.

import ReplicaLink

/// How long the wait for the end of a source's transaction may last after a stop was asked for.
private let transactionPatienceMilliseconds: Int64 = 1_000

/// Follows the source's commands. Lives on the replay thread.
struct StreamReplay: ~Copyable {
  unowned let replay: DestinationReplay
  let mapping: KeyMapping
  var decoder: CommandDecoder
  var router: CommandRouter
  var lane: Lane
  private var repairs: RepairDesk
  var counts: RoutingCounts
  /// How often keys were read again because the destination refused a command on them.
  private var healed: [KeyName: Int] = [:]
  /// More often than this a key is not read again while the lane lives.
  private static let healingsMax = 5
  /// When a stop was first seen, to bound the wait for the end of a transaction.
  private var stopSeenMilliseconds: Int64?

  /// Begins behind the checkpoint in `record`.
  init(
    replay: DestinationReplay, lane: consuming Lane, record: JobRecord, repairs: RepairBook
  ) {
    self.replay = replay
    self.lane = lane
    self.repairs = RepairDesk(replay)
    counts = replay.streamCounters.reading
    decoder = CommandDecoder(offset: record.place.offset)
    router = CommandRouter(
      mapping: replay.plan.mapping, policy: replay.plan.policy, table: replay.plan.table,
      destinationIsOurs: replay.plan.isDestinationOurs, database: record.database,
      repairs: repairs)
    router.skippedKeys = replay.progress.untouchedKeys
    mapping = replay.plan.mapping
    replay.acknowledgeCeiling.store(
      repairs.isEmpty ? .max : record.place.offset, ordering: .relaxed)
  }

  /// Follows until a stop is asked for, or, where the run ends then, until the stream is caught up
  /// with.
  mutating func run() throws(ReplayError) -> ReplayOutcome {
    let goal = replay.hasConverged ? 0 : replay.host.catchUpGoal()
    while true {
      try handleWhatIsThere()
      try serveRepairs()
      try lane.flush()
      replay.streamCounters.publish(counts)
      if !replay.hasConverged, router.repairs.isEmpty,
        replay.progress.appliedOffset.load(ordering: .acquiring) >= goal
      {
        replay.converge()
      }
      if replay.hasConverged, replay.host.isComplete, router.repairs.isEmpty {
        try lane.drain()
        return .converged
      }
      if isTimeToStop() {
        try lane.drain()
        return .interrupted
      }
      try fill()
    }
  }

  /// Ends the lane.
  func end() {
    repairs.end()
    lane.end()
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
    do throws(ReplayError) {
      _ = try decoder.fill(minimum: 1 << 16) { room throws(ReplayError) -> Int in
        try replay.feed.streamBytes(into: room)
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
    replay.feed.release(upTo: replay.progress.checkpointOffset.load(ordering: .acquiring))
  }

  private var incompleteCommand: String {
    let pending = decoder.pendingBytes
    guard pending > 0 else { return "; everything up to offset \(lane.boundary) is applied" }
    return "; the stream was cut inside a command: everything up to offset \(lane.boundary) is"
      + " applied, \(pending) bytes behind it are not"
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
    if !router.repairs.isEmpty || replay.progress.mayHaveRefusals { try serveRepairs() }
    let start = decoder.startOffset
    let end = decoder.endOffset
    let arrival =
      replay.plan.rewritesTimeToLive
      ? replay.host.receiptTime(at: start) ?? Clock.wallMilliseconds() : nil
    var decision = decoder.withCommand { (bytes, arguments) in
      router.route(
        Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start,
        receiptMilliseconds: arrival)
    }
    if decision == .needsKeys { decision = try askForKeys(start) }
    counts.count(decision)
    if replay.plan.explains { explain(decision, start) }
    try carryOut(decision, start, end)
    if arrival != nil, case .rewritten(_, _, .renamed) = decision { repairTimeToLive(start) }
    if router.repairs.hasChanges { noteRepairs() }
    try lane.reached(end, database: router.database)
  }

  private mutating func carryOut(
    _ decision: RoutingDecision, _ start: UInt64, _ end: UInt64
  ) throws(ReplayError) {
    switch decision {
    case .forward(let database): try forward(to: database, end)
    case .flush(let database):
      try forward(to: database, end)
      lane.recordIsLost()
    case .swap(let one, let other):
      var command = ByteBuffer()
      command.appendCommand("SWAPDB", "\(one)", "\(other)")
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: destinationDatabase, offset: end)
      }
      lane.recordHasMoved(between: one, other)
    case .rewritten(let command, let database, _):
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database ?? destinationDatabase, offset: end)
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

  private mutating func askForKeys(_ start: UInt64) throws(ReplayError) -> RoutingDecision {
    let words = decoder.withCommand { (bytes, arguments) in arguments.map { Array(bytes[$0]) } }
    let keys = try repairs.keys(of: words)
    return decoder.withCommand { (bytes, arguments) in
      router.route(
        Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start, askedKeys: keys)
    }
  }

  // MARK: - Repairs

  /// Asks, hears and writes what is due; waits where the next command must.
  mutating func serveRepairs() throws(ReplayError) {
    if router.isInTransaction { return }
    try heal()
    if router.repairs.isEmpty { return }
    defer {
      if router.repairs.isEmpty { replay.acknowledgeCeiling.store(.max, ordering: .relaxed) }
    }
    while true {
      try repairs.exchange(
        &router.repairs, following: String(decoding: replay.host.replicationID, as: UTF8.self))
      try writeDueRepairs()
      guard router.repairs.isBlocking else { return }
      try replay.throwIfOver()
      if let trouble = repairs.trouble { replay.progress.notices.waiting("\(trouble)") }
      repairs.awaitAnswer()
    }
  }

  private mutating func writeDueRepairs() throws(ReplayError) {
    guard router.repairs.hasDue(at: lane.boundary) else { return }
    for value in router.repairs.takeDue(at: lane.boundary) {
      var commands = ByteBuffer()
      let count = try repairs.encode(value, to: &commands)
      let database = mapping.destination(of: value.name.database)
      try commands.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, count: count, database: database, offset: lane.boundary)
      }
    }
    lane.note(router.repairs.takeChanges())
    if router.repairs.isEmpty { try lane.drain() }
  }

  /// A time to live that counts from a moment nobody knows: the command was written while the link was
  /// down. Only the source can tell when the key expires. With too many such keys theirs is too long, by
  /// at most the time the link was down.
  private mutating func repairTimeToLive(_ start: UInt64) {
    guard replay.host.isLate(at: start) else { return }
    let words = decoder.withCommand { (bytes, arguments) in arguments.map { Array(bytes[$0]) } }
    for name in router.keysRefused(words, database: destinationDatabase) {
      _ = router.repairs.request(name, at: start)
    }
  }

  /// A command that the destination refused means that its keys are not as the source has them: they
  /// are read again.
  private mutating func heal() throws(ReplayError) {
    for refused in replay.progress.takeRefusals() {
      let names = router.keysRefused(refused.arguments, database: refused.database)
      guard !names.isEmpty else { throw ReplayError(refused.error) }
      for name in names {
        // A repair that is refused as well would go round for ever.
        healed[name, default: 0] += 1
        guard healed[name, default: 0] <= Self.healingsMax else {
          throw ReplayError("\(refused.error), though the key was read again several times")
        }
        guard router.repairs.request(name, atBoundary: lane.boundary) else {
          throw ReplayError("\(refused.error), and too many keys are being repaired already")
        }
      }
      counts.countHealed(names.count)
      replay.progress.notices.note("\(refused.error); the key is read again from the source")
    }
    if router.repairs.hasChanges { noteRepairs() }
  }

  /// Puts what came under repair into the next checkpoint. What is acknowledged is at the destination,
  /// repaired keys too: so nothing beyond this point is for the time being.
  private mutating func noteRepairs() {
    lane.note(router.repairs.takeChanges())
    if router.repairs.isEmpty { return }
    let ceiling = replay.acknowledgeCeiling.load(ordering: .relaxed)
    replay.acknowledgeCeiling.store(min(lane.boundary, ceiling), ordering: .relaxed)
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
    try decoder.withCommand { (bytes, _) throws(ReplayError) in
      try lane.forward(bytes, database: database, offset: end)
    }
  }
}

extension Array<UInt8> {
  /// Lends the bytes, with typed errors.
  fileprivate func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try span.withUnsafeBytes { bytes throws(E) in try body(bytes) }
  }
}
