// DeleteOptions: everything `migr8sync delete` was told.

import ReplicaLink

/// The options of one `delete`.
struct DeleteOptions: TwoEnded, Sendable {
  /// The source and where the keys have gone; with `--no-verify` alone, no routes.
  var ends: BothEnds
  /// Which keys go, where there are no routes.
  var filter: KeyFilter
  /// Whether a key is compared with the destination's before it is removed.
  var verifies: Bool
  var isDryRun: Bool
  var assumesYes: Bool
  var rules: ComparisonRules
  /// Jobs of which the operator says that they are other sources'.
  var unrelatedJobs: Set<String>
  var keysPerSecondMax: UInt64?
  var latencyMillisecondsMax: Int64
  var writesJSON: Bool
  var view: OutputView
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `delete`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    let choosing: [CommandOption.Name] = [.prefix, .match, .regex, .route]
    guard choosing.contains(where: { arguments.has($0) }) else {
      throw UsageError("which keys? add --prefix, --match, --regex or --route")
    }
    verifies = !arguments.has(.noVerify)
    if verifies || arguments.has(.destination) || arguments.has(.route) {
      ends = try BothEnds(reader)
      filter = KeyFilter()
    } else {
      ends = try BothEnds(sourceAlone: reader)
      filter = KeyFilter(
        included: try reader.includedRules(), excluded: try reader.excludedRules(),
        databases: try reader.databases(source: ends.source))
    }
    isDryRun = arguments.has(.dryRun)
    assumesYes = arguments.has(.yes)
    rules = try reader.comparisonRules()
    unrelatedJobs = try reader.unrelatedJobs()
    keysPerSecondMax = try reader.keysPerSecondMax()
    latencyMillisecondsMax = try reader.milliseconds(.maxLatency, in: 0...10_000)
    writesJSON = arguments.has(.json)
    view = try OutputView(reader)
    warnings = reader.warnings()
    if arguments.has(.type) {
      throw UsageError(
        "--type cannot be asked of a key's name; leave it out", at: arguments.origin(of: .type))
    }
  }
}
