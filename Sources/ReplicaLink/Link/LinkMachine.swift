// All of the link's decisions, without I/O: what to do next, when to give up on a connection, what to
// ask for on the next one, what the bytes that come are. Time and the seed of chance are parameters;
// LinkDriver carries out what this wants.
//
//   connecting ─▶ talking ─▶ snapshot ─▶ following
//       ▲            │ └──────────────────▲  │          (CONTINUE)
//       └─ pausing ◀─┴──────────┴────────────┘          (lost, whyever)
//
// Where the source offers two channels (LinkMachine+Channels.swift):
//
//   talking ─▶ openingSecond ─▶ talkingSecond [─▶ joining] ─▶ both ─▶ following

/// The state machine of a link.
struct LinkMachine: Sendable {
  /// What the driver is to do now.
  enum Want: Sendable, Equatable {
    /// Connect, then call `connected` or `lost`.
    case connect(LinkChannel)
    /// Nothing before this time.
    case pause(untilMilliseconds: Int64)
    /// Receive one line, then call `line`.
    case line(LinkChannel)
    /// Receive no more than so many bytes for the snapshot, then call `received`.
    case snapshot(atMost: UInt64)
    /// Receive bytes for the stream, then call `received`.
    case stream
    /// Receive bytes of the snapshot from its own channel and of the stream from the main one.
    case both
    /// Nothing ever again.
    case nothing
  }

  /// What the driver is to do at once, in order.
  enum Effect: Sendable, Equatable {
    case disconnect
    case disconnectSnapshot
    case send(LinkChannel, [UInt8])
    case beginSnapshot(SnapshotStart, reason: String?)
    case finishSnapshot(markBytes: Int)
    /// The source says that it has `written` so far what follows there, and up to `shared` it is the
    /// history that was asked for.
    case beginStream(ReplicationPlace, written: UInt64, shared: UInt64)
    case continueStream(from: UInt64, replicationID: String, written: UInt64)
    /// These bytes of the stream were written before the source was asked for them.
    case late(Range<UInt64>)
    case end(LinkError)
  }

  enum State: Sendable {
    case pausing(until: Int64)
    case connecting
    case talking(ReplicaHandshake)
    case openingSecond(SecondChannelOffer, ReplicaHandshake)
    case talkingSecond(SecondHandshake, ReplicaHandshake)
    case joining(ReplicaHandshake, SnapshotStart, ReplicaHandshake)
    case snapshot(SnapshotStart, bytesLeft: UInt64)
    case both(SnapshotStart)
    case following
    case ended
  }

  private let options: LinkOptions
  var state = State.connecting
  var effects: [Effect] = []
  private var backoff: Backoff
  var schedule = AcknowledgeSchedule(framing: nil, now: 0)
  var withheld = WithheldByte(now: 0)
  var status = LinkStatus()
  /// The main connection's.
  private(set) var credentials: Credentials?

