// Where the stream of a server can be joined now, without a snapshot of it.
//
// A server goes on for a replica (PSYNC replid offset+1 answered by +CONTINUE) from any place in its
// backlog, also from its end. It has a backlog only once some replica has asked for a snapshot. Where
// there is none, asking and going away makes one: it stays for `repl-backlog-ttl`, an hour by default.
// Tried with Redis 6.2, 7.0, 8.2 and Valkey 8.1: from 7.0 on the server waits `repl-diskless-sync-delay`
// (5 s) before it forks, so none is; 6.2, which writes snapshots to disk by default, forks once.

import Glibc
import ReplicaLink

/// The way into a server's stream.
struct StreamEntry: Sendable {
  /// How long a server may take to make a backlog, in milliseconds.
  private static let backlogMilliseconds: Int64 = 3_000

  let locator: ServerLocator
  let timeouts: Timeouts
  let interrupt: WakePipe?

  /// Makes sure that the server lets a replica join its stream.
  ///
  /// - Parameter isAsking: whether nothing may be changed: then a backlog is not made.
  /// - Returns: the end of its stream; nil where there is no backlog, and none was to be made.
  /// - Throws: when it does not, with the reason.
  func find(isAsking: Bool) throws(LinkError) -> ReplicationPlace? {
    var connection = try open()
    var facts = try replication(&connection)
    if facts.isReplica {
      throw refusal("it is a replica of \(facts.masterAddress)", "name the master")
    }
    if facts.fields["repl_backlog_active"] == "0" {
      if isAsking { return nil }
      facts = try makeBacklog(&connection)
    }
    guard let id = facts.replicationID, let offset = facts.replicationOffset else {
      throw refusal("its user may not run INFO", "grant +info")
    }
    try join(id, offset)
    return ReplicationPlace(replicationID: id, offset: offset)
  }

  /// Begins to be a replica, and goes away as soon as there is a backlog.
  private func makeBacklog(
    _ connection: inout RedisConnection
  ) throws(LinkError) -> ServerFacts {
    var replica = try open()
    _ = try replica.command("REPLCONF", "capa", "eof", "capa", "psync2")
    replica.enqueue(["PSYNC", "?", "-1"].map { Array($0.utf8) })
    try replica.send()
    let deadline = Clock.monotonicMilliseconds() + Self.backlogMilliseconds
    while true {
      let facts = try replication(&connection)
      if facts.fields["repl_backlog_active"] != "0" { return facts }
      guard Clock.monotonicMilliseconds() < deadline else { break }
      usleep(2_000)
    }
    if let line = try replica.receive().errorLine {
      throw ServerRefusal.error(line, action: "asking \(connection.peer) for PSYNC")
    }
    throw refusal("it has no backlog, and makes none", "see its repl-backlog-size")
  }

  /// Joins the stream and leaves it.
  private func join(_ id: String, _ offset: UInt64) throws(LinkError) {
    var replica = try open()
    _ = try replica.command("REPLCONF", "capa", "eof", "capa", "psync2")
    let next = offset.addingReportingOverflow(1).partialValue
    let reply = try replica.command("PSYNC", id, "\(next)")
    if let line = reply.errorLine {
      throw ServerRefusal.error(line, action: "asking \(replica.peer) for PSYNC")
    }
    guard reply.text?.hasPrefix("CONTINUE") == true else {
      throw refusal("it answers with a snapshot where its stream could go on", nil)
    }
  }

  private func open() throws(LinkError) -> RedisConnection {
    try RedisConnection.open(
      try locator.locate(interrupt: interrupt), timeouts: timeouts, interrupt: interrupt)
  }

  private func replication(_ connection: inout RedisConnection) throws(LinkError) -> ServerFacts {
    let reply = try connection.command("INFO", "replication")
    if let line = reply.errorLine {
      throw ServerRefusal.error(line, action: "asking \(connection.peer) for INFO")
    }
    return ServerFacts(info: reply.text ?? "")
  }

  private func refusal(_ reason: String, _ advice: String?) -> LinkError {
    LinkError(.rejected, "joining the stream of \(locator.url.endpoint)", reason, advice: advice)
  }
}
