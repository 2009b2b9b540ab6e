// The stream's way from the spool through the router into the lane, until the run is over.

import ReplicaLink

/// Follows the source's commands. Lives on the replay thread.
struct StreamReplay: ~Copyable {
  private let replay: Replay
  private let rewritesTimeToLive: Bool
  private let databases: DatabaseMap
  private var decoder: CommandDecoder
  private var router: CommandRouter
  private var lane: Lane
  /// When a stop was first seen, to bound the wait for the end of a transaction.
  private var stopSeenMilliseconds: Int64?

  init(
    replay: Replay, router: CommandRouter, decoder: consuming CommandDecoder,
    lane: consuming Lane, rewritesTimeToLive: Bool
  ) {
    self.replay = replay
    self.router = router
    self.decoder = decoder
    self.lane = lane
    self.rewritesTimeToLive = rewritesTimeToLive
    databases = replay.options.databases
  }

  /// Follows until a stop is asked for, or with `--once` until `goal` is applied.
  mutating func run(goal: UInt64) throws(ReplayError) -> ReplayOutcome {
    var isCatchingUp = true
    while true {
      try handleWhatIsThere()
      try lane.flush()
      if isCatchingUp, replay.progress.appliedOffset.load(ordering: .acquiring) >= goal {
        isCatchingUp = false
        if replay.options.once {
          try lane.drain()
          return .converged
        }
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
  func close() {
    lane.close()
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
    let spool = replay.link.spool
    do {
      _ = try decoder.fill(minimum: 1 << 16) { room throws(LinkError) -> Int in
        let deadline = Clock.monotonicMilliseconds() + SnapshotReader.patienceMilliseconds
        guard case .bytes(let count) = try spool.consume(into: room, untilMilliseconds: deadline)
        else { return 0 }
        return count
      }
    } catch {
      // What had arrived whole is brought over before the run ends.
      try lane.drain()
      throw ReplayError("\(error)\(incompleteCommand)")
    }
    let applied = replay.progress.appliedOffset.load(ordering: .relaxed)
    spool.forgetReceiptTimes(before: replay.spoolPosition(of: applied))
  }

  private var incompleteCommand: String {
    let pending = decoder.pendingBytes
    guard pending > 0 else { return "; everything up to offset \(lane.boundary) is applied" }
    return "; the stream was cut inside a command: everything up to offset \(lane.boundary) is"
      + " applied, \(pending) bytes behind it are not"
  }

  private mutating func isTimeToStop() -> Bool {
    guard replay.isStopRequested else { return false }
    guard lane.isInTransaction else { return true }
    let now = Clock.monotonicMilliseconds()
    let seen = stopSeenMilliseconds ?? now
    stopSeenMilliseconds = seen
    return now - seen > Replay.transactionPatienceMilliseconds
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
    case .forward(let database), .flush(let database):
      counters.forwarded.add(1, ordering: .relaxed)
      try forward(to: database ?? destinationDatabase, start, end)
    case .swap:
      counters.forwarded.add(1, ordering: .relaxed)
      try forward(to: destinationDatabase, start, end)
    case .rewritten(let command, let database, _):
      counters.split.add(1, ordering: .relaxed)
      try command.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database ?? destinationDatabase, offset: end)
      }
    case .drop(.message):
      counters.messagesDropped.add(1, ordering: .relaxed)
      lane.pass(end)
    case .drop:
      counters.dropped.add(1, ordering: .relaxed)
      lane.pass(end)
    case .begin: lane.begin()
    case .commit: try lane.commit(end)
    case .abort:
      throw ReplayError(
        "reading the replication stream at offset \(start): DISCARD, which no source sends"
          + " (start again)")
    case .acknowledge:
      try lane.flush()
      replay.acknowledge(onceApplied: start)
      lane.pass(end)
    case .consumed: lane.pass(end)
    case .repair, .clear, .needsKeys:
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
  }

  /// Passes a large command on, or over, while it arrives. Where its beginning does not suffice to
  /// decide, it is collected after all.
  private mutating func handleLarge() throws(ReplayError) {
    let start = decoder.startOffset
    let (decision, head) = decoder.withHead { (bytes, arguments) in
      let decision = router.routeHead(
        Span(_unsafeBytes: bytes), arguments: arguments.span.extracting(first: 2),
        startOffset: start, rewritesTimeToLive: rewritesTimeToLive)
      return (decision, arguments.prefix(2).map { Array(bytes[$0]) })
    }
    switch decision {
    case .forward(let database):
      replay.streamCounters.forwarded.add(1, ordering: .relaxed)
      try lane.beginLarge(
        head: head, database: database ?? destinationDatabase, offset: start)
      try readParts(forwarding: true)
      try lane.endLarge(decoder.endOffset)
    case .drop:
      replay.streamCounters.dropped.add(1, ordering: .relaxed)
      try readParts(forwarding: false)
      lane.pass(decoder.endOffset)
    default: return
    }
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
    if rewritesTimeToLive, let command = withAbsoluteTimeToLive(start) {
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
      let arrival =
        replay.link.spool.receiptTime(at: replay.spoolPosition(of: start))
        ?? Clock.wallMilliseconds()
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
