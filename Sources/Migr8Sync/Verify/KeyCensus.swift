// Numbers of keys at both ends, for each db and each prefix: the quick comparison. It says that something
// is missing, not what; and as writes go on the two are never counted at the same moment.

import ReplicaLink

/// One row of a census.
struct CensusRow: Sendable, Equatable {
  /// The source's db.
  var database: Int
  /// The prefix by which the keys are in; empty for those that are in by another rule.
  var prefix: [UInt8]
  var sourceKeys: UInt64 = 0
  var destinationKeys: UInt64 = 0

  var isSame: Bool { sourceKeys == destinationKeys }
}

extension Verifier {
  /// Numbers that differ are counted so often before they count as different.
  private static let censusAttemptsMax = 3

  /// Counts the keys of both ends.
  mutating func census() throws(ReplayError) -> [CensusRow] {
    progress.update { $0.phase = .comparing }
    var rows = try countAll()
    for attempt in 1..<Self.censusAttemptsMax where !rows.allSatisfy(\.isSame) {
      try progress.pause(milliseconds: plan.settleMilliseconds * Int64(attempt) / 2)
      rows = try countAll()
    }
    return rows
  }

  private mutating func countAll() throws(ReplayError) -> [CensusRow] {
    let trie = PrefixTrie(plan.mapping.filter.prefixes)
    var rows: [Int: [[UInt8]: CensusRow]] = [:]
    func add(_ key: [UInt8], _ database: Int, _ field: WritableKeyPath<CensusRow, UInt64>) {
      let prefix = trie.longestPrefix(of: key.span).map { trie.prefixes[$0] } ?? []
      rows[database, default: [:]][
        prefix, default: CensusRow(database: database, prefix: prefix)][keyPath: field] += 1
    }
    for (databases, atSource) in [(sourceDatabases(), true), (destinationDatabases(), false)] {
      for database in databases {
        guard let origin = atSource ? database : plan.mapping.source(of: database) else { continue }
        var cursor = Self.zero
        repeat {
          if progress.isCancelled { throw .interrupted }
          let page = try scan(database, cursor, atSource: atSource)
          for key in page.keys {
            let name = atSource ? key : plan.mapping.sourceKey(of: key) ?? key
            add(name, origin, atSource ? \.sourceKeys : \.destinationKeys)
          }
          cursor = page.cursor
          try keepPace(page.keys.count)
        } while cursor != Self.zero
      }
    }
    return rows.values.flatMap(\.values).sorted {
      ($0.database, String(decoding: $0.prefix, as: UTF8.self))
        < ($1.database, String(decoding: $1.prefix, as: UTF8.self))
    }
  }
}
