// Choosing a replica in place of its master: the master is spared the fork and the sending. A replica
// has its master's replication id and offsets and passes the same bytes on, so a link may move
// between them without a new snapshot.

extension ServerLocator {
  /// The replica of `master` with the smallest lag that can be reached and follows it, else `master`.
  ///
  /// - Parameter facts: what the master says; nil when it may not be asked.
  func replica(
    of master: RedisURL, _ facts: ReplicationFacts?, _ interrupt: WakePipe?
  ) throws(LinkError) -> Place {
    guard let facts else {
      return Place(
        url: master, remark: "\(master.endpoint) may not be asked for its replicas: attaching to it"
      )
    }
    // Named directly, a replica is what was asked for.
    guard facts.isMaster else { return Place(url: master) }
    var failures: [String] = []
    for replica in facts.replicas {
      do {
        let own = try self.facts(of: master.at(replica.endpoint), interrupt)
        if let problem = Self.problem(with: own, following: facts) {
          failures.append("\(replica.endpoint): \(problem)")
          continue
        }
        return Place(
          url: master.at(replica.endpoint),
          remark: "attaching to \(replica.endpoint), a replica of \(master.endpoint), "
            + Self.lag(own, behind: facts))
      } catch {
        if error.code == .stopped { throw error }
        failures.append("\(replica.endpoint): \(error.reason)")
      }
    }
    let reason =
      failures.isEmpty
      ? "no replica is attached to \(master.endpoint)"
      : "no replica of \(master.endpoint) will do (\(failures.joined(separator: "; ")))"
    return Place(url: master, remark: reason + ": attaching to the master itself")
  }

  /// Why a server is no replica to attach to. One that may not be asked is taken at its master's word.
  private static func problem(
    with own: ReplicationFacts?, following master: ReplicationFacts
  ) -> String? {
    guard let own else { return nil }
    if own.isMaster { return "it is a master itself" }
    if !own.isMasterLinkUp { return "its link to the master is down" }
    return own.replicationID == master.replicationID ? nil : "it follows another master"
  }

  private static func lag(_ own: ReplicationFacts?, behind master: ReplicationFacts) -> String {
    guard let offset = own?.offset, let end = master.offset else { return "its lag unknown" }
    // The replica was asked later than its master: it may be ahead of what that said.
    return "\(end > offset ? end - offset : 0) bytes behind"
  }
}
