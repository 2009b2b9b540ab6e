// JobsOptions: everything `migr8sync jobs` was told.

import ReplicaLink

/// The options of one `jobs`.
struct JobsOptions: Sendable {
  /// The server to look at. With a db, only that db.
  var destination: RedisURL
  /// The job whose state is to be removed; nil to list all.
  var forgets: String?
  /// Whether that is done without asking.
  var assumesYes: Bool
  /// Whether also the record goes that says which way a job goes.
  var isForced: Bool
  /// The limits on waiting for a server.
  var timeouts: Timeouts
  /// The form of the list.
  var view: OutputView
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `jobs`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    var destination = try reader.destination()
    try TLSArguments(arguments: arguments).complete(destination: &destination)
    self.destination = destination
    forgets = try reader.jobName(.forget)
    assumesYes = arguments.has(.yes)
    isForced = arguments.has(.force)
    timeouts = try reader.timeouts()
    view = try OutputView(reader)
    warnings = reader.warnings()
  }
}
