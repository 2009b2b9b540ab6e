// The checks of a server that is written to, and how servers are asked before a run.

import ReplicaLink

extension Preflight {
  /// Checks a destination, but for its keys.
  ///
  /// - Parameters:
  ///   - writes: false for a run that needs no right to write.
  ///   - judge: what else may be wrong with the server.
  static func destination(
    _ locator: ServerLocator, _ mapping: KeyMapping, timeouts: Timeouts, writes: Bool,
    _ judge: (ServerFacts?, Endpoint) throws(PreflightError) -> Void = { _, _ in }
  ) throws(PreflightError) -> DestinationFindings {
    let place = try find(locator)
    var connection = try connect(place.url, timeouts)
    let facts = try facts(&connection)
    try judge(facts, place.url.endpoint)
    try checkDestination(facts, place.url.endpoint)
    if writes { try probeWriting(&connection, mapping) }
    return DestinationFindings(url: place.url, facts: facts, remark: place.remark)
  }

  static func find(_ locator: ServerLocator) throws(PreflightError) -> ServerLocator.Place {
    do {
      return try locator.find()
    } catch {
      throw .failed(ReplayError(error))
    }
  }

  static func connect(
    _ url: RedisURL, _ timeouts: Timeouts
  ) throws(PreflightError) -> RedisConnection {
    do {
      return try RedisConnection.open(url, timeouts: timeouts)
    } catch {
      throw .failed(ReplayError(error))
    }
  }

  static func facts(_ connection: inout RedisConnection) throws(PreflightError) -> ServerFacts? {
    do {
      return try ServerFacts.read(&connection)
    } catch {
      if error.code == .loading { throw refuse(error.description) }
      throw .failed(ReplayError(error))
    }
  }

  private static func checkDestination(
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

  private static func probeWriting(
    _ connection: inout RedisConnection, _ mapping: KeyMapping
  ) throws(PreflightError) {
    let probes = writeProbes(mapping)
    for probe in probes { connection.enqueue(probe) }
    var refusal: String?
    do {
      for _ in probes {
        let line = writeRefusal(try connection.receive())
        refusal = refusal ?? line
      }
    } catch {
      throw .failed(ReplayError(error))
    }
    if let refusal { throw refuse(writeTrouble(refusal, peer: connection.peer)) }
  }

  /// A RESTORE that cannot succeed for each beginning of the keys that move: it is refused for its empty
  /// payload, and only for that, by a destination that would take a real one. Nothing is written.
  static func writeProbes(_ mapping: KeyMapping) -> [[[UInt8]]] {
    // Below the beginnings, so that a user confined to those keys passes.
    mapping.beginnings.destination.map { beginning in
      [Array("RESTORE".utf8), mapping.probe("probe", below: beginning), Array("0".utf8), []]
    }
  }

  /// The error in the answer to a probe, unless a real RESTORE would be taken.
  static func writeRefusal(_ reply: RESPValue) -> String? {
    guard let line = reply.errorLine, !line.contains("payload version or checksum"),
      !line.hasPrefix("BUSYKEY")
    else { return nil }
    return line
  }

  /// That error for an operator.
  static func writeTrouble(_ line: String, peer: String) -> String {
    DestinationRefusal.error(line, command: "RESTORE", key: nil, place: "", peer: peer).description
  }
}
