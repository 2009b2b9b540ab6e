// What became of the commands of the stream, by kind: for the summary and for --explain.

/// The kinds of decisions that are counted apart. The names are stable: summaries hold them.
enum RoutingKind: Int, Sendable, CaseIterable {
  case forwarded, split, translated, repaired, underRepair, cleared, flushed, swapped
  case otherKeys, otherDatabase, messages, code, cluster, unplaced
  /// About the stream itself; not counted as commands.
  case control
  /// Those that end the run, or this attachment to the source.
  case failed

  /// The kind of a decision.
  init(_ decision: RoutingDecision) {
    self =
      switch decision {
      case .forward, .rewritten(_, _, .renamed): .forwarded
      case .rewritten(_, _, .subset): .split
      case .rewritten(_, _, .translated): .translated
      case .repair: .repaired
      case .clear: .cleared
      case .flush: .flushed
      case .swap: .swapped
      case .drop(.underRepair): .underRepair
      case .drop(.otherKeys): .otherKeys
      case .drop(.otherDatabase): .otherDatabase
      case .drop(.message): .messages
      case .drop(.code): .code
      case .drop(.cluster): .cluster
      case .drop(.unplaced): .unplaced
      case .begin, .commit, .abort, .acknowledge, .consumed, .needsKeys: .control
      case .resynchronise, .stop: .failed
      }
  }

  /// The name in JSON: words joined by underscores.
  var name: String {
    "\(self)".map { $0.isUppercase ? "_" + $0.lowercased() : String($0) }.joined()
  }
}

/// Counts of decisions by kind.
struct RoutingCounts: Sendable, Equatable {
  private var counts = [UInt64](repeating: 0, count: RoutingKind.allCases.count)
  /// Keys that were entered for repair.
  private(set) var repairsRequested: UInt64 = 0
  /// Commands that the destination has refused: their keys were not as they should be.
  private(set) var refusals: UInt64 = 0

  /// How many commands there were.
  var total: UInt64 { counts.reduce(0, +) - self[.control] }

  /// How many decisions there were of a kind.
  subscript(kind: RoutingKind) -> UInt64 { counts[kind.rawValue] }

  /// Adds the counts of another destination.
  mutating func add(_ other: RoutingCounts) {
    for index in counts.indices { counts[index] += other.counts[index] }
    repairsRequested += other.repairsRequested
    refusals += other.refusals
  }

  /// Counts keys that are repaired because the destination has refused a command on them.
  mutating func countHealed(_ count: Int) {
    repairsRequested += UInt64(count)
  }

  /// Counts a command that the destination has refused.
  mutating func countRefused() { refusals += 1 }

  /// Counts one decision.
  mutating func count(_ decision: RoutingDecision) {
    counts[RoutingKind(decision).rawValue] += 1
    if case .repair(let names) = decision { repairsRequested += UInt64(names.count) }
  }
}
