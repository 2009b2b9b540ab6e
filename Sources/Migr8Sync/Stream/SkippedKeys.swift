// The keys that --on-conflict skip left alone: from then on they are as if they did not match.

/// A set of keys, each with the source's database it would have come from.
struct SkippedKeys: Sendable {
  private var keys: Set<[UInt8]> = []

  var isEmpty: Bool { keys.isEmpty }

  /// Adds a key.
  mutating func insert(_ key: [UInt8], database: Int) {
    keys.insert(Self.tag(database) + key)
  }

  /// Whether the key is one of them. Copies it, but only when there is any such key at all.
  func contains(_ key: Span<UInt8>, database: Int) -> Bool {
    if keys.isEmpty { return false }
    var tagged = Self.tag(database)
    key.withUnsafeBufferPointer { tagged.append(contentsOf: $0) }
    return keys.contains(tagged)
  }

  private static func tag(_ database: Int) -> [UInt8] {
    withUnsafeBytes(of: Int32(truncatingIfNeeded: database).littleEndian) { Array($0) }
  }
}
