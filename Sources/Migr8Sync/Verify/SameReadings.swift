// When the key of an element never rests, but the element does: readings of it that all say the same decide.
// Only readings of a destination that has come to where the source was, and does not know better itself: while it
// stands still, whatever is on its way looks the same again and again. Without I/O.

import ReplicaLink

/// What an element was at both ends, reading after reading.
struct SameReadings {
  /// So many decide.
  static let countMin = 6

  private var last: (mine: RESPValue, other: RESPValue)?
  private var count = 0

  /// Takes what a reading came to, and what was read just before it.
  ///
  /// - Returns: whether there were enough that said the same, one behind the other.
  mutating func decides(
    _ reading: PairReader.Reading, _ mine: RESPValue, _ other: RESPValue
  ) -> Bool {
    guard case .changed = reading else {
      self = SameReadings()
      return false
    }
    let isAsBefore = last.map { $0.mine == mine && $0.other == other } ?? false
    count = isAsBefore ? count + 1 : 1
    last = (mine, other)
    return count >= Self.countMin
  }
}
