// Where a route leads: two that lead to one place by different URLs would be two writers of one job there.

/// A server, and those of its dbs that a route writes to.
struct RoutePlace: Sendable {
  let endpoint: String
  private let runID: String?
  private let databases: [Int]?

  init(_ endpoint: String, _ facts: ServerFacts?, _ mapping: KeyMapping) {
    self.endpoint = endpoint
    runID = facts?.runID
    databases = mapping.destinations
  }

  /// What is wrong with two routes, and what to do; nil where they do not meet.
  func conflict(with other: RoutePlace) -> (text: String, advice: String)? {
    guard let runID, runID == other.runID else { return nil }
    if let databases, let others = other.databases, Set(databases).isDisjoint(with: others) {
      return nil
    }
    return (
      "two routes lead to one place: \(other.endpoint) and \(endpoint) are the same server",
      "use the same URL for both, or a db of its own for each"
    )
  }
}
