// The link: one thread that attaches to the source as a replica and drains its socket into the
// spool, whatever the destination does. It parses nothing of what it drains.

import Glibc
import Synchronization

/// A replica's connection to its source, on a thread of its own.
///
/// After `PSYNC` it sends nothing but `REPLCONF ACK`: once a second, when asked to, and when a marked
/// snapshot seems to have ended, since a source then waits for the first one.
///
/// `@unchecked Sendable`: mutable state is either atomic, or guarded by `monitor`, or touched by the
/// link thread alone (all of `drain` and below).
public final class ReplicaLink: @unchecked Sendable {
  /// How far the attachment has come.
  public enum Phase: Sendable, Equatable {
    /// Connecting or shaking hands.
    case connecting
    /// Accepted; the source prepares its snapshot.
    case waitingForSnapshot
    /// Snapshot and stream flow into the spool.
    case receiving(SnapshotStart)
    /// Over, with the reason.
    case ended(LinkError)
  }

  static let acknowledgeIntervalMilliseconds: Int64 = 1_000

  /// Where the received bytes are: first the snapshot's, then the stream's.
  public let spool: Spool

  private let source: RedisURL
  private let timeouts: Timeouts
  private let monitor = Monitor()
  private var phase = Phase.connecting
  private let bell: WakePipe
  private let isStopping = Atomic<Bool>(false)
  private let wantsAcknowledge = Atomic<Bool>(false)
  private let appliedOffset = Atomic<UInt64>(0)

  /// Makes a link; `start()` connects it.
  public init(source: RedisURL, timeouts: Timeouts, spoolLimits: SpoolLimits) {
    self.source = source
    self.timeouts = timeouts
    bell = WakePipe()
    spool = Spool(limits: spoolLimits, roomBell: bell)
  }

  /// Starts the thread. Once.
  public func start() -> NamedThread {
    NamedThread("link") { [self] in run() }
  }

  /// Ends the link soon: the spool is closed with `.stopped`.
  public func stop() {
    isStopping.store(true, ordering: .releasing)
    bell.ring()
  }

  /// How far the attachment has come.
  public var currentPhase: Phase {
    monitor.withLock { phase }
  }

  /// Waits until the snapshot begins.
  ///
  /// - Throws: why it will not.
  public func waitForSnapshot() throws(LinkError) -> SnapshotStart {
    try monitor.withLock { () throws(LinkError) -> SnapshotStart in
      while true {
        switch phase {
        case .receiving(let start): return start
        case .ended(let error): throw error
        case .connecting, .waitingForSnapshot: monitor.wait()
        }
      }
    }
  }

  /// Everything up to `offset` is applied at every destination: what the next ACK will say. Never
  /// goes down.
  public func acknowledge(_ offset: UInt64) {
    _ = appliedOffset.max(offset, ordering: .acquiringAndReleasing)
  }

  /// Sends an ACK now, as `REPLCONF GETACK` asks for.
  public func acknowledgeNow() {
    wantsAcknowledge.store(true, ordering: .releasing)
    bell.ring()
  }

  // MARK: - The link thread

  private func run() {
    do {
      let socket = try Socket.connect(
        to: source.endpoint, timeoutMilliseconds: timeouts.connectMilliseconds)
      let start = try shakeHands(socket)
      enter(.receiving(start))
      try drain(socket, start)
    } catch {
      enter(.ended(error))
      spool.close(error)
    }
  }

  private func enter(_ next: Phase) {
    monitor.withLock {
      phase = next
      monitor.broadcast()
    }
  }

  private func shakeHands(_ socket: borrowing Socket) throws(LinkError) -> SnapshotStart {
    var handshake = ReplicaHandshake(credentials: source.credentials, peer: socket.peer)
    var action = handshake.begin()
    while true {
      switch action {
      case .send(let bytes):
        try sendAll(bytes, socket)
      case .wait: break
      case .accepted: enter(.waitingForSnapshot)
      case .snapshot(let start): return start
      case .fail(let error): throw error
      }
      action = handshake.receive(try readLine(socket))
    }
  }

  /// Reads byte by byte, so that nothing behind the last line is taken from the snapshot.
  private func readLine(_ socket: borrowing Socket) throws(LinkError) -> String {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    var deadline = Clock.monotonicMilliseconds() + timeouts.ioMilliseconds
    while true {
      let transfer = try withUnsafeMutableBytes(of: &byte) { room throws(LinkError) in
        try socket.receive(into: room)
      }
      switch transfer {
      case .bytes:
        if byte == 10 { break }
        line.append(byte)
        guard line.count <= ReplicaHandshake.lineBytesMax else {
          throw LinkError(
            .notRedis, "attaching to \(socket.peer) as a replica", "its answer has no end",
            advice: "check the host and the port")
        }
        continue
      case .endOfStream:
        throw LinkError(
          .closed, "attaching to \(socket.peer) as a replica", "it closed the connection",
          advice: "see the source's log")
      case .wouldBlock:
        try waitForLine(socket, &deadline)
        continue
      }
      if line.last == 13 { line.removeLast() }
      return String(decoding: line, as: UTF8.self)
    }
  }

