// The one consistent snapshot of a run's numbers that every report is made of.

import ReplicaLink

extension Job {
  /// A destination that owes an answer for longer than this is worth a warning.
  static let stallWarningMilliseconds: Int64 = 3_000

  /// The numbers of this moment. From any thread.
  func progressSnapshot() -> ProgressSnapshot {
    var snapshot = ProgressSnapshot()
    let clock = replay.phases.reading()
    snapshot.phase = clock.phase
    snapshot.elapsedMilliseconds = clock.elapsed
    snapshot.phaseMilliseconds = clock.spent
    let status = link.status
    addSnapshotNumbers(&snapshot, status)
    addStreamNumbers(&snapshot, status)
    snapshot.queueMemoryBytes = status.spool.memoryBytes
    snapshot.queueDiskBytes = status.spool.diskBytes
    snapshot.reconnects = UInt64(status.reconnects)
    snapshot.fullResynchronisations = UInt64(status.fullResyncCount)
    snapshot.warning = warning(status)
    return snapshot
  }

  private func addSnapshotNumbers(_ snapshot: inout ProgressSnapshot, _ status: LinkStatus) {
    let snapshotCounters = replay.snapshotCounters
    let progress = replay.progress
    snapshot.keysRead = snapshotCounters.keysRead.load(ordering: .relaxed)
    snapshot.keysMatched = snapshotCounters.keysMatched.load(ordering: .relaxed)
    snapshot.keysWritten = progress.keysWritten.load(ordering: .relaxed)
    snapshot.keysSkipped = progress.keysSkipped.load(ordering: .relaxed)
    snapshot.keysExpected = findings.source.map { $0.keyCounts.values.reduce(0, +) }
    snapshot.snapshotBytesRead = snapshotCounters.bytesRead.load(ordering: .relaxed)
    if let start = status.fullResyncs.last?.start, case .length(let length) = start.framing {
      snapshot.snapshotBytesExpected = length
    }
    snapshot.bytesWritten = progress.bytesWritten.load(ordering: .relaxed)
    snapshot.functionsLeftOut = snapshotCounters.functionsLeftOut.load(ordering: .relaxed)
    snapshot.modulesLeftOut = snapshotCounters.modulesLeftOut.load(ordering: .relaxed)
  }

  private func addStreamNumbers(_ snapshot: inout ProgressSnapshot, _ status: LinkStatus) {
    snapshot.routing = replay.streamCounters.reading
    // With keys under repair not everything is there that is behind the checkpoint.
    let applied = min(
      replay.progress.appliedOffset.load(ordering: .acquiring),
      replay.acknowledgeCeiling.load(ordering: .relaxed))
    guard applied > 0 else { return }
    let received = status.receivedOffset
    snapshot.sourceOffset = received
    snapshot.appliedOffset = applied
    guard received > applied else { return }
    snapshot.lagBytes = received - applied
    if let arrival = link.receiptTime(at: applied) {
      snapshot.lagMilliseconds = max(0, Clock.wallMilliseconds() - arrival)
    }
  }

  private func warning(_ status: LinkStatus) -> String? {
    if let obstacle = replay.progress.notices.current { return obstacle }
    if case .pausing = status.phase, let error = status.lastError {
      return "the link to the source is down: \(error); trying again"
    }
    let spool = status.spool
    let progress = replay.progress
    let silence =
      Clock.monotonicMilliseconds() - progress.lastAnswerMilliseconds.load(ordering: .relaxed)
    if progress.bytesInFlight.load(ordering: .relaxed) > 0,
      silence > Self.stallWarningMilliseconds
    {
      let consequence =
        spool.fullReason.map { "reading from the source is slowed down: \($0)" }
        ?? "the source keeps being drained into the queue"
      return "the destination has not answered for \(silence / 1000) s; \(consequence)"
    }
    return spool.fullReason.map { "reading from the source is slowed down: \($0)" }
  }

  /// What has happened since the last call, a line each.
  func takeNotices() -> [String] {
    replay.progress.notices.take() + linkNotices.take(link.status)
  }
}
