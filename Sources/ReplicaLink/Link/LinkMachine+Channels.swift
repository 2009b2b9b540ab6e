// The decisions about the snapshot's own channel, where the source offers one. Whatever fails here is
// tried once more, then without.

extension LinkMachine {
  /// The second connection stands.
  mutating func beginSecond(
    _ offer: SecondChannelOffer, _ handshake: ReplicaHandshake, _ now: Int64
  ) {
    heardMilliseconds = now
    var second = SecondHandshake(
      offer, credentials: credentials, peer: status.address ?? "the source")
    let action = second.begin()
    state = .talkingSecond(second, handshake)
    follow(action, handshake, now)
  }

  mutating func follow(
    _ action: SecondHandshake.Action, _ handshake: ReplicaHandshake, _ now: Int64
  ) {
    switch action {
    case .send(let bytes): effects.append(.send(.snapshot, bytes))
    case .wait: break
    case .fail(let error): lost(error, now: now)
    case .snapshot(let start, let clientID):
      guard let clientID else {
        return beginSnapshot(start, handshake, now, hasOwnChannel: true)
      }
      var joining = ReplicaHandshake(
        ReplicaHandshake.Request(
          peer: status.address ?? "the source", psyncCommand: handshake.psyncCommand,
          place: ReplicationPlace(replicationID: start.replicationID, offset: start.offset),
          snapshotClientID: clientID))
      let action = joining.begin()
      state = .joining(joining, start, handshake)
      join(action, start, handshake, now)
    }
  }

  /// The main connection is told to which snapshot its stream belongs.
  mutating func join(
    _ action: ReplicaHandshake.Action, _ start: SnapshotStart, _ handshake: ReplicaHandshake,
    _ now: Int64
  ) {
    switch action {
    case .send(let bytes): effects.append(.send(.main, bytes))
    case .wait: break
    case .continued: beginSnapshot(start, handshake, now, hasOwnChannel: true)
    case .fail(let error): lost(error, now: now)
    case .accepted, .snapshot, .second:
      lost(
        LinkError(
          .protocolViolation, "joining the two channels to \(status.address ?? "the source")",
          "the source does not go on where its snapshot was taken"), now: now)
    }
  }

  /// The source has closed a channel.
  mutating func closed(_ kind: Spool.Kind, _ error: LinkError, now: Int64) {
    // Valkey closes the snapshot's own channel behind the mark, Redis leaves that to us.
    if case .both = state, kind == .snapshot {
      paused()
      if case .following = state { return }
    }
    lost(error, now: now)
  }
}
