// Whether a destination that is reached again is the one it was: then it holds all it ever acknowledged.

import ReplicaLink

/// One life of a server as a master: it ends with a restart, or with its becoming a replica.
struct ServerIdentity: Sendable, Equatable {
  /// Of the process.
  private let runID: String
  /// Of the history that it writes: another once it has been a replica in between.
  private let replicationID: String?

  /// Asks the server; nil when it may not be asked.
  static func read(_ connection: inout RedisConnection) throws(ReplayError) -> ServerIdentity? {
    var fields: [InfoFields] = []
    for section in ["server", "replication"] {
      let reply = try ReplayError.wrap { () throws(LinkError) in
        try connection.command("INFO", section)
      }
      fields.append(InfoFields(reply.text ?? ""))
    }
    return fields[0]["run_id"].map {
      ServerIdentity(runID: $0, replicationID: fields[1]["master_replid"])
    }
  }
}
