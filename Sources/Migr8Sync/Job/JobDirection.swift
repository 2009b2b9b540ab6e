// Which way a job goes, before anything else is done: behind a cutover with --reverse the same command
// line means the reverse, and going on forward would write over what the application has written since.

import ReplicaLink

/// What the destination's record says of a job's direction.
struct JobDirection: Sendable {
  /// The options with which to go on: the ones given, or those of the reverse.
  let options: SyncOptions
  /// What the reverse begins with where the source has no record of it yet.
  var first: JobRecord?

  /// Asks the destination.
  ///
  /// - Throws: `.refused` where the options and the record contradict each other.
  static func find(_ options: SyncOptions) throws(PreflightError) -> JobDirection {
    // With several destinations there is no reverse; a dry run has no job, and --clear-dest ends it.
    guard !options.isDryRun, !options.clearsDestination, options.routes.count == 1 else {
      return JobDirection(options: options)
    }
    let identity = JobIdentity(name: options.jobName, options: options)
    let address = "\(options.routes[0].destination.endpoint)"
    // What is in the way here is the checks' to report.
    let record = try? read(identity, options)
    let isMarked = record?.handOver != nil
    switch record?.phase {
    case .reversed:
      if let refusal = JobStart.objection(toRules: record?.rules ?? "", of: identity, at: address) {
        throw .refused(refusal)
      }
      return try reverse(of: identity, options, nil)
    case _ where options.isHandedOver:
      guard isMarked, let place = record?.reversePlace else {
        throw refusal(
          "job \(identity.name) was not handing over with --reverse, as far as \(address) knows: there"
            + " is no reverse to go on with (leave --handed-over out)")
      }
      return try reverse(of: identity, options, place)
    default: return JobDirection(options: options)
    }
  }

  private static func reverse(
    of identity: JobIdentity, _ options: SyncOptions, _ place: ReplicationPlace?
  ) throws(PreflightError) -> JobDirection {
    let reverse: SyncOptions
    do throws(KeyMapping.Irreversible) {
      reverse = try options.reversed(identity)
    } catch {
      throw refusal("job \(identity.name) cannot be turned round: \(error)")
    }
    let rules = JobIdentity(name: identity.name, options: reverse).rules
    return JobDirection(
      options: reverse,
      first: place.map { place in
        JobRecord(
          reversing: identity, at: place, rules: rules, source: "\(reverse.source.endpoint)")
      })
  }

  private static func refusal(_ line: String) -> PreflightError {
    .refused(PreflightRefusal(line))
  }

  private static func read(
    _ identity: JobIdentity, _ options: SyncOptions
  ) throws(ReplayError) -> JobRecord? {
    var connection = try ReplayError.wrap { () throws(LinkError) in
      try RedisConnection.open(
        try options.locator(of: options.routes[0]).locate(), timeouts: options.timeouts)
    }
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(identity.database)".utf8)])
    return try JobRecord.read(identity, &connection)
  }
}
