// CheckOptions: everything `migr8sync check` was told.

import ReplicaLink

/// The options of one `check`.
struct CheckOptions: TwoEnded, Sendable {
  var ends: BothEnds
  /// Whether there is a source to ask; otherwise a file stands in its place.
  var hasSource: Bool
  /// An RDB file that is to be moved.
  var file: String?
  var way: SourceWay
  var onConflict: ConflictPolicy
  var spoolDirectory: String
  var writesJSON: Bool
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `check`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    file = try reader.path(.rdb)
    hasSource = file == nil || arguments.has(.source)
    ends = try hasSource ? BothEnds(reader) : BothEnds(destinationsAlone: reader)
    if file == "-", ends.routes.count > 1 {
      throw UsageError(
        "--rdb - is read once, and each route reads the file for itself: give it a name",
        at: arguments.origin(of: .rdb))
    }
    way = try reader.choice(.via)
    onConflict = try reader.choice(.onConflict)
    spoolDirectory = try reader.spoolDirectory()
    writesJSON = arguments.has(.json)
    warnings = reader.warnings()
  }
}
