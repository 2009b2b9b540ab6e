// How a run becomes the runner of its job, and what it finds there: nothing, or how far an earlier
// run has come.

import ReplicaLink

/// What a run has in hand once the job is its own.
struct JobStart: Sendable {
  let runner: JobRunner
  /// How far an earlier run has come; nil for a job that begins.
  let record: JobRecord?
  /// Keys of the destination that are left alone.
  var skipped = KeyHashSet()
  /// Whether connections that are given up can be ended at the destination.
  let endsConnections: Bool

  /// Takes the job and reads its record.
  ///
  /// - Throws: `.refused` when another process works on it, or when it is another job by this name.
  init(options: SyncOptions, findings: PreflightFindings) throws(PreflightError) {
    runner = JobRunner(JobIdentity(name: options.jobName, options: options))
    let refusal: PreflightRefusal?
    do throws(ReplayError) {
      var connection = try Self.open(options, findings, runner)
      endsConnections = try runner.canEndConnections(&connection)
      if case .held(let holder, let milliseconds) = try runner.acquire(
        &connection, isForced: options.takesOver)
      {
        refusal = PreflightRefusal(
          "job \(runner.identity.name) is being worked on by \(holder), whose lease lasts"
            + " \(milliseconds) ms more (stop that process, or take the job from it with --takeover)"
        )
        record = nil
      } else if options.clearsDestination {
        refusal = nil
        record = nil
      } else {
        record = try JobRecord.read(runner.identity, &connection)
        refusal = record.flatMap { Self.objection(to: $0, runner.identity, findings, options) }
        if record != nil { skipped = try SkippedKeys.read(runner.identity, &connection) }
      }
      if refusal != nil { try? runner.release(&connection) }
    } catch {
      throw .failed(error)
    }
    if let refusal { throw .refused(refusal) }
  }

  /// Why a record cannot be gone on from.
  private static func objection(
    to record: JobRecord, _ identity: JobIdentity, _ findings: PreflightFindings,
    _ options: SyncOptions
  ) -> PreflightRefusal? {
    if !record.rules.isEmpty, record.rules != identity.rules {
      return PreflightRefusal(
        "job \(identity.name) was begun with other rules: then \(record.rules); now"
          + " \(identity.rules) (give the same rules, another --job, or --clear-dest to begin anew)"
      )
    }
    let address = "\(options.source.endpoint)"
    guard !record.source.isEmpty, record.source != address, let source = findings.source else {
      return nil
    }
    if source.knowsHistory(record.place.replicationID) { return nil }
    return PreflightRefusal(
      "job \(identity.name) was begun with the source \(record.source), and \(address) does not"
        + " share its history (name the same source, another --job, or --clear-dest to begin anew)")
  }

  /// Opens a connection of the job, on the db of its record.
  static func open(
    _ options: SyncOptions, _ findings: PreflightFindings, _ runner: JobRunner,
    timeouts: Timeouts? = nil
  ) throws(ReplayError) -> RedisConnection {
    let plan = DestinationPlan(options, findings)
    let connector = DestinationConnector(
      locator: plan.locator, timeouts: timeouts ?? plan.timeouts, runner: runner,
      recordDatabase: plan.recordDatabase)
    var connection = try connector.open(interrupt: nil)
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(plan.recordDatabase)".utf8)])
    return connection
  }

  /// Ends the job, when all of it is done, or gives it back, so that the next run need not wait.
  static func end(
    _ runner: JobRunner, isDone: Bool, _ connection: inout RedisConnection
  ) throws(ReplayError) {
    if isDone {
      try runner.confirm(&connection)
      _ = try DestinationReplay.ask(
        &connection, [Array("DEL".utf8)] + runner.identity.dataKeys)
    }
    try runner.release(&connection)
  }
}
