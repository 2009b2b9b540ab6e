// How a run becomes the runner of its job, and what it finds there: nothing, or how far an earlier
// run has come.

import ReplicaLink

/// What a run has in hand once the job is its own.
struct JobStart: Sendable {
  let plan: DestinationPlan
  let runner: JobRunner
  /// What keeps the job this process's until `leave`; nil where there is no job at the destination.
  let lease: LeaseKeeper?
  /// What is known of the record.
  let watch: RecordWatch
  /// How far an earlier run has come; nil for a job that begins.
  let record: JobRecord?
  /// What a reverse begins with where the server has no record of it yet.
  var first: JobRecord?
  /// Keys that the destination had before, and that are left alone.
  var skipped = KeyHashSet()
  /// Keys that were of other types when the snapshot was taken.
  private(set) var otherTypes = KeyHashSet()
  /// Whether connections that are given up can be ended at the destination.
  let endsConnections: Bool

  /// Takes the job, keeps it, and reads its record.
  ///
  /// - Throws: `.refused` when another process works on it, or when it is another job by this name.
  init(_ plan: DestinationPlan, options: SyncOptions) throws(PreflightError) {
    self.plan = plan
    var runner = JobRunner(
      JobIdentity(name: options.jobName, options: options, route: plan.index))
    let refusal: PreflightRefusal?
    var keeper: LeaseKeeper?
    let watch = RecordWatch(runner.identity)
    self.watch = watch
    do throws(ReplayError) {
      var connection = try Self.open(plan, runner)
      try runner.name(&connection)
      let lease = LeaseKeeper(plan, runner, watch)
      keeper = lease
      endsConnections = try runner.canEndConnections(&connection)
      if case .held(let holder, let milliseconds) = try runner.acquire(
        &connection, isForced: options.takesOver)
      {
        refusal = PreflightRefusal(
          "job \(runner.identity.name) is being worked on by \(holder), whose lease at"
            + " \(plan.address) lasts \(milliseconds) ms more (stop that process, or take the job from it with --takeover)"
        )
        record = nil
      } else if options.clearsDestination {
        try watch.begin(&connection, connectionsSurvive: !endsConnections)
        lease.start()
        refusal = try Self.objection(toClearing: plan, runner.identity, &connection)
        record = nil
      } else {
        try watch.begin(&connection, connectionsSurvive: !endsConnections)
        lease.start()
        record = try JobRecord.read(runner.identity, &connection)
        var objection = record.flatMap { Self.objection(to: $0, runner.identity, plan, options) }
        if objection == nil {
          objection = try StrangersKey.objection(runner.identity, at: plan.address, &connection)
        }
        refusal = objection
        if refusal == nil, record?.handOver != nil {
          _ = try DestinationReplay.ask(
            &connection,
            [Array("HDEL".utf8), runner.identity.recordKey]
              + JobRecord.handOverFields.map { Array($0.utf8) })
        }
        if record != nil {
          skipped = try SkippedKeys.read(runner.identity.skippedKey, &connection)
          otherTypes = try SkippedKeys.read(runner.identity.otherTypesKey, &connection)
        }
      }
      if refusal != nil {
        lease.stop()
        try? runner.release(&connection)
      }
    } catch {
      keeper?.stop()
      throw .failed(error)
    }
    (self.runner, lease) = (runner, keeper)
    if let refusal { throw .refused(refusal) }
  }

  /// What a run has in hand that only reads: no job at the destination.
  init(reading plan: DestinationPlan, options: SyncOptions) {
    self.plan = plan
    runner = JobRunner(
      JobIdentity(name: options.jobName, options: options, route: plan.index))
    lease = nil
    watch = RecordWatch(runner.identity)
    record = nil
    endsConnections = false
  }

  /// Why the keys that are there are not to be removed.
  private static func objection(
    toClearing plan: DestinationPlan, _ identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) -> PreflightRefusal? {
    let command = ["HMGET", identity.recordName, "phase", "handover"].map { Array($0.utf8) }
    let fields = try DestinationReplay.ask(&connection, command).array ?? []
    let isReversed = fields.first?.text == JobRecord.Phase.reversed.rawValue
    guard isReversed || fields.last?.text != nil else { return nil }
    return PreflightRefusal(
      "job \(identity.name) "
        + (isReversed
          ? "has handed the application over to \(plan.address), whose keys --clear-dest would remove"
            + " (leave it out, and the reverse goes on)"
          : "was handing the application over to \(plan.address) when its process ended, and"
            + " --clear-dest would remove what it has written (see where it writes; leave --clear-dest"
            + " out, or end the job with 'migr8sync jobs --forget \(identity.name)')"))
  }

