// CheckOptions: everything `migr8sync check` was told.

import ReplicaLink

/// The options of one `check`.
struct CheckOptions: Sendable {
  /// Nil where a file stands in its place.
  var source: RedisURL?
  /// An RDB file that is to be moved.
  var file: String?
  var routes: [Route]
  var prefersReplica: Bool
  var way: SourceWay
  var onConflict: ConflictPolicy
  var spoolDirectory: String
  var timeouts: Timeouts
  var writesJSON: Bool
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `check`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    file = try reader.path(.rdb)
    if file != nil, !arguments.has(.source) {
      // Routes are told with a source; where there is none, nothing is asked of this one.
      var nobody = try reader.url("redis://127.0.0.1", .source, .commandLine)
      routes = try reader.routes(source: &nobody)
    } else {
      var source = try reader.source()
      routes = try reader.routes(source: &source)
      self.source = source
    }
    prefersReplica = arguments.has(.preferReplica)
    way = try reader.way()
    onConflict = try reader.conflictPolicy()
    spoolDirectory = try reader.spoolDirectory()
    timeouts = try reader.timeouts()
    writesJSON = arguments.has(.json)
    warnings = reader.warnings()
  }
}
