// VerifyOptions: everything `migr8sync verify` was told.

import ReplicaLink

/// The options of one `verify`.
struct VerifyOptions: Sendable {
  /// The most keys of a sample: their names are held in memory.
  static let sampleMax: UInt64 = 10_000_000
  /// The longest that keys must rest, in milliseconds.
  static let settleMillisecondsMax: UInt64 = 60_000

  var source: RedisURL
  var routes: [Route]
  var prefersReplica: Bool
  /// The job between the two; nil to look for it.
  var jobName: String?
  var extent: VerifyPlan.Extent
  /// Whether what differs is mended, and whether that is done without asking.
  var fixes: Bool
  var assumesYes: Bool
  var rules: ComparisonRules
  var keysPerSecondMax: UInt64?
  var settleMilliseconds: Int64
  var from: VerifyPlace?
  var timeouts: Timeouts
  var writesJSON: Bool
  var logFormat: LogFormat
  var isQuiet: Bool
  var showsProgress: Bool
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `verify`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    var source = try reader.source()
    routes = try reader.routes(source: &source)
    self.source = source
    prefersReplica = arguments.has(.preferReplica)
    jobName = try reader.jobName(.job)
    extent = try reader.extent()
    fixes = arguments.has(.fix)
    assumesYes = arguments.has(.yes)
    rules = ComparisonRules(
      toleranceMilliseconds: Int64(try reader.duration(.ttlTolerance, max: 86_400_000)))
    keysPerSecondMax = try reader.rate()
    settleMilliseconds = Int64(
      try reader.duration(.settle, max: VerifyOptions.settleMillisecondsMax))
    from = try reader.place(routes: routes.count)
    timeouts = try reader.timeouts()
    writesJSON = arguments.has(.json)
    logFormat = try reader.logFormat()
    isQuiet = arguments.has(.quiet)
    showsProgress = ![.quiet, .noProgress].contains { arguments.has($0) }
    warnings = reader.warnings()
    if extent == .quick, fixes {
      throw UsageError(
        "--quick counts keys and finds none that --fix could mend; leave one of them out",
        at: arguments.origin(of: .fix))
    }
    if from != nil, extent != .full {
      throw UsageError(
        "--from goes on with a comparison of every key; leave --sample and --quick out",
        at: arguments.origin(of: .from))
    }
  }

  /// What is to be done at each destination.
  var plans: [VerifyPlan] {
    routes.enumerated().map { index, route in
      var plan = VerifyPlan(
        source: ServerLocator(source, timeouts: timeouts, prefersReplica: prefersReplica),
        destination: ServerLocator(route.destination, timeouts: timeouts),
        mapping: route.mapping, words: route.words.joined(separator: ", "), timeouts: timeouts)
      plan.jobName = jobName
      plan.extent = extent
      plan.rules = rules
      plan.keysPerSecondMax = keysPerSecondMax
      plan.settleMilliseconds = settleMilliseconds
      plan.fixes = fixes
      plan.route = index
      plan.from = from?.route == index ? from : nil
      return plan
    }
  }
}

extension OptionReader {
  fileprivate func extent() throws(UsageError) -> VerifyPlan.Extent {
    guard let text = try arguments.value(.sample) else {
      return arguments.has(.quick) ? .quick : .full
    }
    if arguments.has(.quick) {
      throw UsageError(
        "--quick and --sample; leave one of them out", at: arguments.origin(of: .sample))
    }
    guard let count = Quantity.number(text), (1...VerifyOptions.sampleMax).contains(count) else {
      throw wrong(.sample, takes: "a number of keys from 1 to \(VerifyOptions.sampleMax)")
    }
    return .sample(Int(count))
  }

  /// A time in milliseconds.
  func duration(_ name: CommandOption.Name, max: UInt64) throws(UsageError) -> UInt64 {
    guard let time = Quantity.milliseconds(try arguments.required(name)), time <= max else {
      throw wrong(name, takes: "a time with its unit, up to \(max / 1_000) s: 500ms, 10s or 2m")
    }
    return time
  }

  /// Keys a second at most; nil for no bound.
  func rate() throws(UsageError) -> UInt64? {
    guard let text = try arguments.value(.maximumRate) else { return nil }
    guard let rate = Quantity.keyRate(text) else {
      throw wrong(.maximumRate, takes: "a number of keys a second")
    }
    return rate
  }

  /// The place to go on from.
  func place(routes: Int) throws(UsageError) -> VerifyPlace? {
    guard let text = try arguments.value(.from) else { return nil }
    guard let place = VerifyPlace(text), place.route < routes else {
      throw wrong(.from, takes: "the word that an interrupted run of the same command printed")
    }
    return place
  }
}
