// What a replica says before the data flows: a state machine without I/O. Lines in, bytes out.
//
//   logIn ─▶ announce ─▶ [askHistory ─▶ readHistory] ─▶ requestSync ─▶ awaitSnapshot ─▶ done
//                                                            └─▶ (SYNC) awaitSnapshot
//
// Facts: AUTH, REPLCONF and PSYNC each answer with one line; bare newlines are keep-alives and may
// stand before any answer; an unknown REPLCONF option is answered with an error and is harmless. A
// server before 2.8 knows neither REPLCONF nor PSYNC; SYNC it answers with the snapshot itself.

/// The handshake of a replica.
struct ReplicaHandshake: Sendable {
  /// What the caller has to do next.
  enum Action: Sendable, Equatable {
    /// Send these bytes and pass on the line that answers.
    case send([UInt8])
    /// Pass on the next line.
    case wait
    /// The source has accepted; it prepares the snapshot. Pass on the next line.
    case accepted
    /// Done: the bytes behind this line are the snapshot.
    case snapshot(SnapshotStart)
    /// Done: the bytes behind this line are the stream, from where it was asked for; under this
    /// replication id, if it is a new one.
    case continued(replicationID: String?)
    /// The source offers to send the snapshot over a connection of its own, which is to be opened.
    case second(SecondChannelOffer)
    /// Give up.
    case fail(LinkError)
  }

  /// What the handshake is for.
  struct Request: Sendable {
    /// How to log in.
    var credentials: Credentials?
    /// The server's name in messages.
    var peer: String
    /// What `PSYNC` is called.
    var psyncCommand = "PSYNC"
    /// Where to go on; nil asks for everything.
    var place: ReplicationPlace?
    /// How far back from there it may be, when the source has lost the rest: everything up to here is
    /// needed no more.
    var earliestOffset: UInt64 = .max
    /// Whether the snapshot may come over a connection of its own.
    var takesTwoChannels = false
    /// The client id of that connection, which this one is to be joined with: no more than that, and
    /// PSYNC, is said then.
    var snapshotClientID: String?
  }

  private enum State {
    case logIn
    case announce
    case askHistory
    case readHistory(bytesLeft: Int, text: String)
    case requestSync
    case awaitSnapshot(replicationID: String, offset: UInt64)
    case done
  }

  /// A line longer than this is no answer to a handshake.
  static let lineBytesMax = 1024
  /// An answer to INFO longer than this, in bytes, is none. Each replica has a line in it.
  private static let historyBytesMax = 1 << 20

  private var state = State.logIn
  private var request: Request
  private var knowsReplconf = true
  /// The source has no PSYNC: no place, no acknowledgements.
  private(set) var isBeforePsync = false
  /// What the source said of its history; nil when it was not asked, or refused.
  private(set) var history: SourceHistory?

  /// Where to go on: what the source is asked for in the end.
  var place: ReplicationPlace? { request.place }

  /// What `PSYNC` is called.
  var psyncCommand: String { request.psyncCommand }

  /// Makes a handshake.
  init(_ request: Request) {
    self.request = request
  }

  /// The first action.
  mutating func begin() -> Action {
    guard request.snapshotClientID == nil, let credentials = request.credentials else {
      return announce()
    }
    state = .logIn
    return .send(Self.encoded(credentials.authCommand))
  }

  /// Takes one line without its line end; an empty one is a keep-alive.
  mutating func receive(_ line: String) -> Action {
    if case .readHistory(let left, let text) = state { return readHistory(line, left, text) }
    if line.isEmpty { return .wait }
    guard let first = line.first, "+-$".contains(first) else {
      return fail(
        .notRedis, "the answer is not Redis's protocol", advice: "check the host and the port")
    }
    let error = first == "-" ? String(line.dropFirst()) : nil
    switch state {
    case .logIn:
      guard let error, let credentials = request.credentials else { return announce() }
      return .fail(ServerRefusal.login(error, credentials, peer: request.peer))
    case .announce:
      // Only what would stop PSYNC too is fatal here; an unknown option is not.
      if let error, Self.isFatal(error) {
        return refuse(error, "announcing a replica to \(request.peer)")
      }
      knowsReplconf = error.map { !Self.isUnknownCommand($0) } ?? true
      return request.place == nil || request.snapshotClientID != nil
        ? requestSync() : askHistory()
    case .askHistory:
      guard error == nil, let length = SnapshotStart.number(line.dropFirst()) else {
        return requestSync()
      }
      guard length <= UInt64(Self.historyBytesMax) else {
        return fail(.protocolViolation, "the answer to INFO is \(length) bytes long")
      }
      state = .readHistory(bytesLeft: Int(length) + 2, text: "")
      return .wait
    case .requestSync:
      return error.map { refuseSync($0) } ?? acceptSync(String(line.dropFirst()))
    case .awaitSnapshot(let replicationID, let offset):
      return error.map { refuse($0, "waiting for the snapshot of \(request.peer)") }
        ?? beginSnapshot(line, replicationID, offset)
    case .readHistory, .done:
      preconditionFailure("a line was passed on after the handshake was done")
    }
  }

  // MARK: - Before PSYNC

