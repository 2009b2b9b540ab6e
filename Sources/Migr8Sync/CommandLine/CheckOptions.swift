// CheckOptions: everything `migr8sync check` was told.

import ReplicaLink

/// The options of one `check`.
struct CheckOptions: TwoEnded, Sendable {
  var ends: BothEnds
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
    ends = try BothEnds(reader)
    onConflict = try reader.choice(.onConflict)
    spoolDirectory = try reader.spoolDirectory()
    writesJSON = arguments.has(.json)
    warnings = reader.warnings()
  }
}
