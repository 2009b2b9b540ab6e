// Route: which keys go to one destination, and what becomes of their names and databases there.

import ReplicaLink

/// One destination of a run. Without `--route` a run has one; every key goes to one destination.
struct Route: Sendable {
  /// The server to write to, with the password from wherever it was given.
  var destination: RedisURL
  /// The keys that go there, and where.
  let mapping: KeyMapping

  /// The keys that go there.
  var filter: KeyFilter { mapping.filter }

  /// The destination's db where the job's record lies.
  var recordDatabase: Int { mapping.destination(of: filter.databases?.min() ?? 0) }

  /// What the route does, in words: two routes with the same words do the same.
  var words: [String] {
    var words = filter.words
    words += mapping.rewrites.map {
      "\(Printable.wholeKey($0.old)) becomes \(Printable.wholeKey($0.new))"
    }.sorted()
    if let target = mapping.databases.target { words.append("to db \(target)") }
    words += mapping.databases.numbers.sorted { $0.key < $1.key }.map {
      "db \($0.key) to db \($0.value)"
    }
    return words
  }
}
