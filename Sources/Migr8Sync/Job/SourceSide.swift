// The source as the replays of a job see it: the link, and the few things that are asked of it.

import ReplicaLink
import Synchronization

/// Answers what a replay asks of its job.
///
/// `@unchecked Sendable`: immutable references to types that guard themselves, and atomics.
final class SourceSide: ReplayHost, @unchecked Sendable {
  let link: ReplicaLink
  let pulse: SourcePulse
  /// Rung when the run is to end: no question to a server is waited for then.
  let stopBell: WakePipe
  let gate = StreamGate()
  let pacer: Pacer
  private let options: SyncOptions
  private let findings: PreflightFindings
  private let applied: Guarded<AppliedOffsets>
  /// Which destinations have caught up.
  private let converged: Guarded<[Bool]>
  private let isEverythingDone = Atomic<Bool>(false)
  private let isStopping = Atomic<Bool>(false)

  /// - Parameter place: what an earlier run has applied; nil asks for a snapshot.
  init(options: SyncOptions, findings: PreflightFindings, resumingFrom place: ReplicationPlace?) {
    self.options = options
    pacer = Pacer(options.maximumRate)
    self.findings = findings
    let count = options.routes.count
    applied = Guarded(AppliedOffsets(destinationCount: count))
    converged = Guarded(Array(repeating: false, count: count))
    let bell = WakePipe()
    stopBell = bell
    var settings = LinkOptions(
      timeouts: options.timeouts,
      spool: SpoolLimits(
        memoryBytes: options.queueMemoryBytes, diskBytes: options.spoolMaximumBytes,
        directory: options.spoolDirectory))
    settings.psyncCommand = options.psyncCommand
    settings.usesTwoChannels = options.usesTwoChannels
    link = ReplicaLink(
      source: { [locator = options.sourceLocator] () throws(LinkError) in
        try locator.locate(interrupt: bell)
      },
      options: settings, resumingFrom: place, readerCount: count)
    pulse = SourcePulse(
      source: { [locator = options.sourceLocator] () throws(LinkError) in
        try locator.locate(interrupt: bell)
      }, timeouts: options.timeouts,
      following: { [link] in Array((link.status.replicationID ?? "").utf8) })
  }

  /// Ends the run soon, with everything that was begun finished. From any thread.
  func requestStop() {
    isStopping.store(true, ordering: .releasing)
    pacer.lift(true)
    stopBell.ring()
  }

  var isStopRequested: Bool { isStopping.load(ordering: .acquiring) }

  var isComplete: Bool { isEverythingDone.load(ordering: .acquiring) }

  /// With `--once` the run is complete when all have caught up at one time; until then those that have
  /// go on following.
  func setConverged(_ isSo: Bool, at destination: Int) {
    let areAll = converged.withLock { destinations in
      destinations[destination] = isSo
      return destinations.allSatisfy { $0 }
    }
    if areAll, options.once { isEverythingDone.store(true, ordering: .releasing) }
  }

  func receiptTime(at offset: UInt64) -> Int64? { link.receiptTime(at: offset) }

  func isLate(at offset: UInt64) -> Bool { link.isLate(at: offset) }

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
    applied.withLock { $0.await(offset) }
  }

  func applied(_ offset: UInt64, generation: Int, at destination: Int) {
    let (everywhere, isAwaited) = applied.withLock { offsets in
      offsets.note(offset, generation: generation, at: destination)
      return (offsets.everywhere, offsets.takeAwaited())
    }
    if let (offset, generation) = everywhere { link.acknowledge(offset, generation: generation) }
    if isAwaited { link.acknowledgeNow() }
  }
}