  /// Where the received stream ends; nil while there is none to go on with.
  var scanner: StreamBoundary?
  /// Why the next snapshot will be needed, where that is our own decision.
  var snapshotReason: String?
  /// The boundary behind which the stream made no sense the last time.
  var senselessBoundary: UInt64?
  /// The source talks PSYNC: it has places, and takes acknowledgements.
  var isResumable = true
  private var hasAttached = false
  private var hasBegun = false
  /// Failures of two channels in a row.
  private var channelFailures = 0
  var heardMilliseconds: Int64
  /// Of the snapshot's own channel.
  var snapshotHeardMilliseconds: Int64 = 0
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
    case .connecting: .connect(.main)
    case .openingSecond: .connect(.snapshot)
    case .pausing(let until): .pause(untilMilliseconds: until)
    case .talking, .joining: .line(.main)
    case .talkingSecond: .line(.snapshot)
    case .snapshot(_, let left): .snapshot(atMost: left)
    case .both: .both
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
    case .connecting, .openingSecond, .ended: heardMilliseconds
    case .talking, .talkingSecond, .joining: silenceDeadline
    case .snapshot(let start, _) where start.framing.isMarked: silenceDeadline
    case .snapshot, .both, .following:
      isResumable ? min(silenceDeadline, schedule.dueMilliseconds) : silenceDeadline
    }
  }

  private var silenceDeadline: Int64 {
    var heard = heardMilliseconds
    if case .both = state { heard = min(heard, snapshotHeardMilliseconds) }
    return heard + options.timeouts.ioMilliseconds
  }

  // MARK: - Connecting

  /// The connection stands.
  ///
  /// - Parameter earliestOffset: what was received up to here no destination can do without.
  mutating func connected(_ peer: LinkPeer, earliestOffset: UInt64, now: Int64) {
    if case .openingSecond(let offer, let handshake) = state {
      return beginSecond(offer, handshake, now)
    }
    guard case .connecting = state else { return }
    credentials = peer.credentials
    status.address = peer.name
    heardMilliseconds = now
    var handshake = ReplicaHandshake(
      ReplicaHandshake.Request(
        credentials: peer.credentials, peer: peer.name, psyncCommand: options.psyncCommand,
        place: place, earliestOffset: hasBegun ? earliestOffset : .max,
        takesTwoChannels: options.usesTwoChannels && channelFailures < options.channelFailuresMax))
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
    let isOfTwoChannels = dropChannels()
    if error.code == .stopped || (!hasAttached && !error.isTemporary && !isOfTwoChannels) {
      state = .ended
      status.phase = .ended(error)
      effects.append(.end(error))
      return
    }
    switch state {
    case .snapshot, .both:
      scanner = nil
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

  /// Whether it is the two channels' doing that the link is lost.
  private mutating func dropChannels() -> Bool {
    switch state {
    case .openingSecond, .talkingSecond, .joining, .both:
      channelFailures += 1
      return true
    default: return false
    }
  }

  /// What is held does not serve a destination.
  mutating func begin(_ request: LinkRequest, now: Int64) {
    let reason: String
    switch request {
    case .snapshot(let wanted):
      reason = wanted
      snapshotReason = wanted
      scanner = nil
    case .stream(let place):
      reason = "a destination has gone back to offset \(place.offset)"
      snapshotReason = nil
      scanner = StreamBoundary(offset: place.offset)
      status.replicationID = place.replicationID
      hasBegun = false
    }
    switch state {
    case .pausing, .connecting, .ended: break
    default:
      lost(LinkError(.closed, "following \(status.address ?? "the source")", reason), now: now)
    }
  }

  /// Time has passed.
  ///
  /// - Parameter full: what the source could not have been heard saying, for want of room.
  mutating func tick(now: Int64, full: [Spool.Kind]) {
    switch state {
    case .pausing(let until):
      guard now >= until else { return }
      heardMilliseconds = now
      state = .connecting
      status.phase = .connecting
    case .talking, .openingSecond, .talkingSecond, .joining, .snapshot, .both, .following:
      if full.contains(.snapshot) { snapshotHeardMilliseconds = now }
      if full.contains(.stream) { heardMilliseconds = now }
      if case .snapshot = state, !full.isEmpty { heardMilliseconds = now }
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
    heardMilliseconds = now
    switch state {
    case .talking(var handshake):
      let action = handshake.receive(text)
      state = .talking(handshake)
      follow(action, handshake, now)
    case .talkingSecond(var second, let handshake):
      let action = second.receive(text)
      state = .talkingSecond(second, handshake)
      follow(action, handshake, now)
    case .joining(var joining, let start, let handshake):
      let action = joining.receive(text)
      state = .joining(joining, start, handshake)
      join(action, start, handshake, now)
    default: break
    }
  }

  private mutating func follow(
    _ action: ReplicaHandshake.Action, _ handshake: ReplicaHandshake, _ now: Int64
  ) {
    switch action {
    case .send(let bytes): effects.append(.send(.main, bytes))
    case .wait: break
    case .second(let offer):
      status.phase = .waitingForSnapshot
      state = .openingSecond(offer, handshake)
    case .accepted:
      status.phase = .waitingForSnapshot
      hasAttached = true
    case .snapshot(let start): beginSnapshot(start, handshake, now)
    case .continued(let identity): goOn(identity, handshake, now)
    case .fail(let error): lost(error, now: now)
    }
  }

  mutating func beginSnapshot(
    _ start: SnapshotStart, _ handshake: ReplicaHandshake, _ now: Int64,
    hasOwnChannel: Bool = false
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
    status.hasSnapshotChannel = hasOwnChannel
    status.replicationID = start.replicationID
    status.receivedOffset = start.offset
    status.boundaryOffset = start.offset
    status.fullResyncCount += 1
    status.fullResyncs.append(LinkStatus.FullResync(start: start, reason: reason))
    if status.fullResyncs.count > LinkStatus.fullResyncsMax { status.fullResyncs.removeFirst() }
    status.phase = .receivingSnapshot(start)
    effects.append(.beginSnapshot(start, reason: reason))
    if hasOwnChannel {
      scanner = StreamBoundary(offset: start.offset)
      snapshotHeardMilliseconds = now
      state = .both(start)
      return
    }
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

  mutating func finishSnapshot(_ start: SnapshotStart, markBytes: Int) {
    effects.append(.finishSnapshot(markBytes: markBytes))
    if case .both = state {
      effects.append(.disconnectSnapshot)
      channelFailures = 0
      heardMilliseconds = max(heardMilliseconds, snapshotHeardMilliseconds)
    } else {
      scanner = StreamBoundary(offset: start.offset)
    }
    state = .following
    status.phase = .following
  }

  private mutating func goOn(
    _ identity: String?, _ handshake: ReplicaHandshake, _ now: Int64
  ) {
    guard let boundary = handshake.place?.offset, let known = status.replicationID else { return }
    let place = ReplicationPlace(replicationID: identity ?? known, offset: boundary)
    status.replicationID = place.replicationID
    status.continuations += 1
    let written = handshake.history?.fields.historyEnd(of: known) ?? boundary
    effects.append(
      hasBegun
        ? .continueStream(
          from: boundary, replicationID: place.replicationID, written: written)
        : .beginStream(
          place, written: written, shared: place.replicationID == known ? .max : written))
    if let written = handshake.history?.offset, written > boundary {
      effects.append(.late(boundary..<written))
    }
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
}
