// What became of the keys that were to be removed from a source.

/// Why a key stays at the source.
enum KeptReason: Sendable, Hashable {
  /// The destination has it otherwise, or not at all.
  case different(DifferenceCause)
  /// It changed whenever it was to be removed.
  case changed

  var text: String {
    switch self {
    case .different(.missing): "missing at the destination"
    case .different(let cause): "different \(cause.rawValue)"
    case .changed: "changed meanwhile"
    }
  }
}

/// Numbers of keys.
struct DeleteCounts: Sendable, Equatable {
  /// Removed; of a dry run, those that would be.
  var removed: UInt64 = 0
  /// Their memory, as the server tells it, in bytes.
  var removedBytes: UInt64 = 0
  /// Kept, by reason.
  var kept: [KeptReason: UInt64] = [:]
  /// Gone already when it was their turn.
  var gone: UInt64 = 0

  var keptCount: UInt64 { kept.values.reduce(0, +) }

  mutating func add(_ other: DeleteCounts) {
    removed += other.removed
    removedBytes = removedBytes.saturatingAdd(other.removedBytes)
    for (reason, count) in other.kept { kept[reason, default: 0] += count }
    gone += other.gone
  }
}
