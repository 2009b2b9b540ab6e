// One run of a job: the link to the source, and the replay of each destination on a thread of its own.
//
//   link thread ─▶ snapshot and stream queues ─▶ replay thread ─▶ loaders, then lane ─▶ destination
//        ▲                                             │
//        └──────────── applied offset ◀────────────────┘

import RDBParser
import ReplicaLink
import Synchronization

/// The threads of a run and what they ask of each other.
///
/// `@unchecked Sendable`: immutable references to types that guard themselves, and atomics.
final class Job: ReplayHost, @unchecked Sendable {
  let options: SyncOptions
  let findings: PreflightFindings
  let runner: JobRunner
  let link: ReplicaLink
  /// Rung when the run is to end: no question to a server is waited for then.
  private let stopBell = WakePipe()
  /// Set once, before any thread is started.
  private(set) var replay: DestinationReplay!
  /// The offset a GETACK waits for; 0 for none.
  private let awaitedOffset = Atomic<UInt64>(0)
  private let isStopping = Atomic<Bool>(false)
  /// The reporting thread's alone.
  var linkNotices = LinkNotices()

  /// - Parameters:
  ///   - record: what the destination knows of the job: it goes on from there.
  ///   - skipped: keys of the destination that are left alone.
  init(
    options: SyncOptions, findings: PreflightFindings, runner: JobRunner, record: JobRecord?,
    skipped: KeyHashSet
  ) {
    self.options = options
    self.findings = findings
    self.runner = runner
    var settings = LinkOptions(
      timeouts: options.timeouts,
      spool: SpoolLimits(
        memoryBytes: options.queueMemoryBytes, diskBytes: options.spoolMaximumBytes,
        directory: options.spoolDirectory))
    settings.psyncCommand = options.psyncCommand
    link = ReplicaLink(
      source: { [locator = options.sourceLocator, stopBell] () throws(LinkError) in
        try locator.locate(interrupt: stopBell)
      },
      options: settings, resumingFrom: record?.phase == .stream ? record?.place : nil,
      readerCount: 1)
    replay = DestinationReplay(
      plan: DestinationPlan(options, findings), runner: runner, record: record,
      reader: link.readers[0], stopBell: stopBell, host: self)
    replay.progress.skip(skipped)
  }

  /// Does the whole run on the calling thread.
  func run() throws(ReplayError) -> ReplayOutcome {
    let linkThread = link.start()
    defer {
      stopBell.ring()
      link.stop()
      linkThread.join()
      replay.phases.enter(.finished)
    }
    replay.phases.enter(.waitingForSnapshot)
    do {
      return try replay.run()
    } catch {
      guard error.isInterruption else { throw error }
      return .interrupted
    }
  }

  /// Reads the whole snapshot and writes nothing.
  func dryRun() throws(ReplayError) -> DryRunReport {
    let linkThread = link.start()
    defer {
      stopBell.ring()
      link.stop()
      linkThread.join()
      replay.phases.enter(.finished)
    }
    replay.phases.enter(.waitingForSnapshot)
    while replay.feed.takeSnapshot() == nil {
      if isStopRequested { throw .interrupted }
      do throws(ReplayError) {
        try replay.feed.awaitBeginning()
      } catch {
        if error.kind != .restart { throw error }
      }
    }
    replay.phases.enter(.snapshot)
    var sink = DryRunSink()
    let reader = SnapshotReader(
      feed: replay.feed, counters: replay.snapshotCounters, features: RDBCommandFeatures()
    ) { [self] () throws(ReplayError) in if isStopRequested { throw .interrupted } }
    var snapshot = SnapshotReplay(
      reader, filter: options.filter, counters: replay.snapshotCounters)
    try snapshot.run(into: &sink)
    sink.report.keysRead = replay.snapshotCounters.keysRead.load(ordering: .relaxed)
    return sink.report
  }

  /// Ends the run soon, with everything that was begun finished. From any thread.
  func requestStop() {
    isStopping.store(true, ordering: .releasing)
    stopBell.ring()
  }

  // MARK: - What the replays ask

  var isStopRequested: Bool { isStopping.load(ordering: .acquiring) }

  var endsWhenConverged: Bool { options.once }

  var replicationID: [UInt8] { Array((link.status.replicationID ?? "").utf8) }

  func receiptTime(at offset: UInt64) -> Int64? { link.receiptTime(at: offset) }

  /// Where the source stands now; when it cannot be asked, what has arrived so far.
  func catchUpGoal() -> UInt64 {
    let received = link.status.receivedOffset
    guard findings.source != nil,
      let source = try? options.sourceLocator.locate(interrupt: stopBell),
      var connection = try? RedisConnection.open(
        source, timeouts: options.timeouts, interrupt: stopBell),
      let facts = try? ServerFacts.read(&connection), let offset = facts.replicationOffset
    else { return received }
    return max(offset, received)
  }

  func acknowledge(onceApplied offset: UInt64) {
    awaitedOffset.store(offset, ordering: .sequentiallyConsistent)
    applied(replay.progress.appliedOffset.load(ordering: .sequentiallyConsistent))
  }

  func applied(_ offset: UInt64) {
    let offset = min(offset, replay.acknowledgeCeiling.load(ordering: .relaxed))
    link.acknowledge(offset)
    let awaited = awaitedOffset.load(ordering: .sequentiallyConsistent)
    guard awaited > 0, offset >= awaited else { return }
    if awaitedOffset.compareExchange(
      expected: awaited, desired: 0, ordering: .sequentiallyConsistent
    ).exchanged {
      link.acknowledgeNow()
    }
  }
}
