// Two-channel synchronisation: the snapshot comes over a connection of its own, the stream over the main
// one from the snapshot's first moment on, so that the source need not keep what is written meanwhile.
// This is the conversation on the second connection: a state machine without I/O.
//
//   Redis 8:   main PSYNC ─▶ +RDBCHANNELSYNC <client>
//              second REPLCONF … main-ch-client-id <client>, PSYNC ? -1 ─▶ +FULLRESYNC, $EOF:, snapshot
//              main: the stream
//   Valkey 8:  main PSYNC ─▶ +DUALCHANNELSYNC
//              second REPLCONF … rdb-only 1 rdb-channel 1, SYNC
//                     ─▶ $ENDOFF:<offset> <id> <db> <client>, $EOF:, snapshot
//              main REPLCONF set-rdb-client-id <client>, PSYNC <id> <offset+1> ─▶ +CONTINUE, the stream
//
// The stream begins with a SELECT in both, so the db in $ENDOFF is not needed.

/// Who offers two channels, and what for.
enum SecondChannelOffer: Sendable, Equatable {
  /// Redis: the main connection's client id.
  case redis(clientID: String)
  /// Valkey.
  case valkey
}

/// The handshake on the snapshot's own connection.
struct SecondHandshake: Sendable {
  /// What the caller has to do next.
  enum Action: Sendable, Equatable {
    /// Send these bytes and pass on the line that answers.
    case send([UInt8])
    /// Pass on the next line.
    case wait
    /// Done: the snapshot follows. The stream comes by itself, or where there is a client id, once the
    /// main connection has named it.
    case snapshot(SnapshotStart, clientID: String?)
    /// Give up.
    case fail(LinkError)
  }

  private enum State {
    case logIn
    case announce
    case requestSync
    case awaitSnapshot(replicationID: String, offset: UInt64, clientID: String?)
    case done
  }

  private var state = State.logIn
  private let offer: SecondChannelOffer
  private let credentials: Credentials?
  private let peer: String

  init(_ offer: SecondChannelOffer, credentials: Credentials?, peer: String) {
    self.offer = offer
    self.credentials = credentials
    self.peer = peer
  }

  /// The first action.
  mutating func begin() -> Action {
    guard let credentials else { return announce() }
    return .send(ReplicaHandshake.encoded(credentials.authCommand))
  }

  private mutating func announce() -> Action {
    state = .announce
    switch offer {
    case .redis(let clientID):
      return send("REPLCONF", "capa", "eof", "rdb-channel", "1", "main-ch-client-id", clientID)
    case .valkey: return send("REPLCONF", "capa", "eof", "rdb-only", "1", "rdb-channel", "1")
    }
  }

  /// Takes one line without its line end; an empty one is a keep-alive.
  mutating func receive(_ line: String) -> Action {
    if line.isEmpty { return .wait }
    if line.hasPrefix("-") {
      let error = String(line.dropFirst())
      if case .logIn = state, let credentials {
        return .fail(ServerRefusal.login(error, credentials, peer: peer))
      }
      return .fail(ServerRefusal.error(error, action: action))
    }
    switch state {
    case .logIn: return announce()
    case .announce:
      state = .requestSync
      return offer == .valkey ? send("SYNC") : send("PSYNC", "?", "-1")
    case .requestSync: return acceptSync(line)
    case .awaitSnapshot(let identity, let offset, let clientID):
      // It is written straight to the socket, so its length is never known.
      guard let framing = SnapshotStart.Framing(line), case .mark = framing else {
        return nonsense(line)
      }
      state = .done
      return .snapshot(
        SnapshotStart(replicationID: identity, offset: offset, framing: framing),
        clientID: clientID)
    case .done: preconditionFailure("a line was passed on after the handshake was done")
    }
  }

  private mutating func acceptSync(_ line: String) -> Action {
    let words = line.split(separator: " ")
    if offer == .valkey {
      guard words.count == 4, words[0].hasPrefix("$ENDOFF:"),
        let offset = SnapshotStart.number(words[0].dropFirst(8)),
        SnapshotStart.isReplicationID(words[1])
      else { return nonsense(line) }
      state = .awaitSnapshot(
        replicationID: String(words[1]), offset: offset, clientID: String(words[3]))
    } else {
      guard words.count == 3, words[0] == "+FULLRESYNC", SnapshotStart.isReplicationID(words[1]),
        let offset = SnapshotStart.number(words[2])
      else { return nonsense(line) }
      state = .awaitSnapshot(
        replicationID: String(words[1]), offset: offset, clientID: nil)
    }
    return .wait
  }

  private var action: String { "opening the snapshot's own channel to \(peer)" }

  private func nonsense(_ line: String) -> Action {
    .fail(
      LinkError(
        .protocolViolation, action,
        "the answer makes no sense: \(ServerRefusal.printable(String(line.prefix(80))))"))
  }

  private func send(_ words: String...) -> Action {
    .send(ReplicaHandshake.encoded(words.map { Array($0.utf8) }))
  }
}
