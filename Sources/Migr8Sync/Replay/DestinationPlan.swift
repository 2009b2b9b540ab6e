// What a job is to do at one destination.

import ReplicaLink

/// One destination, and what goes there.
struct DestinationPlan: Sendable {
  /// Which of the run's destinations it is, from 0 on.
  let index: Int
  /// Its name for the operator.
  let address: String
  /// Whether it has to be named where it is spoken of.
  let isOneOfSeveral: Bool
  let locator: ServerLocator
  /// Where keys under repair are read again.
  let sourceLocator: ServerLocator
  let timeouts: Timeouts
  /// The source by its address, for the record.
  let sourceAddress: String
  /// What goes there and what it is called there.
  let mapping: KeyMapping
  let onConflict: ConflictPolicy
  let workers: Int
  /// Whether keys are copied by SCAN, without a stream.
  let isByScan: Bool
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
  /// The job that this is the reverse of, as the source (its destination) knows it; nil for a job itself.
  let reverses: JobIdentity?
  /// Whether a snapshot may be taken although this is a reverse.
  let takesReverseSnapshot: Bool
  /// Whether matching keys that were there before the job were removed.
  let isCleared: Bool

  init(_ options: SyncOptions, _ findings: PreflightFindings, route index: Int) {
    let route = options.routes[index]
    self.index = index
    address = "\(route.destination.endpoint)\(route.destination.database.map { "/\($0)" } ?? "")"
    isOneOfSeveral = options.routes.count > 1
    locator = options.locator(of: route)
    sourceLocator = options.sourceLocator
    timeouts = options.timeouts
    sourceAddress = "\(options.source.endpoint)"
    mapping = route.mapping
    onConflict = options.onConflict
    workers = options.workers ?? LoaderPool.defaultCount
    isByScan = options.way == .scan
    policy = options.policy
    table = findings.table
    explains = options.explains
    facts = findings.destinations[index].facts
    source = findings.source
    reverses = options.reverses
    takesReverseSnapshot = options.takesReverseSnapshot
    isCleared = options.clearsDestination
  }

  var filter: KeyFilter { mapping.filter }

  /// The line, with the destination's name before it where there are several.
  func named(_ line: String) -> String { isOneOfSeveral ? "\(address): \(line)" : line }

  /// The destination's dbs that take what comes from a part of the source; nil for all it has.
  func destinationDatabases(of scope: ClearScope) -> [Int]? {
    if case .database(let source) = scope { return [mapping.destination(of: source)] }
    return mapping.destinations
  }

  /// The destination's dbs that take something and held anything when it was asked; nil for all.
  var occupiedDatabases: [Int]? { DestinationKeys.databases(facts, mapping) }

  /// Sources before 7.0 send times to live that count from the command's arrival.
  var rewritesTimeToLive: Bool {
    guard let source, let facts else { return false }
    return source.version < ServerVersion(7) && facts.version >= ServerVersion(6, 2)
  }

  /// Whether functions go along, in the snapshot and in the stream: where everything does, and nothing of
  /// the destination's own is to stay as it is. What the destination held when a run began does not count:
  /// a later run finds there what the first has brought.
  var movesFunctions: Bool {
    filter.matchesEverything && onConflict != .skip
      && facts?.version ?? Preflight.destinationVersionMin >= ServerVersion(7)
  }

  /// Whether all that the destination holds came from this job.
  /// Only a job that moves everything has a destination of its own: beside one with a rule others may
  /// have begun since.
  var isDestinationOurs: Bool {
    filter.matchesEverything && facts?.keyCounts.isEmpty ?? false
  }
}
