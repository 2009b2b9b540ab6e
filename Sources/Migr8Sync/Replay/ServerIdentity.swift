// Whether a destination that is reached again is the one it was: then it holds all it ever acknowledged.

import ReplicaLink

/// One life of a server as a master: it ends with a restart, or with its becoming a replica.
struct ServerIdentity: Sendable, Equatable {
  /// Of the process.
  private let runID: String
  /// Of the history that it writes: another once it has been a replica in between.
  private let replicationID: String?

  /// Asks the server, in one round trip; nil when it may not be asked.
  static func read(_ connection: inout RedisConnection) throws(ReplayError) -> ServerIdentity? {
    for section in ["server", "replication"] {
      connection.enqueue([Array("INFO".utf8), Array(section.utf8)])
    }
    let (server, replication) = try ReplayError.wrap { () throws(LinkError) in
      (try connection.receive(), try connection.receive())
    }
    return InfoFields(server.text ?? "")["run_id"].map {
      ServerIdentity(
        runID: $0, replicationID: InfoFields(replication.text ?? "")["master_replid"])
    }
  }
}
