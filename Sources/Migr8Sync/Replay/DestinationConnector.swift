// How this job's connections to a destination are opened: every one carries the job's and the
// runner's name, so that an operator finds them in CLIENT LIST and a later runner can end them.

import ReplicaLink

/// Opens connections to one destination.
struct DestinationConnector: Sendable {
  /// Where the destination is; asked every time.
  let locator: ServerLocator
  let timeouts: Timeouts
  /// What the connections call themselves; without spaces.
  let connectionName: String

  /// Connects, logs in and says its name.
  ///
  /// - Parameter interrupt: ends this and every later wait on the connection when it rings.
  /// - Throws: `.transient` where trying again may help.
  func open(interrupt: WakePipe?) throws(ReplayError) -> RedisConnection {
    try ReplayError.wrap { () throws(LinkError) in
      var connection = try RedisConnection.open(
        try locator.locate(interrupt: interrupt), timeouts: timeouts, interrupt: interrupt)
      // A user without the right to it loses nothing but the name.
      _ = try connection.command("CLIENT", "SETNAME", connectionName)
      return connection
    }
  }
}
