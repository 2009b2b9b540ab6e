// Suggestion: what somebody who mistyped a name probably meant.

/// Finds the nearest of a list of names.
enum Suggestion {
  /// The longest text that is compared at all.
  private static let lengthMax = 40

  /// The candidate nearest to `text`, if one is near: at most a third of it wrong, or one is the
  /// beginning of the other. Cost: length times length for each candidate.
  static func nearest(to text: String, among candidates: [String]) -> String? {
    let wanted = Array(text.utf8)
    guard wanted.count >= 2, wanted.count <= lengthMax else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let other = Array(candidate.utf8)
      let distance = editDistance(wanted, other)
      let isBeginning =
        min(wanted.count, other.count) >= 3
        && (wanted.starts(with: other) || other.starts(with: wanted))
      guard isBeginning || distance <= max(1, wanted.count / 3) else { continue }
      if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
    }
    return best?.name
  }

  /// The fewest insertions, removals, replacements and swaps of neighbours that turn one into the
  /// other (each place edited once).
  static func editDistance(_ one: [UInt8], _ other: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...other.count)
    for row in 0..<one.count {
      var current = [row + 1]
      for column in 0..<other.count {
        let isSame = one[row] == other[column]
        var best = min(last[column + 1] + 1, current[column] + 1, last[column] + (isSame ? 0 : 1))
        if row > 0, column > 0, one[row] == other[column - 1], one[row - 1] == other[column] {
          best = min(best, beforeLast[column - 1] + 1)
        }
        current.append(best)
      }
      (beforeLast, last) = (last, current)
    }
    return last[other.count]
  }
}