  private func waitForLine(
    _ socket: borrowing Socket, _ deadline: inout Int64
  ) throws(LinkError) {
    var polls = [
      pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: bell.readDescriptor, events: Int16(POLLIN), revents: 0),
    ]
    let left = max(0, deadline - Clock.monotonicMilliseconds())
    poll(&polls, 2, Int32(clamping: left))
    if polls[1].revents != 0 { bell.silence() }
    try throwIfStopping()
    if Clock.monotonicMilliseconds() >= deadline {
      throw LinkError(
        .timedOut, "attaching to \(socket.peer) as a replica",
        "no answer within \(timeouts.ioMilliseconds) ms",
        advice: "is it a Redis or Valkey server, and is it alive?")
    }
  }

  private func sendAll(_ bytes: [UInt8], _ socket: borrowing Socket) throws(LinkError) {
    var output = ByteBuffer(capacity: bytes.count)
    output.append(bytes.span)
    let deadline = Clock.monotonicMilliseconds() + timeouts.ioMilliseconds
    while true {
      try flush(&output, socket)
      if output.isEmpty { return }
      guard socket.wait(for: Int32(POLLOUT), untilMilliseconds: deadline) else {
        throw LinkError(.timedOut, "talking to \(socket.peer)", "it takes no bytes")
      }
    }
  }

  private func throwIfStopping() throws(LinkError) {
    if isStopping.load(ordering: .acquiring) {
      throw LinkError(.stopped, "following \(source.endpoint)", "stopped by request")
    }
  }

  private func drain(_ socket: borrowing Socket, _ start: SnapshotStart) throws(LinkError) {
    var watcher: MarkWatcher?
    if case .mark(let mark) = start.framing { watcher = MarkWatcher(mark: mark) }
    var acknowledgement = ByteBuffer(capacity: 128)
    var nextAcknowledge = Clock.monotonicMilliseconds() + Self.acknowledgeIntervalMilliseconds
    var lastReceipt = Clock.monotonicMilliseconds()
    while true {
      try throwIfStopping()
      var mayHaveEnded = false
      var transfer = Socket.Transfer.wouldBlock
      let hasRoom = try spool.produce { room throws(LinkError) -> Int in
        transfer = try socket.receive(into: room)
        guard case .bytes(let count) = transfer else { return 0 }
        if watcher != nil {
          let bytes = UnsafeRawBufferPointer(rebasing: room[..<count])
          mayHaveEnded = watcher?.receive(bytes) ?? false
        }
        return count
      }
      if transfer == .endOfStream { throw lostLink(socket) }
      let now = Clock.monotonicMilliseconds()
      if transfer != .wouldBlock || !hasRoom { lastReceipt = now }
      let isAsked = wantsAcknowledge.exchange(false, ordering: .acquiring)
      // An offset above the start means the stream is being applied: the snapshot is over.
      if watcher != nil && appliedOffset.load(ordering: .relaxed) > start.offset { watcher = nil }
      if isAsked || mayHaveEnded || now >= nextAcknowledge {
        if acknowledgement.isEmpty { encodeAcknowledgement(&acknowledgement) }
        nextAcknowledge = now + Self.acknowledgeIntervalMilliseconds
      }
      try flush(&acknowledgement, socket)
      if case .bytes = transfer { continue }
      if now - lastReceipt >= timeouts.ioMilliseconds { throw silence(socket) }
      wait(
        socket, reads: hasRoom, writes: !acknowledgement.isEmpty,
        milliseconds: nextAcknowledge - now)
    }
  }

  private func wait(
    _ socket: borrowing Socket, reads: Bool, writes: Bool, milliseconds: Int64
  ) {
    let events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0)
    // A descriptor of -1 is passed over: without it a hang-up would end every poll at once.
    let descriptor = events == 0 ? -1 : socket.descriptor
    var polls = (
      pollfd(fd: descriptor, events: Int16(events), revents: 0),
      pollfd(fd: bell.readDescriptor, events: Int16(POLLIN), revents: 0)
    )
    withUnsafeMutableBytes(of: &polls) { bytes in
      _ = poll(bytes.baseAddress?.assumingMemoryBound(to: pollfd.self), 2, Int32(milliseconds))
    }
    if polls.1.revents != 0 { bell.silence() }
  }

  private func encodeAcknowledgement(_ buffer: inout ByteBuffer) {
    buffer.append("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n")
    buffer.appendBulk(decimal: Int64(clamping: appliedOffset.load(ordering: .acquiring)))
  }

  private func flush(
    _ buffer: inout ByteBuffer, _ socket: borrowing Socket
  ) throws(LinkError) {
    guard !buffer.isEmpty else { return }
    let transfer = try buffer.withBytes { bytes throws(LinkError) in try socket.send(bytes) }
    if case .bytes(let count) = transfer { buffer.removeFirst(count) }
  }

  private func lostLink(_ socket: borrowing Socket) -> LinkError {
    LinkError(
      .closed, "following \(socket.peer)",
      "the source closed the link after \(spool.status.receivedBytes) bytes",
      advice:
        "its log says why: a failed snapshot, client-output-buffer-limit, a restart, CLIENT KILL")
  }

  private func silence(_ socket: borrowing Socket) -> LinkError {
    LinkError(
      .timedOut, "following \(socket.peer)",
      "the source has said nothing for \(timeouts.ioMilliseconds) ms",
      advice: "is it alive? raise --io-timeout when its repl-ping-replica-period is longer")
  }
}
