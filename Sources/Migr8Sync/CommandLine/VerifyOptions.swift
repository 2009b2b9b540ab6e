// VerifyOptions: everything `migr8sync verify` was told.

import ReplicaLink

/// The options of one `verify`.
struct VerifyOptions: TwoEnded, Sendable {
  /// The most keys of a sample: their names are held in memory.
  static let sampleMax: UInt64 = 10_000_000
  /// The longest that keys must rest, in milliseconds.
  static let settleMillisecondsMax: Int64 = 60_000

  var ends: BothEnds
  /// The job between the two; nil to look for it.
  var jobName: String?
  /// Jobs of which the operator says that they are other sources'.
  var unrelatedJobs: Set<String>
  var extent: VerifyPlan.Extent
  /// Whether what differs is mended, and whether that is done without asking.
  var fixes: Bool
  var assumesYes: Bool
  var rules: ComparisonRules
  var keysPerSecondMax: UInt64?
  var settleMilliseconds: Int64
  var from: VerifyPlace?
  var writesJSON: Bool
  var view: OutputView
  /// What the operator should know of the options themselves.
  var warnings: [String]

  /// Reads the options of `verify`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    ends = try BothEnds(reader)
    jobName = try reader.jobName(.job)
    unrelatedJobs = try reader.unrelatedJobs()
    extent = try reader.extent()
    fixes = arguments.has(.fix)
    assumesYes = arguments.has(.yes)
    rules = try reader.comparisonRules()
    keysPerSecondMax = try reader.keysPerSecondMax()
    settleMilliseconds = try reader.milliseconds(.settle, in: 0...Self.settleMillisecondsMax)
    from = try reader.place(routes: ends.routes.count)
    writesJSON = arguments.has(.json)
    view = try OutputView(reader)
    warnings = reader.warnings()
    if extent == .quick, fixes {
      throw UsageError(
        "--quick counts keys and finds none that --fix could mend; leave one of them out",
        at: arguments.origin(of: .fix))
    }
    if extent == .quick, arguments.has(.type) {
      throw UsageError(
        "--quick counts names, which say nothing of a type; leave one of them out",
        at: arguments.origin(of: .type))
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
        source: sourceLocator, destination: locator(of: route), mapping: route.mapping,
        words: route.words.joined(separator: ", "), timeouts: timeouts)
      plan.jobName = jobName
      plan.unrelatedJobs = unrelatedJobs
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
    guard let count = try number(.sample, in: 1...VerifyOptions.sampleMax) else {
      return arguments.has(.quick) ? .quick : .full
    }
    if arguments.has(.quick) {
      throw UsageError(
        "--quick and --sample; leave one of them out", at: arguments.origin(of: .sample))
    }
    return .sample(Int(count))
  }

  /// When two keys are the same.
  func comparisonRules() throws(UsageError) -> ComparisonRules {
    ComparisonRules(toleranceMilliseconds: try milliseconds(.ttlTolerance, in: 0...Self.day))
  }

  /// Keys a second at most; nil for no bound.
  func keysPerSecondMax() throws(UsageError) -> UInt64? {
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
