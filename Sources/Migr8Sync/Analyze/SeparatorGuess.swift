// SeparatorGuess: what separates the parts of keys, told from the first of them.

/// Counts in how many keys each candidate stands.
struct SeparatorGuess {
  /// Those that serve for nothing else, and those that also stand within words: they count only where none
  /// of the others does.
  private static let strong = Array(":/|".utf8)
  private static let weak = Array(".-_#".utf8)
  /// In what part of the keys a separator stands, one in so many.
  private static let shareMin = 20

  private var keys = 0
  private var counts = [Int](repeating: 0, count: 256)

  mutating func add(_ key: Span<UInt8>) {
    keys += 1
    var seen = ByteSet()
    for index in key.indices {
      let byte = key[index]
      if seen.contains(byte) { continue }
      seen.insert(byte)
      counts[Int(byte)] += 1
    }
  }

  /// The separators; none where no candidate stands in enough keys.
  var separators: [UInt8] {
    for candidates in [Self.strong, Self.weak] {
      let found = candidates.filter { counts[Int($0)] * Self.shareMin >= max(1, keys) }
      if !found.isEmpty { return found }
    }
    return []
  }
}
