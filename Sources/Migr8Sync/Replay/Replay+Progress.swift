// The one consistent snapshot of a run's numbers that every report is made of.

import ReplicaLink

extension Replay {
  /// A destination that owes an answer for longer than this is worth a warning.
  static let stallWarningMilliseconds: Int64 = 3_000

  /// The numbers of this moment. From any thread.
  func progressSnapshot() -> ProgressSnapshot {
    var snapshot = ProgressSnapshot()
    let clock = phases.reading()
    snapshot.phase = clock.phase
    snapshot.elapsedMilliseconds = clock.elapsed
    snapshot.phaseMilliseconds = clock.spent
    addSnapshotNumbers(&snapshot)
    addStreamNumbers(&snapshot)
    let spool = link.status.spool
    snapshot.queueDiskBytes = min(spool.diskBytes, spool.unreadBytes)
    snapshot.queueMemoryBytes = spool.unreadBytes - snapshot.queueDiskBytes
    snapshot.warning = warning(spool)
    return snapshot
  }

  private func addSnapshotNumbers(_ snapshot: inout ProgressSnapshot) {
    snapshot.keysRead = snapshotCounters.keysRead.load(ordering: .relaxed)
    snapshot.keysMatched = snapshotCounters.keysMatched.load(ordering: .relaxed)
    snapshot.keysWritten = progress.keysWritten.load(ordering: .relaxed)
    snapshot.keysSkipped = progress.keysSkipped.load(ordering: .relaxed)
    snapshot.keysExpected = findings.source.map { $0.keyCounts.values.reduce(0, +) }
    snapshot.snapshotBytesRead = snapshotCounters.bytesRead.load(ordering: .relaxed)
    if case .length(let length) = link.status.fullResyncs.last?.start.framing {
      snapshot.snapshotBytesExpected = length
    }
    snapshot.bytesWritten = progress.bytesWritten.load(ordering: .relaxed)
    snapshot.functionsLeftOut = snapshotCounters.functionsLeftOut.load(ordering: .relaxed)
    snapshot.modulesLeftOut = snapshotCounters.modulesLeftOut.load(ordering: .relaxed)
  }

  private func addStreamNumbers(_ snapshot: inout ProgressSnapshot) {
    snapshot.commandsRead = streamCounters.read.load(ordering: .relaxed)
    snapshot.commandsForwarded = streamCounters.forwarded.load(ordering: .relaxed)
    snapshot.commandsSplit = streamCounters.split.load(ordering: .relaxed)
    snapshot.commandsDropped = streamCounters.dropped.load(ordering: .relaxed)
    snapshot.messagesDropped = streamCounters.messagesDropped.load(ordering: .relaxed)
    let start = streamStart.load(ordering: .acquiring)
    guard isStreaming.load(ordering: .acquiring) else { return }
    let applied = progress.appliedOffset.load(ordering: .acquiring)
    let received = receivedOffset
    snapshot.sourceOffset = received
    snapshot.appliedOffset = applied
    guard received > applied, applied >= start else { return }
    snapshot.lagBytes = received - applied
    if let arrival = link.receiptTime(at: applied) {
      snapshot.lagMilliseconds = max(0, Clock.wallMilliseconds() - arrival)
    }
  }

  private func warning(_ spool: SpoolStatus) -> String? {
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
}
