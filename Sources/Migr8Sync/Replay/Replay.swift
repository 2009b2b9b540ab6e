// One run of the replay: the thread that takes the source's bytes out of the spool and brings them
// to the destination, first the snapshot over the loaders, then the stream over the lane.
//
//   link thread ─▶ spool ─▶ this thread ─▶ loaders, then lane ─▶ destination
//        ▲                                          │
//        └──────────── applied offset ◀─────────────┘

import RDBParser
import ReplicaLink
import Synchronization

/// How a run that did not fail ended.
enum ReplayOutcome: Sendable {
  /// Snapshot and catch-up are done, as `--once` asked.
  case converged
  /// The operator stopped it.
  case interrupted
}

/// The replay thread and what the other threads may ask of it.
///
/// `@unchecked Sendable`: `options`, `findings`, `link`, `progress` and the counters are immutable
/// references to types that guard themselves; `phases` is guarded by `phaseLock`.
final class Replay: @unchecked Sendable {
  /// How long the wait for the end of a source's transaction may last after a stop was asked for.
  static let transactionPatienceMilliseconds: Int64 = 2_000

  let options: SyncOptions
  let findings: PreflightFindings
  let link: ReplicaLink
  let progress = ReplayProgress()
  let snapshotCounters = SnapshotCounters()
  let streamCounters = StreamCounters()
  let phases = PhaseClock()
  let reader: LinkReader
  /// Whether the stream is being replayed, and the offset before its first byte.
  let isStreaming = Atomic<Bool>(false)
  let streamStart = Atomic<UInt64>(0)
  /// The offset a GETACK waits for; 0 for none.
  private let awaitedOffset = Atomic<UInt64>(0)
  /// The replay thread's alone.
  private let targets: DestinationDatabases
  private let isStopping = Atomic<Bool>(false)

  init(options: SyncOptions, findings: PreflightFindings) {
    self.options = options
    self.findings = findings
    targets = DestinationDatabases(url: options.destination, timeouts: options.timeouts)
    let source = options.source
    var linkOptions = LinkOptions(
      timeouts: options.timeouts,
      spool: SpoolLimits(
        memoryBytes: options.queueMemoryBytes, diskBytes: options.spoolMaximumBytes,
        directory: options.spoolDirectory))
    linkOptions.psyncCommand = options.psyncCommand
    linkOptions.usesTwoChannels = options.usesTwoChannels
    link = ReplicaLink(
      source: { source }, options: linkOptions, resumingFrom: nil, readerCount: 1)
    reader = link.readers[0]
  }

  /// Ends the run soon, with everything that was begun finished. From any thread.
  func requestStop() {
    isStopping.store(true, ordering: .releasing)
    // Before data flows nobody but the link can be waiting; afterwards the replay thread looks.
    switch link.status.phase {
    case .receivingSnapshot, .following: return
    default: link.stop()
    }
  }

  var isStopRequested: Bool { isStopping.load(ordering: .acquiring) }

  /// Does the whole run on the calling thread.
  func run() throws(ReplayError) -> ReplayOutcome {
    let linkThread = link.start()
    defer {
      link.stop()
      linkThread.join()
      phases.enter(.finished)
    }
    do {
      let start = try ReplayError.wrap { () throws(LinkError) in
        try awaitSnapshot()
      }
      let decoder = try replaySnapshot(start)
      return try follow(decoder, start)
    } catch {
      guard error.isInterruption else { throw error }
      return .interrupted
    }
  }

  private func awaitSnapshot() throws(LinkError) -> SnapshotStart {
    phases.enter(.waitingForSnapshot)
    var byte: UInt8 = 0
    while true {
      let event = try withUnsafeMutableBytes(of: &byte) { room throws(LinkError) in
        try reader.read(into: room, untilMilliseconds: .max)
      }
      if case .snapshot(let start, _) = event { return start }
    }
  }

  /// The bytes that come next, an event that is none, or why there will be none: the link is lost.
  func readLink(_ room: UnsafeMutableRawBufferPointer) throws(LinkError) -> LinkEvent {
    let deadline = Clock.monotonicMilliseconds() + SnapshotReader.patienceMilliseconds
    let event = try reader.read(into: room, untilMilliseconds: deadline)
    switch event {
    case .bytes, .snapshotEnd, .stream: return event
    case .timedOut, .snapshot, .rewound:
      if let error = link.status.lastError { throw error }
      return .timedOut
    }
  }

