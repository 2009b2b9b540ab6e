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
enum PreflightError: Error, Sendable {
  case failed(ReplayError)
  case refused(PreflightRefusal)
}

/// What the checks learned of both servers.
struct PreflightFindings: Sendable {
  /// Nil when the source's user may not run INFO.
  let source: ServerFacts?
  /// Nil when the destination's user may not run INFO.
  let destination: ServerFacts?
}

/// Checks of both ends.
struct Preflight: Sendable {
  let source: RedisURL
  let destination: RedisURL
  let timeouts: Timeouts

  /// The oldest destination that can take absolute expiry times in RESTORE.
  static let destinationVersionMin = ServerVersion(5)

  /// Runs the checks that need no look at the destination's keys.
  ///
  /// - Parameter writes: false for a dry run, which needs no right to write.
  func run(filter: KeyFilter, writes: Bool) throws(PreflightError) -> PreflightFindings {
    var sourceConnection = try connect(source)
    let sourceFacts = try facts(&sourceConnection)
    try checkSource(sourceFacts)
    var destinationConnection = try connect(destination)
    let destinationFacts = try facts(&destinationConnection)
    try checkPair(sourceFacts, destinationFacts)
    try checkDestination(destinationFacts)
    if writes { try probeWriting(&destinationConnection, filter) }
    return PreflightFindings(source: sourceFacts, destination: destinationFacts)
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

  private func checkSource(_ facts: ServerFacts?) throws(PreflightError) {
    guard let facts else { return }
    if facts.isLoading {
      throw refuse(
        "the source \(source.endpoint) is still loading its dataset (try again when INFO persistence"
          + " says loading:0)")
    }
    if facts.isReplica && !facts.isMasterLinkUp {
      throw refuse(
        "the source \(source.endpoint) is a replica whose link to its master \(facts.masterAddress) is"
          + " down (wait for the link, or name the master as --source)")
    }
  }

  private func checkPair(
    _ source: ServerFacts?, _ destination: ServerFacts?
  ) throws(PreflightError) {
    guard let source, let destination else { return }
    if let runID = source.runID, runID == destination.runID {
      throw refuse(
        "source and destination are the same server, \(self.destination.endpoint): what is written"
          + " would come back as a change (name two servers)")
    }
    if let id = source.replicationID, id == destination.replicationID,
      id.contains(where: { $0 != "0" })
    {
      throw refuse(
        "source and destination replicate each other: what is written to"
          + " \(self.destination.endpoint) would come back through \(self.source.endpoint)"
          + " (detach one with REPLICAOF NO ONE first)")
    }
  }

  private func checkDestination(_ facts: ServerFacts?) throws(PreflightError) {
    guard let facts else { return }
    let name = "the destination \(destination.endpoint)"
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

  /// Tries a RESTORE that cannot succeed: it is refused for its empty payload, and only for that, by
  /// a destination that would take a real one. Nothing is written.
  private func probeWriting(
    _ connection: inout RedisConnection, _ filter: KeyFilter
  ) throws(PreflightError) {
    let key = (filter.prefixes.first ?? []) + Array("migr8sync:probe".utf8)
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
