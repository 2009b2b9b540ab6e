// What a replica says before the data flows: a state machine without I/O. Lines in, bytes out.
//
//   logIn ─▶ announce ─▶ requestSync ─▶ awaitSnapshot ─▶ done
//
// Facts: AUTH, REPLCONF and PSYNC each answer with one line; bare newlines are keep-alives and may
// stand before any answer; an unknown REPLCONF option is answered with an error and is harmless.

/// The identity and place of a full resynchronisation, and how its snapshot is framed.
public struct SnapshotStart: Sendable, Equatable {
  /// How the end of the snapshot is known.
  public enum Framing: Sendable, Equatable {
    /// So many bytes, then the stream.
    case length(UInt64)
    /// The snapshot, then these 40 bytes; nothing more until the first acknowledgement. The mark may
    /// also occur inside the data: only parsing finds the true end.
    case mark([UInt8])
  }

  /// The source's replication id.
  public var replicationID: String
  /// The offset of the last byte before the first of the stream.
  public var offset: UInt64
  /// How the snapshot is framed.
  public var framing: Framing
}

/// The handshake of a replica that wants everything.
public struct ReplicaHandshake: Sendable {
  /// What the caller has to do next.
  public enum Action: Sendable, Equatable {
    /// Send these bytes and pass on the line that answers.
    case send([UInt8])
    /// Pass on the next line.
    case wait
    /// The source has accepted; it prepares the snapshot. Pass on the next line.
    case accepted
    /// Done: the bytes behind this line are the snapshot.
    case snapshot(SnapshotStart)
    /// Give up.
    case fail(LinkError)
  }

  private enum State {
    case logIn
    case announce
    case requestSync
    case awaitSnapshot(replicationID: String, offset: UInt64)
    case done
  }

  /// A line longer than this is no answer to a handshake.
  public static let lineBytesMax = 1024

  private var state = State.logIn
  private let credentials: Credentials?
  private let peer: String

  /// Makes a handshake with the server called `peer` in messages.
  public init(credentials: Credentials?, peer: String) {
    self.credentials = credentials
    self.peer = peer
  }

  /// The first action.
  public mutating func begin() -> Action {
    guard let credentials else { return announce() }
    state = .logIn
    return .send(encoded(credentials.authCommand))
  }

  /// Takes one line without its line end; an empty one is a keep-alive.
  public mutating func receive(_ line: String) -> Action {
    if line.isEmpty { return .wait }
    guard let first = line.first, "+-$".contains(first) else {
      return fail(
        .notRedis, "the answer is not Redis's protocol", advice: "check the host and the port")
    }
    let isError = first == "-"
    let text = String(line.dropFirst())
    switch state {
    case .logIn:
      return isError ? refuse(text, "logging in to \(peer)") : announce()
    case .announce:
      // Only what would stop PSYNC too is fatal here; an unknown option is not.
      let word = text.prefix { $0 != " " }
      if isError && ["NOAUTH", "NOPERM", "LOADING", "DENIED"].contains(word) {
        return refuse(text, "announcing a replica to \(peer)")
      }
      state = .requestSync
      return .send(encoded(["PSYNC", "?", "-1"].map { Array($0.utf8) }))
    case .requestSync:
      return isError ? refuse(text, "asking \(peer) for PSYNC") : acceptSync(text)
    case .awaitSnapshot(let replicationID, let offset):
      return isError
        ? refuse(text, "waiting for the snapshot of \(peer)")
        : beginSnapshot(line, replicationID, offset)
    case .done:
      preconditionFailure("a line was passed on after the handshake was done")
    }
  }

  private mutating func announce() -> Action {
    state = .announce
    return .send(encoded(["REPLCONF", "capa", "eof", "capa", "psync2"].map { Array($0.utf8) }))
  }

  private mutating func acceptSync(_ text: String) -> Action {
    let words = text.split(separator: " ")
    guard words.count == 3, words[0] == "FULLRESYNC", words[1].utf8.count == 40,
      let offset = UInt64(words[2])
    else {
      return fail(.protocolViolation, "the answer to PSYNC makes no sense: \(text.prefix(80))")
    }
    state = .awaitSnapshot(replicationID: String(words[1]), offset: offset)
    return .accepted
  }

  private mutating func beginSnapshot(
    _ line: String, _ replicationID: String, _ offset: UInt64
  ) -> Action {
    let framing: SnapshotStart.Framing
    if line.hasPrefix("$EOF:") && line.utf8.count == 45 {
      framing = .mark(Array(line.utf8.dropFirst(5)))
    } else if line.hasPrefix("$"), let length = UInt64(line.dropFirst()) {
      framing = .length(length)
    } else {
      return fail(.protocolViolation, "no snapshot begins with: \(line.prefix(80))")
    }
    state = .done
    return .snapshot(
      SnapshotStart(replicationID: replicationID, offset: offset, framing: framing))
  }

  private func refuse(_ text: String, _ action: String) -> Action {
    let error = ServerRefusal.error(text, action: action)
    if error.code == .permission {
      return .fail(
        LinkError(
          .permission, action, error.reason,
          advice: "allow it on the source: ACL SETUSER <user> +psync +replconf"))
    }
    if error.code == .rejected && text.lowercased().contains("unknown command") {
      return .fail(
        LinkError(
          .rejected, action, "the server does not know the command",
          advice: "it must be Redis 2.8 or newer and must not have renamed PSYNC or REPLCONF"))
    }
    return .fail(error)
  }

  private func fail(_ code: LinkError.Code, _ reason: String, advice: String? = nil) -> Action {
    .fail(LinkError(code, "attaching to \(peer) as a replica", reason, advice: advice))
  }

  private func encoded(_ arguments: [[UInt8]]) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.appendCommand(arguments)
    return buffer.withBytes { Array($0) }
  }
}