  private mutating func announce() -> Action {
    state = .announce
    if let client = request.snapshotClientID {
      return send("REPLCONF", "set-rdb-client-id", client)
    }
    let words = ["REPLCONF", "capa", "eof", "capa", "psync2"]
    // Each family has its own name for it, and neither knows the other's.
    let offers = ["capa", "rdb-channel-repl", "capa", "dual-channel"]
    let command = request.takesTwoChannels ? words + offers : words
    return .send(Self.encoded(command.map { Array($0.utf8) }))
  }

  private static func isFatal(_ text: String) -> Bool {
    let word = text.prefix { $0 != " " }
    return ["NOAUTH", "NOPERM", "LOADING", "DENIED"].contains(word)
      || text.contains("max number of clients")
  }

  private static func isUnknownCommand(_ text: String) -> Bool {
    text.lowercased().contains("unknown command")
  }

  private mutating func askHistory() -> Action {
    state = .askHistory
    return send("INFO", "replication")
  }

  /// Collects the answer's lines, each with the line end that was taken off.
  private mutating func readHistory(_ line: String, _ left: Int, _ text: String) -> Action {
    let left = left - line.utf8.count - 2
    guard left > 0 else {
      let history = SourceHistory(text)
      self.history = history
      stepBack(history)
      return requestSync()
    }
    state = .readHistory(bytesLeft: left, text: text + line + "\n")
    return .wait
  }

  /// A replica that was promoted may have received less than we have. Where what it has not is needed
  /// by nobody yet, its history is gone on with from where it ends.
  private mutating func stepBack(_ history: SourceHistory) {
    guard let place = request.place, let end = history.end(of: place.replicationID),
      end < place.offset, end >= request.earliestOffset
    else { return }
    request.place?.offset = end
  }

  // MARK: - PSYNC

  private mutating func requestSync() -> Action {
    state = .requestSync
    guard let place = request.place else { return send(request.psyncCommand, "?", "-1") }
    return send(request.psyncCommand, place.replicationID, "\(place.offset + 1)")
  }

  private mutating func refuseSync(_ text: String) -> Action {
    let action = "asking \(request.peer) for \(request.psyncCommand)"
    guard Self.isUnknownCommand(text) else { return refuse(text, action) }
    guard knowsReplconf || request.psyncCommand != "PSYNC" else {
      isBeforePsync = true
      state = .awaitSnapshot(replicationID: "", offset: 0)
      return send("SYNC")
    }
    return .fail(
      LinkError(
        .rejected, action, "the server does not know the command",
        advice: "where it was renamed, give its name with --psync-command; where it is not offered,"
          + " --via scan copies once without it"))
  }

  private mutating func acceptSync(_ text: String) -> Action {
    let words = text.split(separator: " ")
    if words.first == "CONTINUE", words.count <= 2, request.place != nil,
      words.count == 1 || SnapshotStart.isReplicationID(words[1])
    {
      state = .done
      return .continued(replicationID: words.count == 2 ? String(words[1]) : nil)
    }
    if request.takesTwoChannels, words.count == 2, words[0] == "RDBCHANNELSYNC" {
      state = .done
      return .second(.redis(clientID: String(words[1])))
    }
    if request.takesTwoChannels, words == ["DUALCHANNELSYNC"] {
      state = .done
      return .second(.valkey)
    }
    guard words.count == 3, words[0] == "FULLRESYNC", SnapshotStart.isReplicationID(words[1]),
      let offset = SnapshotStart.number(words[2])
    else {
      return fail(
        .protocolViolation, "the answer to PSYNC makes no sense: \(Self.excerpt(text))")
    }
    state = .awaitSnapshot(replicationID: String(words[1]), offset: offset)
    return .accepted
  }

  private mutating func beginSnapshot(
    _ line: String, _ replicationID: String, _ offset: UInt64
  ) -> Action {
    guard let framing = SnapshotStart.Framing(line) else {
      return fail(.protocolViolation, "no snapshot begins with: \(Self.excerpt(line))")
    }
    state = .done
    return .snapshot(
      SnapshotStart(replicationID: replicationID, offset: offset, framing: framing))
  }

  private static func excerpt(_ text: String) -> String {
    ServerRefusal.printable(String(text.prefix(80)))
  }

  // MARK: - Words

  private func refuse(_ text: String, _ action: String) -> Action {
    let error = ServerRefusal.error(text, action: action)
    if error.code == .permission {
      return .fail(
        LinkError(
          .permission, action, error.reason,
          advice: "allow it on the source: ACL SETUSER <user> +psync +replconf; where nobody may,"
            + " --via scan copies once without it"))
    }
    return .fail(error)
  }

  private func fail(_ code: LinkError.Code, _ reason: String, advice: String? = nil) -> Action {
    .fail(LinkError(code, "attaching to \(request.peer) as a replica", reason, advice: advice))
  }

  private func send(_ words: String...) -> Action {
    .send(Self.encoded(words.map { Array($0.utf8) }))
  }

  static func encoded(_ arguments: [[UInt8]]) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.appendCommand(arguments)
    return buffer.withBytes { Array($0) }
  }
}
