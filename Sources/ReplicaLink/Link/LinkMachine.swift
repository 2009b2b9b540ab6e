// All of the link's decisions, without I/O: what to do next, when to give up on a connection, what to
// ask for on the next one, what the bytes that come are. Time and the seed of chance are parameters;
// LinkDriver carries out what this wants.
//
//   connecting ─▶ talking ─▶ snapshot ─▶ following
//       ▲            │ └──────────────────▲  │          (CONTINUE)
//       └─ pausing ◀─┴──────────┴────────────┘          (lost, whyever)

/// The state machine of a link.
struct LinkMachine: Sendable {
  /// What the driver is to do now.
  enum Want: Sendable, Equatable {
    /// Connect, then call `connected` or `lost`.
    case connect
    /// Nothing before this time.
    case pause(untilMilliseconds: Int64)
    /// Receive one line, then call `line`.
    case line
    /// Receive no more than so many bytes for the snapshot, then call `received`.
    case snapshot(atMost: UInt64)
    /// Receive bytes for the stream, then call `received`.
    case stream
    /// Nothing ever again.
    case nothing
  }

  /// What the driver is to do at once, in order.
  enum Effect: Sendable, Equatable {
    case disconnect
    case send([UInt8])
    case beginSnapshot(SnapshotStart, reason: String?)
    case finishSnapshot(markBytes: Int)
    case beginStream(ReplicationPlace)
    case continueStream(from: UInt64, replicationID: String)
    case end(LinkError)
  }

  private enum State: Sendable {
    case pausing(until: Int64)
    case connecting
    case talking(ReplicaHandshake)
    case snapshot(SnapshotStart, bytesLeft: UInt64)
    case following
    case ended
  }

  private let options: LinkOptions
  private var state = State.connecting
  private var effects: [Effect] = []
  private var backoff: Backoff
  private var schedule = AcknowledgeSchedule(framing: nil, now: 0)
  private var withheld = WithheldByte(now: 0)
  private(set) var status = LinkStatus()

  /// Where the received stream ends; nil while there is none to go on with.
  private var scanner: StreamBoundary?
  /// Why the next snapshot will be needed, where that is our own decision.
  private var snapshotReason: String?
  /// The boundary behind which the stream made no sense the last time.
  private var senselessBoundary: UInt64?
  /// The source talks PSYNC: it has places, and takes acknowledgements.
  private var isResumable = true
  private var hasAttached = false
  private var hasBegun = false
  private var heardMilliseconds: Int64
  private var attachedMilliseconds: Int64 = 0

  /// A link that is to connect now.
  ///
  /// - Parameter place: where to go on, from an earlier run.
  init(_ options: LinkOptions, resumingFrom place: ReplicationPlace?, seed: UInt64, now: Int64) {
    self.options = options
    backoff = Backoff(options.pauses, seed: seed)
    heardMilliseconds = now
    // Servers count to Int64's end; a place beyond is none.
    if let place, place.offset < UInt64(Int64.max), !place.replicationID.isEmpty {
      scanner = StreamBoundary(offset: place.offset)
      status.replicationID = place.replicationID
    }
    noteOffsets()
  }

  // MARK: - What is wanted

  var want: Want {
    switch state {
    case .connecting: .connect
    case .pausing(let until): .pause(untilMilliseconds: until)
    case .talking: .line
    case .snapshot(_, let left): .snapshot(atMost: left)
    case .following: .stream
    case .ended: .nothing
    }
  }

  /// What is to be done at once; empty the next time.
  mutating func takeEffects() -> [Effect] {
    defer { effects.removeAll(keepingCapacity: true) }
    return effects
  }

  /// Until when nothing happens unless something comes in.
  var deadlineMilliseconds: Int64 {
    switch state {
    case .pausing(let until): until
    case .connecting, .ended: heardMilliseconds
    case .talking: silenceDeadline
    case .snapshot where schedule.isAtMark: silenceDeadline
    case .snapshot, .following:
      isResumable ? min(silenceDeadline, schedule.dueMilliseconds) : silenceDeadline
    }
  }

  private var silenceDeadline: Int64 {
    heardMilliseconds + options.timeouts.ioMilliseconds
  }

  // MARK: - Connecting

