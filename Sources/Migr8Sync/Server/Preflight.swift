// What is checked before the first byte is moved: everything that would stop the run later, or
// harm somebody, and can be known now.

import ReplicaLink

/// Why a run was not begun.
struct PreflightRefusal: Error, Sendable, CustomStringConvertible {
  /// One line: what was found, where, and what to do.
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A run that did not begin, either for a connection that failed or for what the checks found.
enum PreflightError: Error, Sendable, CustomStringConvertible {
  case failed(ReplayError)
  case refused(PreflightRefusal)

  var description: String {
    switch self {
    case .failed(let error): "\(error)"
    case .refused(let refusal): "\(refusal)"
    }
  }
}

/// What the checks learned of both servers.
struct PreflightFindings: Sendable {
  /// The server that is the source now: the one that Sentinel named, or a replica that was preferred.
  let sourceURL: RedisURL
  /// What the operator should know of the choice of servers.
  let remarks: [String]
  /// What attaching to the source may cost it.
  let warnings: [AttachWarning]
  /// What is known about commands, the source's own included.
  let table: CommandTable
  /// Nil when the source's user may not run INFO.
  let source: ServerFacts?
  /// One for each route.
  let destinations: [DestinationFindings]
}

/// What the checks learned of a destination.
struct DestinationFindings: Sendable {
  /// The server that it is now.
  let url: RedisURL
  /// Nil when the destination's user may not run INFO.
  let facts: ServerFacts?
  /// What the operator should know of the choice of the server.
  let remark: String?
}

/// Checks of both ends.
struct Preflight: Sendable {
  let source: ServerLocator
  /// Where the routes lead, and what goes there.
  let destinations: [(locator: ServerLocator, mapping: KeyMapping)]
  let timeouts: Timeouts

  /// The oldest destination that can take absolute expiry times in RESTORE.
  static let destinationVersionMin = ServerVersion(5)

  /// The checks of a run.
  init(_ options: SyncOptions) {
    source = options.sourceLocator
    destinations = options.routes.map { (options.locator(of: $0), $0.mapping) }
    timeouts = options.timeouts
  }

  /// Runs the checks that need no look at the destination's keys.
  ///
  /// - Parameters:
  ///   - writes: false for a dry run, which needs no right to write.
  ///   - attaches: whether the source gets one more replica.
  func run(writes: Bool, attaches: Bool) throws(PreflightError) -> PreflightFindings {
    let source = try Self.find(self.source)
    var sourceConnection = try Self.connect(source.url, timeouts)
    let sourceFacts = try Self.facts(&sourceConnection)
    let sourceReadAt = Clock.monotonicMilliseconds()
    try Self.checkSource(sourceFacts, source.url.endpoint)
    var remarks = [source.remark].compactMap { $0 }
    var found: [DestinationFindings] = []
    var places: [RoutePlace] = []
    for (locator, mapping) in destinations {
      let destination = try Self.destination(
        locator, mapping, timeouts: timeouts, writes: writes
      ) { (facts, endpoint) throws(PreflightError) in
        try checkPair(sourceFacts, source.url.endpoint, facts, endpoint)
        let place = RoutePlace("\(endpoint)", facts, mapping)
        if let conflict = places.compactMap({ place.conflict(with: $0) }).first {
          throw Self.refuse("\(conflict.text) (\(conflict.advice))")
        }
        places.append(place)
      }
      if let remark = destination.remark, !remarks.contains(remark) { remarks.append(remark) }
      found.append(destination)
    }
    var warnings: [AttachWarning] = []
    var table = CommandTable.builtIn
    do {
      if attaches {
        table = try CommandTable.learned(from: &sourceConnection)
        let conditions = try AttachConditions.read(
          &sourceConnection, first: sourceFacts, readAt: sourceReadAt)
        warnings = AttachWarning.all(conditions)
      }
    } catch {
      throw .failed(ReplayError(error))
    }
    return PreflightFindings(
      sourceURL: source.url, remarks: remarks, warnings: warnings,
      table: table, source: sourceFacts, destinations: found)
  }

  private func checkPair(
    _ source: ServerFacts?, _ sourceEndpoint: Endpoint,
    _ destination: ServerFacts?, _ destinationEndpoint: Endpoint
  ) throws(PreflightError) {
    guard let source, let destination else { return }
    if let runID = source.runID, runID == destination.runID {
      throw Self.refuse(
        "source and destination are the same server, \(destinationEndpoint): what is written"
          + " would come back as a change (name two servers)")
    }
    if let id = source.replicationID, id == destination.replicationID,
      id.contains(where: { $0 != "0" })
    {
      throw Self.refuse(
        "source and destination replicate each other: what is written to"
          + " \(destinationEndpoint) would come back through \(sourceEndpoint)"
          + " (detach one with REPLICAOF NO ONE first)")
    }
  }

  static func refuse(_ line: String) -> PreflightError {
    .refused(PreflightRefusal(line))
  }
}
