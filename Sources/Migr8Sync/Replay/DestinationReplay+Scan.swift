// A copy by SCAN on its way to one destination: the record says that one is being written, the loaders write
// it, and what an earlier attempt has written of keys that are gone by now goes. There is no stream, so the
// record is never more than that; it goes with the job.

import Glibc
import ReplicaLink

extension DestinationReplay {
  /// Copies what the source holds, once.
  func copyByScan() throws(ReplayError) -> ReplayOutcome {
    phases.enter(.snapshot)
    snapshotCounters.reset()
    progress.beginSnapshot()
    let nowhere = ReplicationPlace(replicationID: "", offset: 0)
    origin = runner.id
    try insist { () throws(ReplayError) in try writeRecord(.snapshot, nowhere) }
    let server = watch.server
    let repeats = isRepeated
    isRepeated = true
    let known = try writeScanned(repeats: repeats)
    if repeats { try insist { () throws(ReplayError) in try reconcile(known) } }
    // A server that has restarted since may have lost the end of it.
    try insist { () throws(ReplayError) in try writeRecord(.snapshot, nowhere, at: server) }
    return .converged
  }

  /// Brings what the source holds to the destination.
  ///
  /// - Returns: the keys of it.
  private func writeScanned(repeats: Bool) throws(ReplayError) -> KeyHashSet {
    var scan = try scanReplay()
    progress.notices.goesOn()
    var sink = loaderSink(repeats: repeats)
    defer { sink.close() }
    do {
      try scan.run(into: &sink)
      try sink.drain()
    } catch {
      // What was handed over is finished when the operator stops; a failure ends at once.
      if error.isInterruption { try finish(&sink) }
      throw error
    }
    return scan.known
  }

  /// Counts what would be copied, and writes nothing.
  func scanForReport() throws(ReplayError) -> DryRunReport {
    phases.enter(.snapshot)
    var sink = DryRunSink()
    var scan = try scanReplay()
    try scan.run(into: &sink)
    sink.report.keysRead = snapshotCounters.keysRead.load(ordering: .relaxed)
    return sink.report
  }

  private func scanReplay() throws(ReplayError) -> ScanReplay {
    try ScanReplay(
      plan, counters: snapshotCounters, skipped: progress.skippedKeys, interrupt: stopBell,
      checkpoint: { [self] () throws(ReplayError) in
        while host.gate.isPaused {
          try throwIfOver()
          host.gate.wait(milliseconds: Feed.patienceMilliseconds)
        }
        try throwIfOver()
        try persistLateSkips()
      },
      rest: { [self] (microseconds) throws(ReplayError) in
        if microseconds >= 10_000 { return try wait(milliseconds: microseconds / 1_000) }
        usleep(UInt32(max(0, microseconds)))
      }, notices: progress.notices)
  }
}
