// Whether a destination that is reached again is the one it was: then it holds all it ever acknowledged.

import ReplicaLink

/// One life of a server as a master: it ends with a restart, or with its becoming a replica.
struct ServerIdentity: Sendable {
  /// Of the process.
  private let runID: String
  /// Of the history that it writes, and of the one before. A server that has been a replica in between has
  /// another one, and the former in second place; one that gets its first replica, or has lost its
  /// backlog, begins a new one with nothing in second place (Redis 7.0, Valkey 8.1).
  private let replicationID: String?
  private let formerReplicationID: String?

  /// Asks the server, in one round trip; nil when it may not be asked.
  static func read(_ connection: inout RedisConnection) throws(ReplayError) -> ServerIdentity? {
    for section in ["server", "replication"] {
      connection.enqueue([Array("INFO".utf8), Array(section.utf8)])
    }
    let (server, replication) = try ReplayError.wrap { () throws(LinkError) in
      (try connection.receive(), try connection.receive())
    }
    let fields = InfoFields(replication.text ?? "")
    return InfoFields(server.text ?? "")["run_id"].map {
      ServerIdentity(
        runID: $0, replicationID: fields["master_replid"],
        formerReplicationID: fields["master_replid2"])
    }
  }

  /// Whether this is still the life of `former`, which was seen before.
  func continues(_ former: ServerIdentity) -> Bool {
    guard runID == former.runID else { return false }
    if replicationID == former.replicationID { return true }
    return formerReplicationID?.allSatisfy { $0 == "0" } ?? false
  }

  /// The same for two servers of which it is perhaps not known.
  static func isSame(_ now: ServerIdentity?, _ former: ServerIdentity?) -> Bool {
    guard let now, let former else { return now == nil && former == nil }
    return now.continues(former)
  }
}
