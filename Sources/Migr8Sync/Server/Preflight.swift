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
    let source = try find(self.source)
    var sourceConnection = try connect(source.url)
    let sourceFacts = try facts(&sourceConnection)
    let sourceReadAt = Clock.monotonicMilliseconds()
    try checkSource(sourceFacts, source.url.endpoint)
    var remarks = [source.remark].compactMap { $0 }
    var found: [DestinationFindings] = []
    for (locator, mapping) in destinations {
      let destination = try find(locator)
      var connection = try connect(destination.url)
      let facts = try facts(&connection)
      try checkPair(sourceFacts, source.url.endpoint, facts, destination.url.endpoint)
      try checkDestination(facts, destination.url.endpoint)
      try checkPlace(facts, destination.url.endpoint, mapping, found)
      if writes { try probeWriting(&connection, mapping) }
      if let remark = destination.remark, !remarks.contains(remark) { remarks.append(remark) }
      found.append(DestinationFindings(url: destination.url, facts: facts))
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

  private func find(_ locator: ServerLocator) throws(PreflightError) -> ServerLocator.Place {
    do {
      return try locator.find()
    } catch {
      throw .failed(ReplayError(error))
    }
  }

  private func connect(_ url: RedisURL) throws(PreflightError) -> RedisConnection {
    do {
      return try RedisConnection.open(url, timeouts: timeouts)
    } catch {
      throw .failed(ReplayError(error))
    }
  }

  private func facts(_ connection: inout RedisConnection) throws(PreflightError) -> ServerFacts? {
    do {
      return try ServerFacts.read(&connection)
    } catch {
      if error.code == .loading { throw refuse(error.description) }
      throw .failed(ReplayError(error))
    }
  }

  private func checkSource(
    _ facts: ServerFacts?, _ source: Endpoint
  ) throws(PreflightError) {
    guard let facts else { return }
    if facts.isLoading {
      throw refuse(
        "the source \(source) is still loading its dataset (try again when INFO persistence"
          + " says loading:0)")
    }
    if facts.isReplica && !facts.isMasterLinkUp {
      throw refuse(
        "the source \(source) is a replica whose link to its master \(facts.masterAddress) is"
          + " down (wait for the link, or name the master as --source)")
    }
  }

  private func checkPair(
    _ source: ServerFacts?, _ sourceEndpoint: Endpoint,
    _ destination: ServerFacts?, _ destinationEndpoint: Endpoint
  ) throws(PreflightError) {
    guard let source, let destination else { return }
    if let runID = source.runID, runID == destination.runID {
      throw refuse(
        "source and destination are the same server, \(destinationEndpoint): what is written"
          + " would come back as a change (name two servers)")
    }
    if let id = source.replicationID, id == destination.replicationID,
      id.contains(where: { $0 != "0" })
    {
      throw refuse(
        "source and destination replicate each other: what is written to"
          + " \(destinationEndpoint) would come back through \(sourceEndpoint)"
          + " (detach one with REPLICAOF NO ONE first)")
    }
  }

  private func checkDestination(
    _ facts: ServerFacts?, _ endpoint: Endpoint
  ) throws(PreflightError) {
    guard let facts else { return }
    let name = "the destination \(endpoint)"
    if facts.isLoading {
      throw refuse("\(name) is still loading its dataset (try again later)")
    }
    if facts.isReadOnlyReplica {
      throw refuse(
        "\(name) is read-only, it is a replica of \(facts.masterAddress) (name its master as --dest)"
      )
    }
    if facts.isCluster {
      throw refuse("\(name) is a cluster node, which is not supported yet")
    }
    if facts.version < Self.destinationVersionMin {
      throw refuse("\(name) runs \(facts.product): version 5.0 or newer is needed there")
    }
  }

  /// Two routes that lead to one place by different URLs would be two writers of one job there.
  private func checkPlace(
    _ facts: ServerFacts?, _ endpoint: Endpoint, _ mapping: KeyMapping,
    _ others: [DestinationFindings]
  ) throws(PreflightError) {
    guard let identity = facts?.runID else { return }
    for (index, other) in others.enumerated() where other.facts?.runID == identity {
      let mine = mapping.destinations
      let theirs = destinations[index].mapping.destinations
      if let mine, let theirs, Set(mine).isDisjoint(with: theirs) { continue }
      throw refuse(
        "two routes lead to one place: \(other.url.endpoint) and \(endpoint) are the same server"
          + " (use the same URL for both, or a db of its own for each)")
    }
  }

  /// Tries a RESTORE that cannot succeed: it is refused for its empty payload, and only for that, by
  /// a destination that would take a real one. Nothing is written.
  private func probeWriting(
    _ connection: inout RedisConnection, _ mapping: KeyMapping
  ) throws(PreflightError) {
    // Below the filter's own beginning, so that a user confined to those keys passes.
    let filter = mapping.filter
    let start = filter.prefixes.first ?? filter.globs.first?.literalStart ?? []
    let key = mapping.destinationKey(of: start) + Array("migr8sync:probe".utf8)
    let command = [Array("RESTORE".utf8), key, Array("0".utf8), []]
    let reply: RESPValue
    do {
      reply = try connection.command(command)
    } catch {
      throw .failed(ReplayError(error))
    }
    guard let line = reply.errorLine else { return }
    if line.contains("payload version or checksum") || line.hasPrefix("BUSYKEY") { return }
    let refusal = DestinationRefusal.error(
      line, command: "RESTORE", key: nil, place: "", peer: connection.peer)
    throw refuse(refusal.description)
  }

  private func refuse(_ line: String) -> PreflightError {
    .refused(PreflightRefusal(line))
  }
}
