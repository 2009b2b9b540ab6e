// A set of keys by their hashes: 8 bytes a key and a third of air, however long the keys are. For
// questions about millions of keys, where the chance of a wrong answer, about n / 2^64 for each key
// asked for, is far below that of a broken disk.

/// Keys of dbs, as 64-bit hashes. The hash is seeded anew in every process, so nobody can choose
/// keys that meet.
struct KeyHashSet: Sendable {
  /// A power of two of places; 0 marks an empty one.
  private var places: ContiguousArray<UInt64> = []
  var isEmpty: Bool { count == 0 }
  /// How many keys are in the set.
  private(set) var count = 0

  /// Adds a key. Amortised constant time.
  mutating func insert(_ key: Span<UInt8>, database: Int) {
    makeRoom()
    if Self.place(Self.hash(key, database), in: &places) { count += 1 }
  }

  /// Whether the key is in the set.
  func contains(_ key: Span<UInt8>, database: Int) -> Bool {
    if count == 0 { return false }
    let hash = Self.hash(key, database)
    var index = Int(truncatingIfNeeded: hash) & (places.count - 1)
    while places[index] != 0 {
      if places[index] == hash { return true }
      index = (index + 1) & (places.count - 1)
    }
    return false
  }

  /// What is in either set.
  func union(_ other: KeyHashSet) -> KeyHashSet {
    if isEmpty { return other }
    var union = self
    for hash in other.places where hash != 0 {
      union.makeRoom()
      if Self.place(hash, in: &union.places) { union.count += 1 }
    }
    return union
  }

  private mutating func makeRoom() {
    if count * 4 >= places.count * 3 { grow() }
  }

  private mutating func grow() {
    var larger = ContiguousArray<UInt64>(repeating: 0, count: max(64, places.count * 2))
    for hash in places where hash != 0 { _ = Self.place(hash, in: &larger) }
    places = larger
  }

  /// False: it was there already.
  private static func place(_ hash: UInt64, in places: inout ContiguousArray<UInt64>) -> Bool {
    var index = Int(truncatingIfNeeded: hash) & (places.count - 1)
    while places[index] != 0 {
      if places[index] == hash { return false }
      index = (index + 1) & (places.count - 1)
    }
    places[index] = hash
    return true
  }

  private static func hash(_ key: Span<UInt8>, _ database: Int) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(database)
    key.withUnsafeBufferPointer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    let hash = UInt64(bitPattern: Int64(hasher.finalize()))
    return hash == 0 ? 1 : hash
  }
}
