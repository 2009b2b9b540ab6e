// Which dbs the destination has. A SELECT that fails inside a pipeline would leave the commands
// behind it in the wrong db, so each db is tried once on a connection of its own before it is used.

import ReplicaLink

/// Remembers the dbs that can be selected. Used by the replay thread alone.
final class DestinationDatabases {
  private let connector: DestinationConnector
  private let interrupt: WakePipe
  private var confirmed: Set<Int> = []

  init(_ connector: DestinationConnector, interrupt: WakePipe) {
    self.connector = connector
    self.interrupt = interrupt
  }

  /// Makes sure that destination db `database` can be selected. Asks the server the first time.
  ///
  /// - Throws: when it cannot; nothing was sent to it then.
  func confirm(_ database: Int) throws(ReplayError) {
    if confirmed.contains(database) { return }
    var connection = try connector.open(interrupt: interrupt)
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("SELECT", "\(database)")
    }
    if let line = reply.errorLine {
      // Busy, loading, out of memory: that says nothing of the db.
      guard line.hasPrefix("ERR ") else {
        throw DestinationRefusal.error(
          line, command: "SELECT", key: nil, place: "", peer: connection.peer)
      }
      throw ReplayError(
        "writing to \(connector.locator.url.endpoint): the destination cannot select db \(database): \(line)"
          + " (raise its databases setting, or choose dbs with --db)")
    }
    confirmed.insert(database)
  }
}
