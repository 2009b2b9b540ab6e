// The stream's way from the link through the router into the lane, until the run is over.

import ReplicaLink

/// How long the wait for the end of a source's transaction may last after a stop was asked for.
private let transactionPatienceMilliseconds: Int64 = 1_000

/// Follows the source's commands. Lives on the replay thread.
struct StreamReplay: ~Copyable {
  private unowned let replay: DestinationReplay
  private let databases: DatabaseMap
  private var decoder: CommandDecoder
  private var router: CommandRouter
  private var lane: Lane
  /// When a stop was first seen, to bound the wait for the end of a transaction.
  private var stopSeenMilliseconds: Int64?

  /// Begins behind the checkpoint in `record`.
  init(replay: DestinationReplay, lane: consuming Lane, record: JobRecord) {
    self.replay = replay
    self.lane = lane
    decoder = CommandDecoder(offset: record.place.offset)
    router = CommandRouter(
      mapping: KeyMapping(replay.plan.filter, replay.plan.databases),
      destinationIsOurs: replay.plan.isDestinationOurs, database: record.database)
    router.skippedKeys = replay.progress.skippedKeys
    databases = replay.plan.databases
  }

  /// Follows until a stop is asked for, or, where the run ends then, until the stream is caught up
  /// with.
  mutating func run() throws(ReplayError) -> ReplayOutcome {
    let goal = replay.hasConverged ? 0 : replay.host.catchUpGoal()
    while true {
      try handleWhatIsThere()
      try lane.flush()
      if !replay.hasConverged,
        replay.progress.appliedOffset.load(ordering: .acquiring) >= goal
      {
        if replay.host.endsWhenConverged {
          try lane.drain()
          return .converged
        }
        replay.hasConverged = true
        replay.phases.enter(.following)
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

  private mutating func fill() throws(ReplayError) {
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
      throw ReplayError("\(error)\(incompleteCommand)", error.kind)
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
    let counters = replay.streamCounters
    counters.read.add(1, ordering: .relaxed)
    let start = decoder.startOffset
    let end = decoder.endOffset
    let decision = decoder.withCommand { (bytes, arguments) in
      router.route(Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start)
    }
    switch decision {
    case .forward(let database):
      counters.forwarded.add(1, ordering: .relaxed)
      try forward(to: database ?? destinationDatabase, start, end)
    case .flush(let database):
      counters.forwarded.add(1, ordering: .relaxed)
      try forward(to: database ?? destinationDatabase, start, end)
      lane.recordIsLost()
    case .swap(let one, let other):
      counters.forwarded.add(1, ordering: .relaxed)
      try forward(to: destinationDatabase, start, end)
      lane.recordHasMoved(between: one, other)
    case .rewritten(let command, let database, _):
      counters.split.add(1, ordering: .relaxed)
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database ?? destinationDatabase, offset: end)
      }
    case .drop(.message): counters.messagesDropped.add(1, ordering: .relaxed)
    case .drop: counters.dropped.add(1, ordering: .relaxed)
    case .begin: lane.begin()
    case .commit: lane.commit()
    case .abort:
      throw ReplayError(
        "reading the replication stream at offset \(start): DISCARD, which no source sends"
          + " (start again)")
    case .acknowledge:
      try lane.flush()
      replay.host.acknowledge(onceApplied: start)
    case .consumed: break
    case .clear(let scope): try clear(scope, start)
    case .repair, .needsKeys:
      try lane.drain()
      let line = decoder.withCommand { (bytes, arguments) in
        decision.explanation(
          Span(_unsafeBytes: bytes), arguments: arguments.span, database: router.database,
          offset: start)
      }
      throw ReplayError("following the stream: \(line): this is not supported yet")
    case .stop(let error), .resynchronise(let error):
      // Everything before the command is brought over, so that the line below is exact.
      try lane.drain()
      throw ReplayError("following the stream: \(error)")
    }
    try lane.reached(end, database: router.database)
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
      try replay.connector.open(interrupt: replay.stopBell), filter: replay.plan.filter,
      databases: replay.plan.destinationDatabases(of: scope))
    let skipped = replay.progress.skippedKeys
    try keys.forEach { (database, key) throws(ReplayError) in
      let source = replay.plan.databases.source(of: database, filter: replay.plan.filter)
      if skipped.contains(key.span, database: source) { return }
      var command = ByteBuffer(capacity: key.count + 64)
      command.appendCommand([Array("UNLINK".utf8), key])
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database, offset: start)
      }
      try lane.sendIfFull()
    }
    replay.streamCounters.split.add(1, ordering: .relaxed)
  }

  /// Passes a large command on, or over, while it arrives. Where its beginning does not suffice to
  /// decide, it is collected after all.
  private mutating func handleLarge() throws(ReplayError) {
    let start = decoder.startOffset
    let (decision, head) = decoder.withHead { (bytes, arguments) in
      let decision = router.routeHead(
        Span(_unsafeBytes: bytes), arguments: arguments.span.extracting(first: 2),
        startOffset: start, rewritesTimeToLive: replay.plan.rewritesTimeToLive)
      return (decision, arguments.prefix(2).map { Array(bytes[$0]) })
    }
    switch decision {
    case .forward(let database):
      replay.streamCounters.forwarded.add(1, ordering: .relaxed)
      try lane.beginLarge(
        head: head, database: database ?? destinationDatabase, offset: start)
      try readParts(forwarding: true)
      lane.endLarge(decoder.endOffset)
    case .drop:
      replay.streamCounters.dropped.add(1, ordering: .relaxed)
      try readParts(forwarding: false)
    default: return
    }
    try lane.reached(decoder.endOffset, database: router.database)
    replay.streamCounters.read.add(1, ordering: .relaxed)
  }

  /// The destination's database for the one the stream is in.
  private var destinationDatabase: Int { databases.destination(of: router.database) }

  private mutating func readParts(forwarding: Bool) throws(ReplayError) {
    decoder.beginParts()
    while true {
      let step = try nextPart()
      if step == .needsInput {
        try fill()
        continue
      }
      if forwarding {
        try decoder.withPart { (bytes) throws(ReplayError) in try lane.forwardPart(bytes) }
      }
      if step == .lastPart { return }
    }
  }

  private mutating func nextPart() throws(ReplayError) -> CommandDecoder.PartStep {
    do {
      return try decoder.nextPart()
    } catch {
      throw ReplayError(error)
    }
  }

  private mutating func forward(
    to database: Int, _ start: UInt64, _ end: UInt64
  ) throws(ReplayError) {
    if replay.plan.rewritesTimeToLive, let command = withAbsoluteTimeToLive(start) {
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database, offset: end)
      }
      return
    }
    try decoder.withCommand { (bytes, _) throws(ReplayError) in
      try lane.forward(bytes, database: database, offset: end)
    }
  }

  /// The command with a deadline in place of a time to live that counts from its arrival.
  private func withAbsoluteTimeToLive(_ start: UInt64) -> [UInt8]? {
    decoder.withCommand { (bytes, arguments) in
      let arrival = replay.host.receiptTime(at: start) ?? Clock.wallMilliseconds()
      return AbsoluteExpiry.rewritten(
        Span(_unsafeBytes: bytes), arguments: arguments.span, receiptMilliseconds: arrival)
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
