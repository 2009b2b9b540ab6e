// ExtractOptions: everything `migr8sync extract` was told.

import ReplicaLink

/// The options of one `extract`.
struct ExtractOptions: Sendable {
  /// One output with the entries that go there.
  struct Route: Sendable {
    /// Where they are written; nil for the standard output.
    var path: String?
    let rules: EntryRules
    let mapping: KeyMapping
  }

  /// A server that everything goes into.
  struct Server: Sendable {
    let url: RedisURL
    let mapping: KeyMapping
    let onConflict: ConflictPolicy
    let workers: Int
    let maximumRate: RateLimit
    let timeouts: Timeouts
  }

  /// The file to read.
  var input: String
  var format: ExtractFormatName
  /// One, or several that no two have a key of.
  var routes: [Route]
  /// Where the keys go, if not into files; there is one route then, which maps nothing.
  var server: Server?
  /// The server that the output is for; nil for the version of the file.
  var target: TargetVersion?
  /// Whether commands carry values as RESTORE.
  var restores: Bool
  /// What to do with a value that the target does not know.
  var unsupported: UnsupportedPolicy
  /// Whether what stands before damage is kept.
  var keepsGoing: Bool
  /// The folder to make for the outputs.
  var folder: String?
  var view: OutputView
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `extract`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    input = arguments.inputs[0]
    let format: ExtractFormatName = try reader.choice(.format)
    self.format = format
    (routes, server) = try reader.extractPlaces(format)
    target = try reader.targetVersion()
    restores = arguments.has(.restore)
    unsupported = try reader.choice(.onUnsupported)
    keepsGoing = arguments.has(.keepGoing)
    folder = arguments.has(.splitByRule) ? try reader.path(.output) : nil
    view = try OutputView(reader)
    warnings = reader.warnings()
    if restores, format != .resp {
      throw UsageError(
        "--restore is about --format resp", at: arguments.origin(of: .restore))
    }
    if target != nil, ![.rdb, .resp].contains(format) {
      throw UsageError(
        "--target-version is about --format rdb and resp", at: arguments.origin(of: .targetVersion))
    }
  }
}
