// The reverse of a job while the job still runs: its link is attached to the destination before the fence,
// so that nothing which the destination gets behind the hand-over can be missed, and the source's lease
// for it is taken. It applies nothing until the job has ended; then it is the run.

import ReplicaLink

/// A reverse that is ready to begin.
struct Reverse: Sendable {
  /// What is known before anything is touched.
  struct Plan: Sendable {
    let options: SyncOptions
    let findings: PreflightFindings
    /// Where a backlog is to be made before the stream can be joined.
    let needsBacklog: Bool
  }

  let options: SyncOptions
  let start: JobStart
  let job: Job

  /// Whether the two servers would do it with their roles exchanged.
  ///
  /// - Parameter isAsking: whether nothing may be changed, not even a backlog made.
  /// - Throws: why not.
  static func examine(
    _ options: SyncOptions, _ identity: JobIdentity, isAsking: Bool
  ) throws(CutoverError) -> Plan {
    do {
      var reverse = try options.reversed(identity)
      // The job was taken from somebody, perhaps; what is under way at the source is not.
      reverse.takesOver = false
      let findings = try Preflight(reverse).run(writes: true, attaches: true)
      let failed = reverse.failedChecks()
      if let line = failed.first, !options.isForced { throw CutoverError(line) }
      let entry = StreamEntry(
        locator: reverse.sourceLocator, timeouts: reverse.timeouts, interrupt: nil)
      let place = try entry.find(isAsking: isAsking)
      return Plan(options: reverse, findings: findings, needsBacklog: place == nil)
    } catch {
      throw CutoverError("the reverse: \(error)")
    }
  }

  /// Takes the job at the source and attaches to the destination.
  ///
  /// - Throws: when either fails; nothing is left behind then.
  init(_ plan: Plan, interrupt: WakePipe) throws(CutoverError) {
    options = plan.options
    let place: ReplicationPlace
    do {
      let entry = StreamEntry(
        locator: options.sourceLocator, timeouts: options.timeouts, interrupt: interrupt)
      guard let end = try entry.find(isAsking: false) else { throw CutoverError("no backlog") }
      place = end
      start = try JobStart(DestinationPlan(options, plan.findings, route: 0), options: options)
    } catch {
      throw CutoverError("the reverse: \(error)")
    }
    job = Job(
      options: options, findings: plan.findings, starts: [start], place: .stream(place))
    do throws(CutoverError) {
      if start.record != nil {
        throw CutoverError(
          "the reverse: \(start.plan.address) keeps a job \(start.runner.identity.name) of its own"
            + " (see 'migr8sync jobs -d URL'; end it with --forget)")
      }
      job.attach()
      try awaitStream()
    } catch {
      abandon()
      throw error
    }
  }

  private func awaitStream() throws(CutoverError) {
    let deadline =
      Clock.monotonicMilliseconds() + options.timeouts.connectMilliseconds
    let gate = job.source.gate
    while true {
      let status = job.link.status
      if status.fullResyncCount > 0 {
        throw CutoverError("the reverse: the destination answers with a snapshot of its own")
      }
      switch status.phase {
      case .following: return
      case .ended(let error): throw CutoverError("the reverse: \(error)")
      default: break
      }
      guard Clock.monotonicMilliseconds() < deadline else {
        let reason = status.lastError.map { ": \($0)" } ?? ""
        throw CutoverError("the reverse: its link did not come about in time\(reason)")
      }
      gate.wait(milliseconds: 2)
    }
  }

  /// Where its link is.
  var place: String { "offset \(job.link.status.boundaryOffset)" }

  /// Reads the destination's stream up to the mark in the job's record, and begins there.
  func begin(
    behindMarkOf identity: JobIdentity, at end: UInt64, untilMilliseconds deadline: Int64
  ) throws(CutoverError) -> ReplicationPlace {
    let replay = job.replays[0]
    do throws(ReplayError) {
      guard
        let place = try replay.findMark(
          inRecord: identity.recordKey, of: end, untilMilliseconds: deadline)
      else { throw ReplayError("the mark did not come through the destination's stream in time") }
      replay.begin(
        with: JobRecord(
          reversing: identity, at: place, rules: start.runner.identity.rules,
          source: start.plan.sourceAddress))
      return place
    } catch {
      throw CutoverError("the reverse: \(error)")
    }
  }

  /// Leaves word at both servers that the job has been turned round.
  func establish() throws(CutoverError) {
    do throws(ReplayError) {
      try job.replays[0].establish()
    } catch {
      throw CutoverError("the reverse: \(error) (it is tried again)")
    }
  }

  /// Ends it: the application stays where it was.
  func abandon() {
    job.detach()
    start.leave(isDone: false)
  }
}
