// One run of a job: the link to the source, and the replay of each destination on a thread of its own.
//
//   link thread ─▶ snapshot and stream queues ─▶ replay thread ─▶ loaders, then lane ─▶ destination
//        ▲                                             │
//        └──────────── applied offset ◀────────────────┘

import RDBParser
import ReplicaLink

/// The threads of a run and what they ask of each other.
///
/// `@unchecked Sendable`: immutable references to types that guard themselves; `linkNotices` is the
/// reporting thread's alone.
final class Job: @unchecked Sendable {
  let findings: PreflightFindings
  let source: SourceSide
  let replay: DestinationReplay
  private let options: SyncOptions
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
    source = SourceSide(
      options: options, findings: findings,
      resumingFrom: record?.phase == .stream ? record?.resumePlace : nil)
    replay = DestinationReplay(
      plan: DestinationPlan(options, findings), runner: runner, record: record,
      reader: source.link.readers[0], stopBell: source.stopBell, host: source)
    replay.progress.skip(skipped)
  }

  var link: ReplicaLink { source.link }

  var isStopRequested: Bool { source.isStopRequested }

  /// Ends the run soon, with everything that was begun finished. From any thread.
  func requestStop() { source.requestStop() }

  /// Does the whole run on the calling thread.
  func run() throws(ReplayError) -> ReplayOutcome {
    do {
      return try whileAttached { () throws(ReplayError) in try replay.run() }
    } catch {
      guard error.isInterruption else { throw error }
      return .interrupted
    }
  }

  /// Runs `body` while the link is there.
  private func whileAttached<R>(_ body: () throws(ReplayError) -> R) throws(ReplayError) -> R {
    let linkThread = link.start()
    defer {
      source.stopBell.ring()
      link.stop()
      linkThread.join()
      replay.phases.enter(.finished)
    }
    replay.phases.enter(.waitingForSnapshot)
    return try body()
  }

  /// Reads the whole snapshot and writes nothing.
  func dryRun() throws(ReplayError) -> DryRunReport {
    try whileAttached { () throws(ReplayError) in try readSnapshot() }
  }

  private func readSnapshot() throws(ReplayError) -> DryRunReport {
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
}
