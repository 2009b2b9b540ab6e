// What a job is to do at one destination.

import ReplicaLink

/// One destination, and what goes there.
struct DestinationPlan: Sendable {
  let locator: ServerLocator
  /// Where keys under repair are read again.
  let sourceLocator: ServerLocator
  let timeouts: Timeouts
  /// The source by its address, for the record.
  let sourceAddress: String
  let filter: KeyFilter
  let databases: DatabaseMap
  let onConflict: ConflictPolicy
  let workers: Int
  /// What to do where keys decide nothing.
  let policy: RoutingPolicy
  /// What is known about commands.
  let table: CommandTable
  /// Whether every decision about a command is printed.
  let explains: Bool
  /// What the destination said of itself; nil when it may not be asked.
  let facts: ServerFacts?
  /// What the source said of itself; nil when it may not be asked.
  let source: ServerFacts?

  init(_ options: SyncOptions, _ findings: PreflightFindings) {
    locator = options.destinationLocator
    sourceLocator = options.sourceLocator
    timeouts = options.timeouts
    sourceAddress = "\(options.source.endpoint)"
    filter = options.filter
    databases = options.databases
    onConflict = options.onConflict
    workers = options.workers ?? LoaderPool.defaultCount
    policy = options.policy
    table = findings.table
    explains = options.explains
    facts = findings.destination
    source = findings.source
  }

  /// What goes there and what it is called there.
  var mapping: KeyMapping { KeyMapping(filter, databases) }

  /// The destination's db where the job's record lies.
  var recordDatabase: Int {
    databases.destination(of: filter.databases?.min() ?? 0)
  }

  /// The destination's dbs that take what comes from a part of the source; nil for all it has.
  func destinationDatabases(of scope: ClearScope) -> [Int]? {
    if case .database(let source) = scope { return [databases.destination(of: source)] }
    return filter.databases.map { selected in
      Set(selected.map { databases.destination(of: $0) }).sorted()
    }
  }

  /// Sources before 7.0 send times to live that count from the command's arrival.
  var rewritesTimeToLive: Bool {
    guard let source, let facts else { return false }
    return source.version < ServerVersion(7) && facts.version >= ServerVersion(6, 2)
  }

  /// Whether all that the destination holds came from this job.
  /// Only a job that moves everything has a destination of its own: beside one with a rule others may
  /// have begun since.
  var isDestinationOurs: Bool {
    filter.matchesEverything && facts?.keyCounts.isEmpty ?? false
  }
}
