// The link: one thread that attaches to the source as a replica and drains its socket into the
// spool, whatever the destination does. It parses nothing of what it drains.

import Glibc
import Synchronization

/// A replica's connection to its source, on a thread of its own.
///
/// After `PSYNC` it sends nothing but `REPLCONF ACK`, when `AcknowledgeSchedule` says so.
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

  /// Where the received bytes are: first the snapshot's, then the stream's.
  public let spool: Spool

  let source: RedisURL
  let timeouts: Timeouts
  private let monitor = Monitor()
  private var phase = Phase.connecting
  /// Rung for the link thread while it drains: room in the spool, an ACK wanted, a stop.
  private let bell: WakePipe
  /// Rung once, by `stop()`, and never silenced: whatever waits beside it ends.
  let stopBell = WakePipe()
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
    stopBell.ring()
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
        to: source.endpoint, tls: source.tls, timeoutMilliseconds: timeouts.connectMilliseconds,
        interrupt: stopBell)
      let start = try shakeHands(socket)
      enter(.receiving(start))
      try drain(socket, start)
    } catch {
      enter(.ended(error))
      spool.close(error)
    }
  }

  func enter(_ next: Phase) {
    monitor.withLock {
      phase = next
      monitor.broadcast()
    }
  }

  private func drain(_ socket: borrowing Socket, _ start: SnapshotStart) throws(LinkError) {
    var lastReceipt = Clock.monotonicMilliseconds()
    var schedule = AcknowledgeSchedule(framing: start.framing, now: lastReceipt)
    var acknowledgement = ByteBuffer(capacity: 128)
    var isHeard = true
    while true {
      try throwIfStopping()
      var transfer = Socket.Transfer.wouldBlock
      let hasRoom = try spool.produce { room throws(LinkError) -> Int in
        transfer = try socket.receive(into: room)
        guard case .bytes(let count) = transfer else { return 0 }
        schedule.received(
          UnsafeRawBufferPointer(rebasing: room[..<count]), now: Clock.monotonicMilliseconds())
        return count
      }
      if transfer == .endOfStream { throw lostLink(socket) }
      let now = Clock.monotonicMilliseconds()
      if transfer != .wouldBlock || !hasRoom { lastReceipt = now }
      let isAsked = wantsAcknowledge.exchange(false, ordering: .acquiring)
      if schedule.take(isAsked: isAsked, now: now), isHeard, acknowledgement.isEmpty {
        encodeAcknowledgement(&acknowledgement)
      }
      isHeard = isHeard && flush(&acknowledgement, socket)
      if case .bytes = transfer { continue }
      if now - lastReceipt >= timeouts.ioMilliseconds { throw silence(socket) }
      wait(
        socket, reads: hasRoom, writes: isHeard && !acknowledgement.isEmpty,
        milliseconds: schedule.millisecondsLeft(now: now))
    }
  }

  private func wait(
    _ socket: borrowing Socket, reads: Bool, writes: Bool, milliseconds: Int64
  ) {
    let isRung = socket.wait(
      reads: reads, writes: writes, orFor: bell, milliseconds: Int32(milliseconds))
    if isRung { bell.silence() }
  }

  private func encodeAcknowledgement(_ buffer: inout ByteBuffer) {
    buffer.append("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n")
    buffer.appendBulk(decimal: Int64(clamping: appliedOffset.load(ordering: .acquiring)))
  }

  /// Sends what the socket takes now. False: the source takes nothing any more. What it sent before
  /// is still to be read, and reading says how the link ended.
  private func flush(_ buffer: inout ByteBuffer, _ socket: borrowing Socket) -> Bool {
    guard !buffer.isEmpty else { return true }
    do {
      let transfer = try buffer.withBytes { bytes throws(LinkError) in try socket.send(bytes) }
      if case .bytes(let count) = transfer { buffer.removeFirst(count) }
      return true
    } catch {
      return false
    }
  }

  func throwIfStopping() throws(LinkError) {
    if stopBell.isRinging {
      throw LinkError(.stopped, "following \(source.endpoint)", "stopped by request")
    }
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