  /// Why a record of other rules cannot be gone on from.
  static func objection(
    toRules rules: String, of identity: JobIdentity, at address: String
  ) -> PreflightRefusal? {
    if rules.isEmpty || rules == identity.rules { return nil }
    return PreflightRefusal(
      "job \(identity.name) was begun at \(address) with other rules: then \(rules); now"
        + " \(identity.rules) (give the same rules, another --job, or --clear-dest to begin anew)")
  }

  /// Why a record cannot be gone on from.
  private static func objection(
    to record: JobRecord, _ identity: JobIdentity, _ plan: DestinationPlan,
    _ options: SyncOptions
  ) -> PreflightRefusal? {
    if let refusal = objection(toRules: record.rules, of: identity, at: plan.address) {
      return refusal
    }
    if record.phase == .reversed {
      return PreflightRefusal(
        "job \(identity.name) has handed the application over to \(plan.address): it goes on as its"
          + " reverse only, with the command that it was begun with")
    }
    if let offset = record.handOver, !options.ignoresHandOver {
      let place = plan.address
      let end =
        record.reversePlace == nil
        ? "end the job with 'migr8sync jobs --forget \(identity.name)'"
          + (plan.reverses == nil ? "" : " at both servers")
        : "add --handed-over, and the reverse goes on"
      return PreflightRefusal(
        "job \(identity.name) was handing the application over to \(place), at offset \(offset), when"
          + " its process died (if the application writes to \(place) now, \(end); if it still writes"
          + " to \(plan.sourceAddress), add --not-handed-over)")
    }
    let address = plan.sourceAddress
    guard !record.source.isEmpty, record.source != address, let source = plan.source else {
      return nil
    }
    if source.knowsHistory(record.place.replicationID) { return nil }
    return PreflightRefusal(
      "job \(identity.name) was begun with the source \(record.source), and \(address) does not"
        + " share its history (name the same source, another --job, or --clear-dest to begin anew)")
  }

  /// Opens a connection of the job, on the db of its record.
  static func open(
    _ plan: DestinationPlan, _ runner: JobRunner, timeouts: Timeouts? = nil
  ) throws(ReplayError) -> RedisConnection {
    let connector = DestinationConnector(
      locator: plan.locator, timeouts: timeouts ?? plan.timeouts, runner: runner)
    var connection = try connector.open(interrupt: nil)
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(runner.identity.database)".utf8)])
    return connection
  }

  /// How long a destination may take to hear that the run is over.
  static let farewellTimeouts = Timeouts(
    connectMilliseconds: 1_000, ioMilliseconds: 1_000)

  /// Ends the job at this destination, when all of it is done, or gives it back, so that the next run
  /// need not wait. Where it cannot be given back the lease runs out by itself.
  ///
  /// - Returns: what the operator has to do himself.
  @discardableResult
  func leave(isDone: Bool) -> String? {
    lease?.stop()
    do throws(ReplayError) {
      var connection = try Self.open(plan, runner, timeouts: Self.farewellTimeouts)
      if isDone {
        try runner.confirm(&connection)
        try watch.confirmEnd(&connection)
        _ = try DestinationReplay.ask(
          &connection, [Array("DEL".utf8)] + runner.identity.dataKeys)
      }
      try? runner.release(&connection)
    } catch {
      // What the other server keeps goes last: without it nobody would know a reverse for one.
      return isDone ? left(of: runner.identity, at: plan.address, error, also: plan.reverses) : nil
    }
    return isDone ? plan.reverses.flatMap(forget) : nil
  }

  private func left(
    of job: JobIdentity, at address: String, _ error: ReplayError, also other: JobIdentity? = nil
  ) -> String {
    let servers = other == nil ? "" : " at both servers, with --force where it is refused"
    return "what \(address) keeps of job \(job.name) could not be removed: \(error) (do it with"
      + " 'migr8sync jobs --forget \(job.name)'\(servers))"
  }

  /// Removes what the other server keeps of the job that this was the reverse of: the same command would go
  /// on with a reverse that is over. A pause of everybody there is waited for.
  private func forget(_ job: JobIdentity) -> String? {
    do throws(ReplayError) {
      var connection = try ReplayError.wrap { () throws(LinkError) in
        try RedisConnection.open(
          try plan.sourceLocator.locate(interrupt: nil), timeouts: plan.timeouts)
      }
      _ = try DestinationReplay.ask(
        &connection, [Array("SELECT".utf8), Array("\(job.database)".utf8)])
      _ = try DestinationReplay.ask(&connection, [Array("DEL".utf8)] + job.dataKeys)
      return nil
    } catch {
      return left(of: job, at: plan.sourceAddress, error)
    }
  }
}