  private func replaySnapshot(_ start: SnapshotStart) throws(ReplayError) -> CommandDecoder {
    phases.enter(.snapshot)
    let version = findings.destination?.version ?? Preflight.destinationVersionMin
    var sink = LoaderSink(
      loaders: LoaderPool(
        count: options.workers ?? LoaderPool.defaultCount, url: options.destination,
        timeouts: options.timeouts, conflicts: options.onConflict, databases: options.databases,
        targets: targets, progress: progress),
      encoder: EntryEncoder(
        conflicts: options.onConflict, setTakesExpiry: version >= ServerVersion(6, 2)),
      types: RestorableTypes(findings.destination),
      movesFunctions: options.filter.matchesEverything && version >= ServerVersion(7),
      counters: snapshotCounters)
    var reader = snapshotReplay(start)
    defer { sink.close() }
    let decoder = try load(&reader, into: &sink)
    streamStart.store(start.offset, ordering: .releasing)
    isStreaming.store(true, ordering: .releasing)
    progress.appliedOffset.store(start.offset, ordering: .releasing)
    link.acknowledge(start.offset)
    return decoder
  }

  /// Reads the whole snapshot and writes nothing.
  func dryRun() throws(ReplayError) -> DryRunReport {
    let linkThread = link.start()
    defer {
      link.stop()
      linkThread.join()
      phases.enter(.finished)
    }
    let start = try ReplayError.wrap { () throws(LinkError) in try awaitSnapshot() }
    phases.enter(.snapshot)
    var sink = DryRunSink()
    var reader = snapshotReplay(start)
    _ = try reader.run(into: &sink)
    sink.report.keysRead = snapshotCounters.keysRead.load(ordering: .relaxed)
    return sink.report
  }

  private func snapshotReplay(_ start: SnapshotStart) -> SnapshotReplay {
    let snapshot = SnapshotReader(
      read: { [self] (room) throws(LinkError) in try readLink(room) }, start: start,
      counters: snapshotCounters,
      features: findings.destination?.commandFeatures ?? RDBCommandFeatures()
    ) { [self] () throws(ReplayError) in
      try progress.throwFailure()
      if isStopRequested { throw .interrupted }
    }
    return SnapshotReplay(snapshot, filter: options.filter, counters: snapshotCounters)
  }

  private func load(
    _ reader: inout SnapshotReplay, into sink: inout LoaderSink
  ) throws(ReplayError) -> CommandDecoder {
    do {
      let decoder = try reader.run(into: &sink)
      try sink.drain()
      return decoder
    } catch {
      // What was handed over is finished when the operator stops; a failure ends at once.
      if error.isInterruption { try? sink.drain() }
      throw error
    }
  }

  private func follow(
    _ decoder: consuming CommandDecoder, _ start: SnapshotStart
  ) throws(ReplayError) -> ReplayOutcome {
    phases.enter(.catchingUp)
    let goal = catchUpGoal()
    var router = CommandRouter(
      filter: options.filter, destinationIsOurs: destinationWasEmpty, database: 0)
    router.skippedKeys = progress.skippedKeys
    let lane = Lane(
      url: options.destination, timeouts: options.timeouts, targets: targets, progress: progress,
      offset: start.offset, onApplied: { [self] offset in applied(offset) })
    var stream = StreamReplay(
      replay: self, router: router, decoder: decoder, lane: lane,
      rewritesTimeToLive: rewritesTimeToLive)
    defer { stream.close() }
    return try stream.run(goal: goal)
  }

  /// Sources before 7.0 send times to live that count from the command's arrival.
  private var rewritesTimeToLive: Bool {
    guard let source = findings.source, let destination = findings.destination else { return false }
    return source.version < ServerVersion(7) && destination.version >= ServerVersion(6, 2)
  }

  /// Whether all that the destination holds came from this run.
  private var destinationWasEmpty: Bool {
    findings.destination?.keyCounts.isEmpty ?? false
  }

  // MARK: - Offsets

  /// An answer to GETACK is due as soon as everything up to `offset` is applied.
  func acknowledge(onceApplied offset: UInt64) {
    awaitedOffset.store(offset, ordering: .releasing)
    applied(progress.appliedOffset.load(ordering: .acquiring))
  }

  /// Everything up to `offset` is applied. On any thread.
  private func applied(_ offset: UInt64) {
    link.acknowledge(offset)
    let awaited = awaitedOffset.load(ordering: .acquiring)
    guard awaited > 0, offset >= awaited else { return }
    if awaitedOffset.compareExchange(
      expected: awaited, desired: 0, ordering: .acquiringAndReleasing
    ).exchanged {
      link.acknowledgeNow()
    }
  }

  /// The offset at which the destination has caught up: where the source stands now. When it cannot
  /// be asked, what has arrived so far.
  private func catchUpGoal() -> UInt64 {
    if findings.source != nil,
      let offset = try? currentSourceOffset(), offset >= streamStart.load(ordering: .relaxed)
    {
      return offset
    }
    return receivedOffset
  }

  private func currentSourceOffset() throws(LinkError) -> UInt64? {
    var connection = try RedisConnection.open(options.source, timeouts: options.timeouts)
    return try ServerFacts.read(&connection)?.replicationOffset
  }

  /// The stream offset of the last byte that has arrived.
  var receivedOffset: UInt64 { link.status.receivedOffset }
}
