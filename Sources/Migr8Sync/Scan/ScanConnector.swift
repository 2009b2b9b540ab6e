// Makes the connections that a scan reads its source by, and makes them anew where they are lost. Cursors of
// SCAN mean something to one process only, so all of them are to the same: to another everything begins anew.

import ReplicaLink

/// Connects to the source of a scan.
struct ScanConnector {
  let plan: DestinationPlan
  /// Rung when the run is to end.
  let interrupt: WakePipe
  /// Throws when the run is over for another reason.
  let checkpoint: () throws(ReplayError) -> Void
  /// Waits, in microseconds.
  let rest: (Int64) throws(ReplayError) -> Void
  let notices: Notices

  func connect() throws(ReplayError) -> VerifyEnd {
    do {
      return try VerifyEnd(plan.sourceLocator, timeouts: plan.timeouts, interrupt: interrupt)
    } catch {
      throw error.ofSource
    }
  }

  /// Connects again, however often that has to be tried.
  ///
  /// - Parameters:
  ///   - trouble: what ended the connection before; thrown where it is nothing that passes.
  ///   - runID: of the process that was connected to.
  func connect(
    after trouble: ReplayError, to runID: String?, _ pause: inout Backoff
  ) throws(ReplayError) -> VerifyEnd {
    var trouble = trouble.ofSource
    while true {
      guard trouble.kind == .transient else { throw trouble }
      notices.waiting("\(trouble); trying again")
      try rest(pause.next() * 1_000)
      try checkpoint()
      do throws(ReplayError) {
        let end = try connect()
        notices.goesOn()
        guard end.facts.runID == runID else { break }
        return end
      } catch {
        trouble = error
      }
    }
    throw ReplayError(
      "the source has restarted: its keys are read from the beginning", .transient)
  }
}
