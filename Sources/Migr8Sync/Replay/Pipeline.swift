// A pipeline: one connection to the destination with many commands under way, on a thread of its
// own. Loaders and the lane are both pipelines; they differ in who feeds them and in what a reply
// may be.
//
//   replay thread ──submit(batch)──▶ inbox ──▶ socket ──▶ destination
//                 ◀── monitor.broadcast ── replies counted off, batch by batch

import Glibc
import ReplicaLink
import Synchronization

/// What to make of "the key exists already" in answer to a snapshot key.
enum ConflictPolicy: String, CaseIterable, Sendable {
  /// It ends the run.
  case fail
  /// The commands overwrite; the answer does not occur.
  case replace
  /// The destination's key stays; it is remembered and left alone from then on.
  case skip
}

/// One pipelined connection.
///
/// `@unchecked Sendable`: `inbox`, `inFlight`, `lastSubmitted` and `isClosing` are guarded by
/// `progress.monitor`; what only the pipeline's thread needs lives in `PipelineWire`.
final class Pipeline: @unchecked Sendable {

  /// What a pipeline is for.
  enum Role: Sendable {
    /// Carries snapshot keys, without order.
    case loader(ConflictPolicy)
    /// Carries the stream; the closure gets each offset that became applied, on any thread.
    case lane(onApplied: @Sendable (UInt64) -> Void)

    /// Bytes handed over and not yet answered, above which `submit` waits. The lane is alone; what it has
    /// under way lasts a destination some 100 ms.
    var inFlightBytesMax: Int {
      switch self {
      case .loader: 1 << 20
      case .lane: 4 << 20
      }
    }
  }

  let connector: DestinationConnector
  /// What the keys are called at the source.
  let mapping: KeyMapping
  let progress: ReplayProgress
  let role: Role
  let bell = WakePipe()
  let closingBell = WakePipe()
  private let isStopRequested: @Sendable () -> Bool

  private var inbox: ContiguousArray<Batch> = []
  private var inFlight = 0
  private var lastSubmitted: Batch?
  private var isClosing = false

  /// Makes a pipeline; `start()` connects it.
  ///
  /// - Parameter isStopRequested: asked while it waits for a server that is away.
  init(
    _ connector: DestinationConnector, mapping: KeyMapping, progress: ReplayProgress, role: Role,
    isStopRequested: @escaping @Sendable () -> Bool = { false }
  ) {
    self.isStopRequested = isStopRequested
    self.connector = connector
    self.mapping = mapping
    self.progress = progress
    self.role = role
  }

  /// Starts the thread that connects, sends and counts replies. A failure ends the run through
  /// `progress`.
  func start(_ name: String) -> NamedThread {
    NamedThread(name) { [self] in
      do throws(ReplayError) {
        if case .loader = role { return try carrySnapshot() }
        var wire = PipelineWire(
          self,
          try connector.openForWriting(interrupt: closingBell, progress.clocks).takeSocket())
        try wire.run()
      } catch {
        // Who closes a pipeline does not ask how it ended.
        if !progress.monitor.withLock({ isClosing }) { progress.fail(error) }
      }
    }
  }

  /// Bytes handed over and not yet answered. The monitor must be held.
  var inFlightLocked: Int { inFlight }

  /// Whether a batch handed over now would have to wait. The monitor must be held.
  var isSaturatedLocked: Bool { inFlight > role.inFlightBytesMax }

  // MARK: - The replay thread

  /// Hands a batch over; waits while too much is under way.
  func submit(_ batch: Batch) throws(ReplayError) {
    try progress.monitor.withLock { () throws(ReplayError) in
      try progress.throwFailureLocked()
      while isSaturatedLocked {
        progress.monitor.wait()
        try progress.throwFailureLocked()
      }
      if progress.bytesInFlight.load(ordering: .relaxed) == 0 { noteAnswer() }
      inbox.append(batch)
      inFlight += batch.bytes.count
      progress.bytesInFlight.add(batch.bytes.count, ordering: .relaxed)
      lastSubmitted = batch
    }
    bell.ring()
  }

  /// Everything up to `offset` is handed over: it counts as applied when what is under way is.
  func advance(to offset: UInt64) {
    let isIdle = progress.monitor.withLock {
      lastSubmitted?.boundaryOffset = offset
      return lastSubmitted == nil
    }
    if isIdle { publish(offset) }
  }

  /// Waits until everything handed over is answered.
  func drain() throws(ReplayError) {
    try progress.monitor.withLock { () throws(ReplayError) in
      try progress.throwFailureLocked()
      while inFlight > 0 || !inbox.isEmpty {
        progress.monitor.wait()
        try progress.throwFailureLocked()
      }
    }
  }

  /// Ends the thread, whatever is still under way.
  func close() {
    progress.monitor.withLock { isClosing = true }
    closingBell.ring()
    bell.ring()
  }

  // MARK: - The pipeline's thread

  /// New batches, oldest first; nil when the pipeline is to end.
  func takeInbox(into queue: inout ContiguousArray<Batch>) -> Bool {
    progress.monitor.withLock {
      queue.append(contentsOf: inbox)
      inbox.removeAll(keepingCapacity: true)
      return !isClosing
    }
  }

  /// So many bytes have to be sent again: they are under way until then.
  func hold(_ byteCount: Int) {
    progress.monitor.withLock { inFlight += byteCount }
    progress.bytesInFlight.add(byteCount, ordering: .relaxed)
  }

  /// Every command of `batch` was answered.
  func complete(_ batch: Batch) {
    if batch.checkpointNumber > 0 { CrashPoint.afterReply.pass() }
    progress.keysWritten.add(UInt64(batch.keyCount), ordering: .relaxed)
    progress.bytesWritten.add(UInt64(batch.bytes.count), ordering: .relaxed)
    progress.bytesInFlight.subtract(batch.bytes.count, ordering: .relaxed)
    let (boundary, checkpoint) = progress.monitor.withLock {
      inFlight -= batch.bytes.count
      if lastSubmitted === batch { lastSubmitted = nil }
      let offsets = (batch.boundaryOffset, batch.checkpointNumber)
      progress.recycleLocked(batch)
      progress.monitor.broadcast()
      return offsets
    }
    if checkpoint > 0 { progress.checkpointNumber.store(checkpoint, ordering: .releasing) }
    if boundary > 0 { publish(boundary) }
  }

  /// Waits, unless the run is over.
  func waitUnlessOver(milliseconds: Int64) throws(ReplayError) {
    let deadline = Clock.monotonicMilliseconds() + milliseconds
    try progress.monitor.withLock { () throws(ReplayError) in
      while Clock.monotonicMilliseconds() < deadline {
        try progress.throwFailureLocked()
        if isClosing || isStopRequested() { throw .interrupted }
        _ = progress.monitor.wait(
          untilMilliseconds: min(deadline, Clock.monotonicMilliseconds() + 100))
      }
    }
  }

  func noteAnswer() {
    progress.lastAnswerMilliseconds.store(Clock.monotonicMilliseconds(), ordering: .relaxed)
  }

  private func publish(_ offset: UInt64) {
    _ = progress.appliedOffset.max(offset, ordering: .acquiringAndReleasing)
    guard case .lane(let onApplied) = role else { return }
    CrashPoint.beforeAcknowledge.pass()
    onApplied(offset)
  }
}
