// migr8sync sync: check both ends, copy what matches, follow until stopped.

import Glibc
import ReplicaLink

/// The `sync` subcommand.
struct SyncCommand {
  /// How often the display is offered new numbers, in milliseconds.
  static let reportIntervalMilliseconds: Int64 = 200

  /// How long a destination may take to hear that the run is over.
  static let farewellTimeouts = Timeouts(connectMilliseconds: 1_000, ioMilliseconds: 1_000)
  /// How long a run that is to stop may wait for a destination that does not answer.
  static let stopPatienceMilliseconds: Int64 = 2_000

  let options: SyncOptions
  private let signals = StopSignals()
  private var reporter: Reporter

  init(options: SyncOptions) {
    self.options = options
    reporter = Reporter(
      logFormat: options.logFormat, isQuiet: options.isQuiet, showsProgress: options.showsProgress)
  }

  /// Runs to the end and says how the process should exit.
  mutating func run() -> ExitCode {
    signals.install()
    do {
      let findings = try Preflight(
        source: options.sourceLocator, destination: options.destinationLocator,
        timeouts: options.timeouts
      ).run(filter: options.filter, writes: !options.isDryRun)
      for remark in findings.remarks { reporter.note(remark) }
      for warning in findings.warnings { reporter.warn(warning.text) }
      for line in try checkFirst() { reporter.warn("ignored by --force: \(line)") }
      return options.isDryRun ? dryRun(findings) : follow(try begin(findings), findings)
    } catch {
      return end(error)
    }
  }

  /// Makes the job this process's own and the destination ready for it.
  private mutating func begin(_ findings: PreflightFindings) throws(PreflightError) -> JobStart {
    var start = try JobStart(options: options, findings: findings)
    let name = start.runner.identity.name
    if !start.endsConnections {
      reporter.warn(
        "the destination's user may not run CLIENT LIST and CLIENT KILL: what was sent on a connection"
          + " that is lost may be carried out late, and so twice, and the lease of a killed run has to"
          + " run out (grant +client|list +client|kill)")
    }
    if let record = start.record {
      reporter.note(
        record.phase == .stream
          ? "going on with job \(name) behind offset \(record.place.offset)"
          : "job \(name) was interrupted in its snapshot, which begins again")
      return start
    }
    do {
      try settleExistingKeys(findings)
      if case .skip = options.onConflict { try skipExistingKeys(findings, &start) }
    } catch {
      leave(start.runner, isDone: false, findings)
      throw error
    }
    return start
  }

  private func skipExistingKeys(
    _ findings: PreflightFindings, _ start: inout JobStart
  ) throws(PreflightError) {
    var members: [SkippedKeys.Member] = []
    let map = options.databases
    _ = try walk(findings) { (keys) throws(ReplayError) in
      try keys.forEach { (database, key) throws(ReplayError) in
        members.append(
          SkippedKeys.Member(
            database: map.source(of: database, filter: options.filter), key: key))
      }
    }
    do throws(ReplayError) {
      var connection = try JobStart.open(options, findings, start.runner)
      try SkippedKeys.add(members, to: start.runner.identity, &connection)
    } catch {
      throw .failed(error)
    }
    for member in members { start.skipped.insert(member.key.span, database: member.database) }
  }

  /// Gives the job back; where that is not possible, its lease runs out by itself.
  private func leave(_ runner: JobRunner, isDone: Bool, _ findings: PreflightFindings) {
    do throws(ReplayError) {
      var connection = try JobStart.open(
        options, findings, runner, timeouts: Self.farewellTimeouts)
      try JobStart.end(runner, isDone: isDone, &connection)
    } catch {}
  }

  // MARK: - Existing keys

  private mutating func settleExistingKeys(
    _ findings: PreflightFindings
  ) throws(PreflightError) {
    guard options.clearsDestination || options.onConflict == .fail else { return }
    let existing = try count(findings)
    guard existing.count > 0 else { return }
    guard options.clearsDestination else {
      throw .refused(
        PreflightRefusal(
          "the destination \(options.destination.endpoint) already holds"
            + " \(HumanNumber.count(existing.count)) matching"
            + " key\(existing.count == 1 ? "" : "s"), such as \(Self.list(existing)): nothing was"
            + " written (choose --on-conflict replace|skip, or --clear-dest to remove them first)"))
    }
    try confirmClearing(existing)
    let removed = try walk(findings) { (keys) throws(ReplayError) in try keys.remove() }
    reporter.note("removed \(HumanNumber.count(removed)) keys from the destination")
  }

