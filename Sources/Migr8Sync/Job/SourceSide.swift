// The source as the replays of a job see it: the link, and the few things that are asked of it.

import ReplicaLink
import Synchronization

/// Answers what a replay asks of its job.
///
/// `@unchecked Sendable`: immutable references to types that guard themselves, and atomics.
final class SourceSide: ReplayHost, @unchecked Sendable {
  let link: ReplicaLink
  /// Rung when the run is to end: no question to a server is waited for then.
  let stopBell: WakePipe
  private let options: SyncOptions
  private let findings: PreflightFindings
  /// The offset a GETACK waits for; 0 for none.
  private let awaitedOffset = Atomic<UInt64>(0)
  private let isStopping = Atomic<Bool>(false)

  /// - Parameter place: what an earlier run has applied; nil asks for a snapshot.
  init(options: SyncOptions, findings: PreflightFindings, resumingFrom place: ReplicationPlace?) {
    self.options = options
    self.findings = findings
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
      options: settings, resumingFrom: place, readerCount: 1)
  }

  /// Ends the run soon, with everything that was begun finished. From any thread.
  func requestStop() {
    isStopping.store(true, ordering: .releasing)
    stopBell.ring()
  }

  var isStopRequested: Bool { isStopping.load(ordering: .acquiring) }

  var endsWhenConverged: Bool { options.once }

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

  func acknowledge(onceApplied offset: UInt64, applied: UInt64) {
    awaitedOffset.store(offset, ordering: .sequentiallyConsistent)
    self.applied(applied)
  }

  func applied(_ offset: UInt64) {
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
