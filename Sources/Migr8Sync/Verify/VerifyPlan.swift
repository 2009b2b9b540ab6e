// What a comparison is to do at one destination. Made by the command line, or by whoever else compares.

import ReplicaLink

/// One source, one destination, and how they are compared.
struct VerifyPlan: Sendable {
  /// How much is compared.
  enum Extent: Sendable, Equatable {
    /// Every key.
    case full
    /// So many keys, chosen by chance among those of the source, and as many of the destination's.
    case sample(Int)
    /// Numbers of keys only.
    case quick
  }

  let source: ServerLocator
  let destination: ServerLocator
  let mapping: KeyMapping
  /// The rules in words, by which a job is recognised.
  let words: String
  let timeouts: Timeouts
  var jobName: String?
  /// The db of its record, where several jobs have that name.
  var jobDatabase: Int?
  /// Jobs of which the operator says that they are other sources'.
  var unrelatedJobs: Set<String> = []
  var extent = Extent.full
  var rules = ComparisonRules()
  /// Keys compared in a second at most; nil for as fast as it goes.
  var keysPerSecondMax: UInt64?
  /// How long keys that differ must rest where no job says what is on its way, in milliseconds.
  var settleMilliseconds: Int64 = 1_000
  /// Whether differences are kept to be mended.
  var fixes = false
  /// The place of this destination among the routes.
  var route = 0
  /// Ends what is waited for when it rings.
  var interrupt: WakePipe?
  /// Where to begin; nil for the beginning.
  var from: VerifyPlace?
}

/// Holds a rate. Time is a parameter.
struct Pace: Sendable {
  private let perSecondMax: UInt64?
  private var count: UInt64 = 0
  private var startMilliseconds: Int64?

  init(perSecondMax: UInt64?) {
    self.perSecondMax = perSecondMax
  }

  /// Counts what was done; says how long to wait before more is, in milliseconds.
  mutating func add(_ more: Int, now: Int64) -> Int64 {
    guard let perSecondMax, perSecondMax > 0 else { return 0 }
    let start = startMilliseconds ?? now
    startMilliseconds = start
    count = count.saturatingAdd(UInt64(more))
    let due = Int64(clamping: count.saturatingMultiply(1_000) / perSecondMax)
    return max(0, due - (now - start))
  }
}
