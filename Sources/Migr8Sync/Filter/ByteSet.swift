// ByteSet: some of the 256 byte values, in 256 bits. What a class of a glob holds, and which bytes
// lead on from a node of a trie.

/// A set of byte values.
struct ByteSet: Sendable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// Adds a byte.
  mutating func insert(_ byte: UInt8) {
    let bit = UInt64(1) << UInt64(byte & 63)
    switch byte >> 6 {
    case 0: words.0 |= bit
    case 1: words.1 |= bit
    case 2: words.2 |= bit
    default: words.3 |= bit
    }
  }

  /// Makes it the set of all other bytes.
  mutating func invert() {
    words = (~words.0, ~words.1, ~words.2, ~words.3)
  }

  /// Whether a byte is in the set.
  func contains(_ byte: UInt8) -> Bool {
    word(of: byte) >> UInt64(byte & 63) & 1 == 1
  }

  /// How many smaller bytes are in the set; nil when the byte itself is not. Constant time.
  func rank(of byte: UInt8) -> Int? {
    guard contains(byte) else { return nil }
    let below = word(of: byte) & (UInt64(1) << UInt64(byte & 63) &- 1)
    var rank = below.nonzeroBitCount
    if byte >= 64 { rank += words.0.nonzeroBitCount }
    if byte >= 128 { rank += words.1.nonzeroBitCount }
    if byte >= 192 { rank += words.2.nonzeroBitCount }
    return rank
  }

  private func word(of byte: UInt8) -> UInt64 {
    switch byte >> 6 {
    case 0: words.0
    case 1: words.1
    case 2: words.2
    default: words.3
    }
  }
}
