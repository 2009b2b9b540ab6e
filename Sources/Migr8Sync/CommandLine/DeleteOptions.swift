// DeleteOptions: everything `migr8sync delete` was told.

import ReplicaLink

/// The options of one `delete`.
struct DeleteOptions: Sendable {
  var source: RedisURL
  /// Where the keys have gone; none with `--no-verify` alone.
  var routes: [Route]
  /// Which keys go, where there are no routes.
  var filter: KeyFilter
  /// Whether a key is compared with the destination's before it is removed.
  var verifies: Bool
  var isDryRun: Bool
  var assumesYes: Bool
  var rules: ComparisonRules
  var keysPerSecondMax: UInt64?
  var latencyMillisecondsMax: Int64
  var timeouts: Timeouts
  var writesJSON: Bool
  var logFormat: LogFormat
  var isQuiet: Bool
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
    var source = try reader.source()
    verifies = !arguments.has(.noVerify)
    if verifies || arguments.has(.destination) || arguments.has(.route) {
      routes = try reader.routes(source: &source)
      filter = KeyFilter()
    } else {
      routes = []
      var none: [RedisURL] = []
      try TLSArguments(arguments: arguments).complete(
        source: &source, destinations: &none, by: .destination)
      filter = KeyFilter(
        included: try reader.includedRules(), excluded: try reader.excludedRules(),
        databases: try reader.databases(source: source))
    }
    self.source = source
    isDryRun = arguments.has(.dryRun)
    assumesYes = arguments.has(.yes)
    rules = ComparisonRules(
      toleranceMilliseconds: Int64(try reader.duration(.ttlTolerance, max: 86_400_000)))
    keysPerSecondMax = try reader.rate()
    latencyMillisecondsMax = Int64(try reader.duration(.maxLatency, max: 10_000))
    timeouts = try reader.timeouts()
    writesJSON = arguments.has(.json)
    logFormat = try reader.logFormat()
    isQuiet = arguments.has(.quiet)
    warnings = reader.warnings()
    if arguments.has(.type) {
      throw UsageError(
        "--type cannot be asked of a key's name; leave it out", at: arguments.origin(of: .type))
    }
  }
}
