// A sample: keys chosen by chance, each with the same chance, in one pass over the names. The names are
// looked at all the same, since SCAN cannot skip; of the values only those of the sample are read.

import ReplicaLink

/// Keeps so many of the things that pass, each with the same chance.
struct Reservoir<Element: Sendable>: Sendable {
  private(set) var kept: [Element] = []
  private let countMax: Int
  private var seen: UInt64 = 0

  init(countMax: Int) {
    self.countMax = countMax
  }

  mutating func offer(_ element: Element, _ random: inout some RandomNumberGenerator) {
    seen += 1
    if kept.count < countMax {
      kept.append(element)
    } else {
      let place = UInt64.random(in: 0..<seen, using: &random)
      if place < UInt64(countMax) { kept[Int(place)] = element }
    }
  }
}

extension Verifier {
  mutating func compareSample(_ count: Int) throws(ReplayError) {
    progress.update { $0.phase = .comparing }
    for (database, keys) in try sample(count, sourceDatabases(), atSource: true) {
      try compare(keys, database)
      try settle(all: false)
    }
    progress.update { $0.phase = .lookingForExtra }
    for (database, keys) in try sample(count, destinationDatabases(), atSource: false) {
      try lookUp(keys, database)
      try settle(all: false)
    }
  }

  /// Chooses keys.
  ///
  /// - Returns: them in batches, each of one db.
  private mutating func sample(
    _ count: Int, _ databases: [Int], atSource: Bool
  ) throws(ReplayError) -> [(database: Int, keys: [[UInt8]])] {
    var reservoir = Reservoir<(database: Int, key: [UInt8])>(countMax: count)
    var random = SystemRandomNumberGenerator()
    for database in databases {
      var cursor = Self.zero
      repeat {
        if progress.isCancelled { throw .interrupted }
        let page = try scan(database, cursor, atSource: atSource)
        for key in page.keys { reservoir.offer((database, key), &random) }
        cursor = page.cursor
      } while cursor != Self.zero
    }
    let groups = Dictionary(grouping: reservoir.kept) { $0.database }
    return groups.sorted { $0.key < $1.key }.flatMap { database, chosen in
      stride(from: 0, to: chosen.count, by: Self.batchKeysMax).map { start in
        (database, chosen[start...].prefix(Self.batchKeysMax).map(\.key))
      }
    }
  }
}
