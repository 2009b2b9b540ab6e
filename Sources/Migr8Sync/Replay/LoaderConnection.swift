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
    let first = try insist { () throws(ReplayError) in
      try LoaderConnection.open(connector, interrupt: closingBell)
    }
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
        progress.notices.note(
          "a loader's connection was lost: \(count) batches without an answer are sent again")
      }
    }
  }

  /// Connects to the same server again.
  ///
  /// - Throws: `error` when it is another, or has lost what it had.
  private func reconnect(
    after error: ReplayError, to server: ServerIdentity, insteadOf clientID: Int64?
  ) throws(ReplayError) -> LoaderConnection {
    let lost = error
    do throws(ReplayError) {
      let next = try insist(after: error) { () throws(ReplayError) in
        try LoaderConnection.open(connector, insteadOf: clientID, interrupt: closingBell)
      }
      if next.server?.continues(server) ?? false { return next }
    } catch {
      guard error.kind == .restart else { throw error }
    }
    throw lost
  }

  /// Does something as soon as the server lets it: what is lost before anything was sent costs nothing.
  ///
  /// - Parameter obstacle: what was in the way before the first attempt; nil begins at once.
  func insist<R: ~Copyable>(
    after obstacle: ReplayError? = nil, _ step: () throws(ReplayError) -> R
  ) throws(ReplayError) -> R {
    var pause = Backoff.forStream()
    var obstacle = obstacle
    while true {
      if let obstacle {
        progress.notices.waiting("\(obstacle); trying again")
        try waitUnlessOver(milliseconds: pause.next())
      }
      do throws(ReplayError) {
        let result = try step()
        if obstacle != nil { progress.notices.goesOn() }
        return result
      } catch {
        guard error.kind == .transient else { throw error }
        obstacle = error
      }
    }
  }
}

extension LoaderConnection {
  fileprivate consuming func takeSocket() -> Socket { socket }
}
