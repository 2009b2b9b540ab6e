// Options that are read and checked, and that a run does not carry out yet: refused, so that none is
// silently ignored. Each line goes when the replay obeys what it names.

extension SyncOptions {
  /// Refuses what a run would not do.
  func refuseUnfinished() throws(UsageError) {
    let mappings = routes.map(\.mapping)
    let unfinished: [(CommandOption.Name, Bool)] = [
      (.route, routes.count > 1),
      (.rewrite, mappings.contains { $0.renamesKeys }),
      (.databaseMap, mappings.contains { !$0.databases.numbers.isEmpty }),
      (.type, filter.types != nil),
    ]
    for (name, isAsked) in unfinished where isAsked {
      throw UsageError("--\(name.rawValue) is understood, but a run does not carry it out yet")
    }
  }
}
