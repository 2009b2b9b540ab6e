// migr8sync sync: check both ends, copy what matches, follow until stopped.

import Glibc
import ReplicaLink

/// The `sync` subcommand.
struct SyncCommand {
  /// How often the display is offered new numbers, in milliseconds.
  static let reportIntervalMilliseconds: Int64 = 200

  /// How long a run that is to stop may wait for a destination that does not answer.
  static let stopPatienceMilliseconds: Int64 = 2_000

  /// Those of the reverse, once the application was handed over.
  private(set) var options: SyncOptions
  private let signals = StopSignals()
  private var reporter: Reporter

  init(options: SyncOptions) {
    self.options = options
    reporter = Reporter(options.view)
  }

  /// Runs to the end and says how the process should exit.
  mutating func run() -> ExitCode {
    signals.install()
    do {
      let direction = try JobDirection.find(options)
      options = direction.options
      let findings = try Preflight(options).run(
        writes: !options.isDryRun, attaches: options.way == .psync)
      if options.way == .scan {
        reporter.warn(
          "--via scan copies once and follows nothing: what is written to the source meanwhile may be"
            + " missing, old or left over at the destination (hold the writers off, or look with migr8sync"
            + " verify and mend with --fix)")
      }
      for remark in findings.remarks { reporter.note(remark) }
      for warning in findings.warnings { reporter.warn(warning.text) }
      for line in try checkFirst() { reporter.warn("ignored by --force: \(line)") }
      let plans = options.routes.indices.map {
        DestinationPlan(options, findings, route: $0)
      }
      return options.isDryRun
        ? dryRun(plans, findings)
        : follow(try begin(plans, findings, direction.first), findings)
    } catch {
      return end(error)
    }
  }

  /// Makes the job this process's own at every destination, and all of them ready for it.
  private mutating func begin(
    _ plans: [DestinationPlan], _ findings: PreflightFindings, _ first: JobRecord?
  ) throws(PreflightError) -> (starts: [JobStart], place: ResumePlace) {
    var starts: [JobStart] = []
    do throws(PreflightError) {
      for plan in plans {
        var start = try JobStart(plan, options: options)
        start.first = first
        starts.append(start)
        describe(start)
        try checkReverse(start)
      }
      let lines = try ExistingKeys(options: options).settle(&starts)
      for line in lines { reporter.note(line) }
    } catch {
      for start in starts { start.leave(isDone: false) }
      throw error
    }
    let place = ResumePlace(
      starts.map { ($0.plan.address, $0.record ?? $0.first) }, source: findings.source)
    if case .snapshot(let reason?) = place, options.way == .psync {
      reporter.note("a new snapshot is needed: \(reason)")
    }
    return (starts, place)
  }

  /// A reverse that has lost its record, or a part of its data, is not begun anew unasked.
  private func checkReverse(_ start: JobStart) throws(PreflightError) {
    guard options.isReverse, !options.takesReverseSnapshot else { return }
    let phase = (start.record ?? start.first)?.phase
    if phase == .stream { return }
    let name = start.runner.identity.name
    throw .refused(
      PreflightRefusal(
        "job \(name) goes from \(start.plan.sourceAddress) back to \(start.plan.address), which"
          + (phase == nil ? " has no record of it any more" : " has a part of a snapshot only")
          + " (--reverse-snapshot copies anew what moved; 'migr8sync jobs --forget \(name)' at both"
          + " servers, with --force where it is refused, ends the job)"))
  }

  private mutating func describe(_ start: JobStart) {
    let at = options.routes.count > 1 ? " at \(start.plan.address)" : ""
    if !start.endsConnections {
      reporter.warn(
        "the destination's user\(at) may not run CLIENT LIST, KILL and SETNAME: what was sent on a"
          + " connection that is lost may be carried out late, and so twice, and the lease of a killed"
          + " run has to run out (grant +client|list +client|kill +client|setname)")
    }
    guard let record = start.record ?? start.first else { return }
    let reverse = options.isReverse ? "the reverse of " : ""
    let name = start.runner.identity.name
    reporter.note(
      record.phase == .stream
        ? "going on with \(reverse)job \(name)\(at) behind offset \(record.place.offset)"
        : "job \(name)\(at) was interrupted in its snapshot, which begins again")
  }

  // MARK: - The run

