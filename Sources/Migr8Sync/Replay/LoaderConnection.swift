// How a loader comes back when its connection is lost: to the same server, where everything that was
// answered still is. What was not answered is then sent again, which costs the source nothing; a new
// snapshot would.

import ReplicaLink

/// A loader's connection, with what is to be known of it when it is lost.
struct LoaderConnection: ~Copyable {
  let socket: Socket
  /// Where it leads; nil when the server may not be asked.
  let server: ServerIdentity?
  /// The number that CLIENT KILL knows it by; nil when the server does not say.
  let clientID: Int64?

  /// Connects.
  ///
  /// - Parameter former: a connection that was given up: ended there, so that nothing that it carried
  ///   comes late, in between what a new one carries.
  static func open(
    _ connector: DestinationConnector, insteadOf former: Int64? = nil, interrupt: WakePipe
  ) throws(ReplayError) -> LoaderConnection {
    var connection = try connector.openAsRunner(interrupt: interrupt)
    let server = try ServerIdentity.read(&connection)
    let clientID = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("CLIENT", "ID").integer
    }
    if let former {
      // It may have gone by itself: "no such client" is as good.
      _ = try ReplayError.wrap { () throws(LinkError) in
        try connection.command("CLIENT", "KILL", "ID", "\(former)")
      }
    }
    return LoaderConnection(
      socket: connection.takeSocket(), server: server, clientID: clientID)
  }
}

extension Pipeline {
  /// Works until it is closed, over as many connections as it takes.
  func carrySnapshot() throws(ReplayError) {
    let first = try LoaderConnection.open(connector, interrupt: closingBell)
    let server = first.server
    var clientID = first.clientID
    var wire = PipelineWire(self, first.takeSocket())
    while true {
      do throws(ReplayError) {
        return try wire.run()
      } catch {
        guard error.isLostConnection, let server, wire.canSendAgain else { throw error }
        let next = try reconnect(after: error, to: server, insteadOf: clientID)
        clientID = next.clientID
        let count = wire.sendAgain(on: next.takeSocket())
        progress.notices.goesOn()
        progress.notices.note(
          "a loader's connection was lost: \(count) batches without an answer are sent again")
      }
    }
  }

  /// Tries until the server is reached again.
  ///
  /// - Throws: `error` when it is another, or has lost what it had.
  private func reconnect(
    after error: ReplayError, to server: ServerIdentity, insteadOf clientID: Int64?
  ) throws(ReplayError) -> LoaderConnection {
    var pause = Backoff.forStream()
    var reason = error
    while true {
      progress.notices.waiting("\(reason); trying again")
      try waitUnlessOver(milliseconds: pause.next())
      do throws(ReplayError) {
        let next = try LoaderConnection.open(
          connector, insteadOf: clientID, interrupt: closingBell)
        if next.server == server { return next }
      } catch {
        guard error.kind == .transient else { throw error }
        reason = error
        continue
      }
      throw error
    }
  }
}

extension LoaderConnection {
  fileprivate consuming func takeSocket() -> Socket { socket }
}