  /// The connection stands.
  mutating func connected(_ peer: LinkPeer, now: Int64) {
    guard case .connecting = state else { return }
    status.address = peer.name
    heardMilliseconds = now
    var handshake = ReplicaHandshake(
      ReplicaHandshake.Request(
        credentials: peer.credentials, peer: peer.name, psyncCommand: options.psyncCommand,
        place: place))
    let action = handshake.begin()
    state = .talking(handshake)
    follow(action, handshake, now)
  }

  private var place: ReplicationPlace? {
    guard isResumable, let scanner, let identity = status.replicationID else { return nil }
    return ReplicationPlace(replicationID: identity, offset: scanner.boundary)
  }

  /// The connection is lost, or could not be made.
  mutating func lost(_ error: LinkError, now: Int64) {
    if case .ended = state { return }
    effects.append(.disconnect)
    status.lastError = error
    if error.code == .stopped || (!hasAttached && !error.isTemporary) {
      state = .ended
      status.phase = .ended(error)
      effects.append(.end(error))
      return
    }
    switch state {
    case .snapshot:
      snapshotReason = snapshotReason ?? "the snapshot before it was cut off: \(error.reason)"
    case .following:
      backoff.note(linkHeldFor: now - attachedMilliseconds)
      if !isResumable { scanner = nil }
    default: break
    }
    if hasAttached { status.reconnects += 1 }
    let until = now + backoff.next()
    state = .pausing(until: until)
    status.phase = .pausing(untilMilliseconds: until)
  }

  /// What is held does not serve a destination: everything is to come anew.
  mutating func requestSnapshot(_ reason: String, now: Int64) {
    snapshotReason = reason
    scanner = nil
    switch state {
    case .pausing, .connecting, .ended: break
    case .talking, .snapshot, .following:
      lost(LinkError(.closed, "following \(status.address ?? "the source")", reason), now: now)
    }
  }

  /// Time has passed.
  ///
  /// - Parameter isListening: whether the source could have been heard since.
  mutating func tick(now: Int64, isListening: Bool) {
    switch state {
    case .pausing(let until):
      guard now >= until else { return }
      heardMilliseconds = now
      state = .connecting
      status.phase = .connecting
    case .talking, .snapshot, .following:
      if !isListening { heardMilliseconds = now }
      if now >= silenceDeadline { lost(silence, now: now) }
    case .connecting, .ended: break
    }
  }

  private var silence: LinkError {
    LinkError(
      .timedOut, "following \(status.address ?? "the source")",
      "the source has said nothing for \(options.timeouts.ioMilliseconds) ms",
      advice: "is it alive? raise --io-timeout when its repl-ping-replica-period is longer")
  }

  // MARK: - Talking

  /// A line has come, without its end.
  mutating func line(_ text: String, now: Int64) {
    guard case .talking(var handshake) = state else { return }
    heardMilliseconds = now
    let action = handshake.receive(text)
    state = .talking(handshake)
    follow(action, handshake, now)
  }

  private mutating func follow(
    _ action: ReplicaHandshake.Action, _ handshake: ReplicaHandshake, _ now: Int64
  ) {
    switch action {
    case .send(let bytes): effects.append(.send(bytes))
    case .wait: break
    case .accepted:
      status.phase = .waitingForSnapshot
      hasAttached = true
    case .snapshot(let start): beginSnapshot(start, handshake, now)
    case .continued(let identity): goOn(identity, now)
    case .fail(let error): lost(error, now: now)
    }
  }

  private mutating func beginSnapshot(
    _ start: SnapshotStart, _ handshake: ReplicaHandshake, _ now: Int64
  ) {
    let reason = reason(handshake)
    snapshotReason = nil
    senselessBoundary = nil
    scanner = nil
    hasBegun = true
    hasAttached = true
    isResumable = !handshake.isBeforePsync
    attachedMilliseconds = now
    schedule = AcknowledgeSchedule(framing: start.framing, now: now)
    withheld = WithheldByte(now: now)
    status.replicationID = start.replicationID
    status.receivedOffset = start.offset
    status.boundaryOffset = start.offset
    status.fullResyncCount += 1
    status.fullResyncs.append(LinkStatus.FullResync(start: start, reason: reason))
    if status.fullResyncs.count > LinkStatus.fullResyncsMax { status.fullResyncs.removeFirst() }
    status.phase = .receivingSnapshot(start)
    effects.append(.beginSnapshot(start, reason: reason))
    switch start.framing {
    case .length(0): finishSnapshot(start, markBytes: 0)
    case .length(let length): state = .snapshot(start, bytesLeft: length)
    case .mark: state = .snapshot(start, bytesLeft: .max)
    }
  }