  private mutating func follow(
    _ begun: (starts: [JobStart], place: ResumePlace), _ findings: PreflightFindings
  ) -> ExitCode {
    var job = Job(options: options, findings: findings, starts: begun.starts, place: begun.place)
    var starts = begun.starts
    let control = JobControl(job, options, starts[0].runner.identity)
    if let trouble = control.open() {
      reporter.warn("this run cannot be talked to, and so not cut over: \(trouble)")
    }
    while true {
      signals.onStop { [job] in job.requestStop() }
      var result = watch(job) { [job] () throws(ReplayError) in try job.run() }
      let ending = control.settle()
      if let debt = control.debt { reporter.warn("the run ends, and \(debt)") }
      if case .handedOver(let reverse?) = ending {
        for start in starts { start.leave(isDone: false) }
        (job, starts, options) = (reverse.job, [reverse.start], reverse.options)
        control.turn(to: job, options, starts[0].runner.identity)
        continue
      }
      control.close()
      switch ending {
      case .none: break
      case .handedOver, .completed: result = .success(.converged)
      }
      var isDone = false
      if case .success(.converged) = result { isDone = true }
      for start in starts {
        if let line = start.leave(isDone: isDone) { reporter.warn(line) }
      }
      return conclude(result, job.progressSnapshot())
    }
  }

  private mutating func dryRun(
    _ plans: [DestinationPlan], _ findings: PreflightFindings
  ) -> ExitCode {
    let job = Job(
      options: options, findings: findings,
      starts: plans.map { JobStart(reading: $0, options: options) },
      place: .snapshot(reason: nil))
    signals.onStop { job.requestStop() }
    let counted = Promise<[DryRunReport?]>()
    let result = watch(job) { () throws(ReplayError) in
      counted.fulfil(try job.dryRun())
      return .converged
    }
    let reports = (counted.wait(milliseconds: 0) ?? []).compactMap(\.self)
    guard reports.count == plans.count else {
      return conclude(
        result.map { _ in .interrupted }, job.progressSnapshot())
    }
    let existing = ExistingKeys(options: options)
    for (plan, var report) in zip(plans, reports) {
      report.address = plans.count > 1 ? plan.address : nil
      report.keysAtDestination = (try? existing.count(at: plan))?.count
      StandardOutput.write(options.view.logFormat == .json ? report.json() + "\n" : report.text())
    }
    return .converged
  }

  /// Runs `body` on a thread of its own and reports until it ends.
  private mutating func watch(
    _ job: Job, _ body: @escaping @Sendable () throws(ReplayError) -> ReplayOutcome
  ) -> Result<ReplayOutcome, ReplayError> {
    let result = Promise<Result<ReplayOutcome, ReplayError>>()
    let thread = NamedThread("run") {
      result.fulfil(Result { () throws(ReplayError) in try body() })
    }
    var stopSeen: Int64?
    while true {
      if let result = result.wait(milliseconds: Self.reportIntervalMilliseconds) {
        thread.join()
        report(job)
        reporter.finish()
        return result
      }
      report(job)
      guard job.isStopRequested else { continue }
      let now = Clock.monotonicMilliseconds()
      if let seen = stopSeen {
        if now - seen > Self.stopPatienceMilliseconds { job.abandon() }
      } else {
        stopSeen = now
        if job.hasFailed {
          if job.hasSeveral {
            reporter.note("a destination failed: the others finish what is under way, and stop")
          }
        } else {
          reporter.note("stopping: what is under way is finished first (again: stop at once)")
        }
      }
    }
  }

  private mutating func report(_ job: Job) {
    for line in job.takeNotices() { reporter.note(line) }
    reporter.report(job.progressSnapshot())
  }

  // MARK: - The end

  private func conclude(
    _ result: Result<ReplayOutcome, ReplayError>, _ final: ProgressSnapshot
  ) -> ExitCode {
    switch result {
    case .success(.converged): return conclude(.converged, nil, final)
    case .success(.interrupted): return conclude(.interrupted, nil, final)
    case .failure(let error) where error.isInterruption: return conclude(.interrupted, nil, final)
    case .failure(let error): return conclude(.failed, "\(error)", final)
    }
  }

  /// Says how it ended: a failure in a line of its own, then the summary of a run that began.
  private func conclude(
    _ code: ExitCode, _ reason: String?, _ final: ProgressSnapshot?
  ) -> ExitCode {
    if options.view.logFormat == .json {
      let summary = Summary.json(final ?? ProgressSnapshot(), outcome: code, reason: reason)
      if reason != nil || !options.view.isQuiet { StandardError.write(summary + "\n") }
      return code
    }
    if let reason { StandardError.write("migr8sync: \(reason)\n") }
    if let final, !options.view.isQuiet { StandardError.write(Summary.text(final, outcome: code)) }
    return code
  }

  private mutating func end(_ error: PreflightError) -> ExitCode {
    reporter.finish()
    switch error {
    case .refused(let refusal): return conclude(.refused, "\(refusal)", nil)
    case .failed(let failure): return conclude(.failed, "\(failure)", nil)
    }
  }
}