  private func confirmClearing(
    _ existing: DestinationKeys.Findings
  ) throws(PreflightError) {
    if options.assumesYes { return }
    guard isatty(STDIN_FILENO) == 1 else {
      throw .refused(
        PreflightRefusal(
          "--clear-dest would remove \(HumanNumber.count(existing.count)) keys from"
            + " \(options.destination.endpoint) and there is no terminal to confirm it on (add --yes)"
        ))
    }
    StandardError.write(
      "This removes \(HumanNumber.count(existing.count)) keys from \(options.destination.endpoint),"
        + " such as \(Self.list(existing)).\nType the number of keys to go on: ")
    guard let answer = readLine(), answer.filter({ $0 != "," && $0 != " " }) == "\(existing.count)"
    else { throw .refused(PreflightRefusal("not confirmed: nothing was removed or written")) }
  }

  private func count(
    _ findings: PreflightFindings
  ) throws(PreflightError) -> DestinationKeys.Findings {
    try walk(findings) { (keys) throws(ReplayError) in try keys.count() }
  }

  private func walk<R>(
    _ findings: PreflightFindings, _ body: (inout DestinationKeys) throws(ReplayError) -> R
  ) throws(PreflightError) -> R {
    do throws(ReplayError) {
      let connection = try ReplayError.wrap { () throws(LinkError) in
        try RedisConnection.open(findings.destinationURL, timeouts: options.timeouts)
      }
      var keys = DestinationKeys(
        connection, filter: options.filter, databases: destinationDatabases(findings))
      return try body(&keys)
    } catch {
      throw .failed(error)
    }
  }

  /// The destination dbs that this run may write to and that hold anything; nil for all.
  private func destinationDatabases(_ findings: PreflightFindings) -> [Int]? {
    let targets = options.filter.databases.map { selected in
      Set(selected.map { options.databases.destination(of: $0) })
    }
    guard let facts = findings.destination else { return targets?.sorted() }
    return facts.keyCounts.keys.filter { targets?.contains($0) ?? true }.sorted()
  }

  private static func list(_ findings: DestinationKeys.Findings) -> String {
    findings.examples.map { example in
      let name = Printable.key(example.key)
      return example.database == 0 ? name : "\(name) in db \(example.database)"
    }.joined(separator: ", ")
  }

  // MARK: - The run

  private mutating func follow(_ start: JobStart, _ findings: PreflightFindings) -> ExitCode {
    let job = Job(
      options: options, findings: findings, runner: start.runner, record: start.record,
      skipped: start.skipped)
    signals.onStop { job.requestStop() }
    let result = watch(job) { () throws(ReplayError) in try job.run() }
    if case .success(.converged) = result {
      leave(start.runner, isDone: true, findings)
    } else {
      leave(start.runner, isDone: false, findings)
    }
    return conclude(result, job.progressSnapshot())
  }

  private mutating func dryRun(_ findings: PreflightFindings) -> ExitCode {
    let runner = JobRunner(JobIdentity(name: options.jobName, options: options))
    let job = Job(
      options: options, findings: findings, runner: runner, record: nil, skipped: KeyHashSet())
    signals.onStop { job.requestStop() }
    let counted = Promise<DryRunReport>()
    let result = watch(job) { () throws(ReplayError) in
      counted.fulfil(try job.dryRun())
      return .converged
    }
    guard var report = counted.wait(milliseconds: 0) else {
      return conclude(result, job.progressSnapshot())
    }
    report.keysAtDestination = (try? count(findings))?.count
    StandardOutput.write(options.logFormat == .json ? report.json() + "\n" : report.text())
    return .converged
  }

  /// Runs `body` on the replay thread and reports until it ends.
  private mutating func watch(
    _ job: Job, _ body: @escaping @Sendable () throws(ReplayError) -> ReplayOutcome
  ) -> Result<ReplayOutcome, ReplayError> {
    let result = Promise<Result<ReplayOutcome, ReplayError>>()
    let thread = NamedThread("replay") {
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
        if now - seen > Self.stopPatienceMilliseconds { job.replay.progress.fail(.interrupted) }
      } else {
        stopSeen = now
        reporter.note("stopping: what is under way is finished first (again: stop at once)")
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
    if options.logFormat == .json {
      let summary = Summary.json(final ?? ProgressSnapshot(), outcome: code, reason: reason)
      if reason != nil || !options.isQuiet { StandardError.write(summary + "\n") }
      return code
    }
    if let reason { StandardError.write("migr8sync: \(reason)\n") }
    if let final, !options.isQuiet { StandardError.write(Summary.text(final, outcome: code)) }
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