  private func reason(_ handshake: ReplicaHandshake) -> String? {
    if let snapshotReason { return snapshotReason }
    if let place {
      return handshake.history?.obstacle(to: place) ?? "the source gave no reason"
    }
    guard hasBegun else { return nil }
    return "the source is older than 2.8 and cannot go on where it was left"
  }

  private mutating func finishSnapshot(_ start: SnapshotStart, markBytes: Int) {
    effects.append(.finishSnapshot(markBytes: markBytes))
    scanner = StreamBoundary(offset: start.offset)
    state = .following
    status.phase = .following
  }

  private mutating func goOn(_ identity: String?, _ now: Int64) {
    guard let boundary = scanner?.boundary, let known = status.replicationID else { return }
    let place = ReplicationPlace(replicationID: identity ?? known, offset: boundary)
    status.replicationID = place.replicationID
    status.continuations += 1
    effects.append(
      hasBegun
        ? .continueStream(from: boundary, replicationID: place.replicationID) : .beginStream(place))
    hasBegun = true
    hasAttached = true
    snapshotReason = nil
    attachedMilliseconds = now
    schedule = AcknowledgeSchedule(framing: nil, now: now)
    withheld = WithheldByte(now: now)
    scanner = StreamBoundary(offset: boundary)
    noteOffsets()
    state = .following
    status.phase = .following
  }

  // MARK: - Receiving

  /// Bytes have come: of what `want` asked for.
  ///
  /// - Returns: false when they must not be kept; the connection is lost then.
  mutating func received(_ bytes: UnsafeRawBufferPointer, now: Int64) -> Bool {
    heardMilliseconds = now
    schedule.received(bytes, now: now)
    switch state {
    case .snapshot(let start, let left):
      if case .length = start.framing {
        let rest = left - min(left, UInt64(bytes.count))
        if rest == 0 {
          finishSnapshot(start, markBytes: 0)
        } else {
          state = .snapshot(start, bytesLeft: rest)
        }
      }
      return true
    case .following: return scan(bytes, now)
    default: return false
    }
  }

  /// The source has nothing more to say now. Behind a mark it waits for our acknowledgement, so that
  /// a mark followed by nothing is the snapshot's end.
  mutating func paused() {
    guard case .snapshot(let start, _) = state, case .mark(let mark) = start.framing,
      schedule.isAtMark
    else { return }
    finishSnapshot(start, markBytes: mark.count)
  }

  private mutating func scan(_ bytes: UnsafeRawBufferPointer, _ now: Int64) -> Bool {
    guard var next = scanner else { return false }
    do {
      try next.push(bytes)
      scanner = next
      withheld.received(bytes, now: now)
      noteOffsets()
      return true
    } catch {
      // What came is not kept. Should it make no sense again, only a snapshot helps.
      let boundary = scanner?.boundary
      lost(error, now: now)
      if senselessBoundary == boundary {
        snapshotReason = "the stream makes no sense: \(error.reason)"
        scanner = nil
      }
      senselessBoundary = boundary
      return false
    }
  }

  private mutating func noteOffsets() {
    guard let scanner else { return }
    status.receivedOffset = scanner.received
    status.boundaryOffset = scanner.boundary
  }

  // MARK: - Acknowledging

  /// The acknowledgement to send now, if one is due.
  ///
  /// - Parameter applied: what is applied at every destination. No more is acknowledged than was
  ///   received: it may be of a history that is over.
  mutating func acknowledgement(of applied: UInt64, isAsked: Bool, now: Int64) -> UInt64? {
    switch state {
    // At the mark, the acknowledgement would let the stream come: first it has to be seen that nothing
    // follows the mark.
    case .snapshot where schedule.isAtMark: return nil
    case .snapshot, .following:
      guard isResumable, schedule.take(isAsked: isAsked, now: now) else { return nil }
      guard let scanner else { return 0 }
      return withheld.acknowledged(applied: applied, received: scanner.received, now: now)
    default: return nil
    }
  }
}
