// The one consistent snapshot of a run's numbers that every report is made of.

import ReplicaLink

extension Job {
  /// A destination that owes an answer for longer than this is worth a warning.
  static let stallWarningMilliseconds: Int64 = 3_000

  /// The numbers of this moment. From any thread.
  func progressSnapshot() -> ProgressSnapshot {
    let status = link.status
    let each = replays.map { numbers(of: $0, status) }
    var total = hasSeveral ? ProgressSnapshot(of: each) : each[0]
    total.warning = warning(each, status)
    return total
  }

  private func numbers(of replay: DestinationReplay, _ status: LinkStatus) -> ProgressSnapshot {
    var snapshot = ProgressSnapshot()
    if hasSeveral { snapshot.address = replay.plan.address }
    let clock = replay.phases.reading()
    snapshot.phase = clock.phase
    snapshot.elapsedMilliseconds = clock.elapsed
    snapshot.phaseMilliseconds = clock.spent
    addSnapshotNumbers(&snapshot, replay, status)
    addStreamNumbers(&snapshot, replay, status)
    snapshot.queueMemoryBytes = status.spool.memoryBytes
    snapshot.queueDiskBytes = status.spool.diskBytes
    snapshot.reconnects = UInt64(status.reconnects)
    snapshot.fullResynchronisations = UInt64(status.fullResyncCount)
    snapshot.warning = replay.progress.notices.current ?? stall(of: replay, status)
    return snapshot
  }

  private func addSnapshotNumbers(
    _ snapshot: inout ProgressSnapshot, _ replay: DestinationReplay, _ status: LinkStatus
  ) {
    let counters = replay.snapshotCounters
    let progress = replay.progress
    snapshot.keysRead = counters.keysRead.load(ordering: .relaxed)
    snapshot.keysMatched = counters.keysMatched.load(ordering: .relaxed)
    snapshot.keysWritten = progress.keysWritten.load(ordering: .relaxed)
    snapshot.keysSkipped = progress.keysSkipped.load(ordering: .relaxed)
    snapshot.isByScan = isByScan
    snapshot.keysVanished = counters.keysVanished.load(ordering: .relaxed)
    snapshot.keysTorn = counters.keysTorn.load(ordering: .relaxed)
    snapshot.keysOfOtherTypes = counters.keysOfOtherTypes.load(ordering: .relaxed)
    snapshot.keysExpected = findings.source?.keyCount
    snapshot.snapshotBytesRead = counters.bytesRead.load(ordering: .relaxed)
    if let start = status.fullResyncs.last?.start, case .length(let length) = start.framing {
      snapshot.snapshotBytesExpected = length
    }
    snapshot.bytesWritten = progress.bytesWritten.load(ordering: .relaxed)
    snapshot.functionsLeftOut = counters.functionsLeftOut.load(ordering: .relaxed)
    snapshot.modulesLeftOut = counters.modulesLeftOut.load(ordering: .relaxed)
  }

  private func addStreamNumbers(
    _ snapshot: inout ProgressSnapshot, _ replay: DestinationReplay, _ status: LinkStatus
  ) {
    snapshot.routing = replay.streamCounters.reading
    // With keys under repair not everything is there that is behind the checkpoint.
    let applied = min(
      replay.progress.appliedOffset.load(ordering: .acquiring),
      replay.progress.acknowledgeCeiling.load(ordering: .relaxed))
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

  // MARK: - Warnings

  /// What is in the way: at a destination, at the source, or in between.
  private func warning(_ each: [ProgressSnapshot], _ status: LinkStatus) -> String? {
    for (replay, snapshot) in zip(replays, each) {
      if let own = snapshot.warning { return replay.plan.named(own) }
    }
    if case .pausing = status.phase, let error = status.lastError {
      return "the link to the source is down: \(error); trying again"
    }
    return slowdown(status)
  }

  private func stall(of replay: DestinationReplay, _ status: LinkStatus) -> String? {
    let progress = replay.progress
    let silence =
      Clock.monotonicMilliseconds() - progress.lastAnswerMilliseconds.load(ordering: .relaxed)
    guard progress.bytesInFlight.load(ordering: .relaxed) > 0,
      silence > Self.stallWarningMilliseconds
    else { return nil }
    let consequence = slowdown(status) ?? "the source keeps being drained into the queue"
    return "the destination has not answered for \(silence / 1000) s; \(consequence)"
  }

  /// Of several destinations the queue waits for the one that is furthest behind.
  private func slowdown(_ status: LinkStatus) -> String? {
    guard let reason = status.spool.fullReason else { return nil }
    let line = "reading from the source is slowed down: \(reason)"
    let last = replays.min {
      $0.progress.appliedOffset.load(ordering: .relaxed)
        < $1.progress.appliedOffset.load(ordering: .relaxed)
    }
    guard hasSeveral, let last else { return line }
    return "\(line); the queue waits for \(last.plan.address)"
  }

  /// What has happened since the last call, a line each.
  func takeNotices() -> [String] {
    replays.flatMap { replay in replay.progress.notices.take().map(replay.plan.named) }
      + linkNotices.take(link.status)
  }
}
