// One run of a job: the one link to the source, and the replay of each destination on a thread of its own.
//
//   link thread ─▶ snapshot and stream queues ─┬▶ replay thread ─▶ loaders, then lane ─▶ destination
//        ▲                                     └▶ replay thread ─▶ loaders, then lane ─▶ destination
//        └──────── least applied offset ◀────────────────┘
//
// Destinations share the link and the queues, and nothing else: one that is slow, or waits for its server,
// keeps its place in the queues while the others go on.

import RDBParser
import ReplicaLink

/// The threads of a run and what they ask of each other.
///
/// `@unchecked Sendable`: immutable references to types that guard themselves; `linkNotices` is the
/// reporting thread's alone.
final class Job: @unchecked Sendable {
  let findings: PreflightFindings
  let source: SourceSide
  /// One for each route.
  let replays: [DestinationReplay]
  var linkNotices = LinkNotices()
  /// How the first destination that failed did, in words that name it.
  private let failure = Guarded<ReplayError?>(nil)
  /// The link's thread and the pulse's, once it is attached.
  private let sourceThreads = Guarded<[NamedThread]>([])

  /// - Parameters:
  ///   - starts: what each destination knows of the job: it goes on from there.
  ///   - place: where the link begins.
  init(
    options: SyncOptions, findings: PreflightFindings, starts: [JobStart], place: ResumePlace
  ) {
    self.findings = findings
    var resumed: ReplicationPlace?
    if case .stream(let place) = place { resumed = place }
    let source = SourceSide(options: options, findings: findings, resumingFrom: resumed)
    self.source = source
    replays = starts.map { start in
      let replay = DestinationReplay(
        plan: start.plan, runner: start.runner, lease: start.lease, watch: start.watch,
        record: start.record, reader: source.link.readers[start.plan.index],
        stopBell: source.stopBell, host: source)
      replay.progress.skip(start.skipped, otherTypes: start.otherTypes)
      if let first = start.first {
        if start.record == nil { replay.begin(with: first) } else { replay.firstRecord = first }
      }
      return replay
    }
  }

  var link: ReplicaLink { source.link }

  /// Whether keys are copied by SCAN, without a link.
  var isByScan: Bool { replays[0].plan.isByScan }

  var isStopRequested: Bool { source.isStopRequested }

  /// Whether it is a failure of one destination that stops the others.
  var hasFailed: Bool { failure.withLock { $0 != nil } }

  /// Whether a destination has to be named where one is spoken of.
  var hasSeveral: Bool { replays.count > 1 }

  /// Ends the run soon, with everything that was begun finished. From any thread.
  func requestStop() { source.requestStop() }

  /// Ends the run at once, with whatever is under way. From any thread.
  func abandon() {
    for replay in replays { replay.progress.fail(.interrupted) }
  }

  /// Attaches to the source; `run` does it where it was not done before. What comes is kept from then on.
  func attach() {
    sourceThreads.withLock { threads in
      if threads.isEmpty { threads = [link.start(), source.pulse.start()] }
    }
  }

  /// Ends the link for good, and what else there is to the source.
  func detach() {
    source.stopBell.ring()
    source.pulse.stop()
    link.stop()
    sourceThreads.withLock { threads in
      for thread in threads { thread.join() }
      threads = []
    }
  }

  /// Does the whole run, and waits for its end on the calling thread.
  ///
  /// - Throws: how the first destination failed that did; the others were stopped then, as by the
  ///   operator.
  func run() throws(ReplayError) -> ReplayOutcome {
    let outcomes = try onEachThread { (replay) throws(ReplayError) in try replay.run() }
    return outcomes.allSatisfy { $0 == .converged } ? .converged : .interrupted
  }

  /// Reads the whole snapshot and writes nothing. Nil for a destination whose part was interrupted.
  func dryRun() throws(ReplayError) -> [DryRunReport?] {
    try onEachThread { [self] (replay) throws(ReplayError) in try readSnapshot(replay) }
  }

  // MARK: - Threads

  /// Runs `body` for each destination while the link is there; nil where it was interrupted.
  private func onEachThread<R: Sendable>(
    _ body: @escaping @Sendable (DestinationReplay) throws(ReplayError) -> R
  ) throws(ReplayError) -> [R?] {
    for replay in replays { replay.phases.enter(isByScan ? .connecting : .waitingForSnapshot) }
    if !isByScan { attach() }
    let results = replays.map { _ in Promise<R?>() }
    let threads = zip(replays, results).map { replay, result in
      NamedThread(hasSeveral ? "replay-\(replay.plan.index)" : "replay") { [self] in
        defer { replay.feed.close() }
        do throws(ReplayError) {
          result.fulfil(try body(replay))
        } catch {
          if !error.isInterruption { fail(error, of: replay) }
          result.fulfil(nil)
        }
      }
    }
    for thread in threads { thread.join() }
    detach()
    for replay in replays { replay.phases.enter(.finished) }
    if let failure = failure.withLock({ $0 }) { throw failure }
    return results.map { $0.wait(milliseconds: 0) ?? nil }
  }

  /// The others finish what is under way, and keep their checkpoints.
  private func fail(_ error: ReplayError, of replay: DestinationReplay) {
    var named = error
    if hasSeveral, !error.isOfSource {
      named = ReplayError("destination \(replay.plan.address): \(error)")
    }
    let isFirst = failure.withLock { first in
      defer { first = first ?? named }
      return first == nil
    }
    if !isFirst, !error.isOfSource { replay.progress.notices.note("failed as well: \(error)") }
    requestStop()
  }

  private func readSnapshot(_ replay: DestinationReplay) throws(ReplayError) -> DryRunReport {
    if isByScan { return try replay.scanForReport() }
    _ = try replay.feed.awaitSnapshot { () throws(ReplayError) in
      if isStopRequested { throw .interrupted }
    }
    replay.phases.enter(.snapshot)
    var sink = DryRunSink()
    let reader = SnapshotReader(
      feed: replay.feed, counters: replay.snapshotCounters, features: RDBCommandFeatures()
    ) { [self] () throws(ReplayError) in if isStopRequested { throw .interrupted } }
    var snapshot = SnapshotReplay(
      reader, filter: replay.plan.filter, counters: replay.snapshotCounters)
    try snapshot.run(into: &sink)
    sink.report.keysRead = replay.snapshotCounters.keysRead.load(ordering: .relaxed)
    return sink.report
  }
}
