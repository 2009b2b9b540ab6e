// The spool: the queue between the link thread, which must never wait, and the replay, which
// waits for the destination all the time.
//
//   link thread ──▶ [chunk][chunk][chunk] ──▶ replay thread      while memory suffices
//   link thread ──▶ [segment][segment] … behind the chunks ──▶   when it does not
//
// Order is kept by one rule: while a segment holds anything, new bytes go to segments; chunks
// always hold what is older. When the segments are empty, chunks are used again. Segments are
// written without fsync: they are worth nothing after a crash of this process.

import Synchronization

/// A bounded first-in-first-out queue of bytes, in memory first, then on disk.
///
/// One thread produces, one consumes; `status`, `close` and `receiptTime` are for any thread.
///
/// `@unchecked Sendable`: every stored property below is reached under `monitor`, except the memory
/// and files inside chunks and segments, whose own comments say why that is sound.
public final class Spool: @unchecked Sendable {
  private let limits: SpoolLimits
  private let monitor = Monitor()
  /// Rung when the producer was told "full" and there is room again.
  private let roomBell: WakePipe?

  private var chunks: ContiguousArray<SpoolChunk> = []
  private var spareChunks: ContiguousArray<SpoolChunk> = []
  private var chunkCount = 0
  private var segments: ContiguousArray<SpoolSegment> = []
  private var isProducerInSegment = false
  private var isProducerWaiting = false
  private var state = SpoolStatus()
  private var times = ReceiptTimes()
  private var isClosed = false
  private var closeError: LinkError?
  private var isConsumerWaiting = false

  /// Bytes read from the socket on their way to disk; the producer's alone.
  private let staging = SpoolChunk()

  /// Makes an empty spool.
  ///
  /// - Parameter roomBell: rung when a producer that was refused can go on.
  public init(limits: SpoolLimits, roomBell: WakePipe? = nil) {
    self.limits = limits
    self.roomBell = roomBell
  }

  // MARK: - Producer

  /// Lends the producer room; `body` fills it and returns how many bytes.
  ///
  /// - Returns: false when the spool is full: `body` was not called, the producer should wait.
  /// - Throws: what `body` throws.
  public func produce(
    _ body: (UnsafeMutableRawBufferPointer) throws(LinkError) -> Int
  ) throws(LinkError) -> Bool {
    if staging.committed > 0 && !flushStaging() { return false }
    if let chunk = monitor.withLock({ tailChunk() }) {
      let count = try body(chunk.room)
      monitor.withLock {
        chunk.committed += count
        state.memoryBytes += UInt64(count)
        commit(count)
      }
      return true
    }
    guard canUseDisk() else { return false }
    staging.committed = try body(staging.room)
    if staging.committed > 0 { _ = flushStaging() }
    return true
  }

  /// No more bytes will come. The consumer gets what is there, then the error, or the end.
  public func close(_ error: LinkError?) {
    monitor.withLock {
      if isClosed { return }
      isClosed = true
      closeError = error
      monitor.broadcast()
    }
  }

  // MARK: - Consumer

  /// What the consumer got.
  public enum Read: Sendable, Equatable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// Nothing came before the deadline.
    case timedOut
    /// The producer has closed the spool, and everything was read.
    case end
  }

  /// Takes bytes out, waiting for the first.
  ///
  /// - Parameter deadline: on `Clock.monotonicMilliseconds()`; one in the past asks without waiting.
  /// - Throws: the error the spool was closed with, after the last byte; `.localResource` when a
  ///   segment cannot be read back.
  public func consume(
    into buffer: UnsafeMutableRawBufferPointer, untilMilliseconds deadline: Int64
  ) throws(LinkError) -> Read {
    while true {
      let source = try monitor.withLock { () throws(LinkError) -> Source? in
        try oldest(deadline)
      }
      switch source {
      case .chunk(let chunk, let available):
        let count = min(available, buffer.count)
        buffer.baseAddress?.copyMemory(from: chunk.base + chunk.consumed, byteCount: count)
        monitor.withLock { release(chunk, count) }
        return .bytes(count)
      case .segment(let segment, let available):
        let count = min(available, buffer.count)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try segment.read(into: target, at: segment.consumed)
        monitor.withLock { release(segment, count) }
        return .bytes(count)
      case .end: return .end
      case nil: return .timedOut
      }
    }
  }

  // MARK: - Anyone

  /// What the spool holds now.
  public var status: SpoolStatus {
    monitor.withLock { state }
  }

  /// When the byte at `position` (counted from the first that ever came in) arrived, in milliseconds
  /// since 1970; nil when it has not arrived or was forgotten.
  public func receiptTime(at position: UInt64) -> Int64? {
    monitor.withLock { times.wallMilliseconds(at: position) }
  }

  /// Arrival times before `position` will not be asked for again.
  public func forgetReceiptTimes(before position: UInt64) {
    monitor.withLock { times.forget(before: position) }
  }

  // MARK: - Under the lock

  private enum Source {
    case chunk(SpoolChunk, Int)
    case segment(SpoolSegment, Int)
    case end
  }

  private func oldest(_ deadline: Int64) throws(LinkError) -> Source? {
    while true {
      if let chunk = chunks.first, chunk.committed > chunk.consumed {
        return .chunk(chunk, chunk.committed - chunk.consumed)
      }
      dropDrainedSegments()
      if let segment = segments.first, segment.committed > segment.consumed {
        return .segment(segment, segment.committed - segment.consumed)
      }
      if isClosed {
        if let closeError { throw closeError }
        return .end
      }
      if Clock.monotonicMilliseconds() >= deadline { return nil }
      isConsumerWaiting = true
      _ = monitor.wait(untilMilliseconds: deadline)
      isConsumerWaiting = false
    }
  }

  /// The chunk that takes the next bytes; nil when they have to go to disk.
  private func tailChunk() -> SpoolChunk? {
    guard segments.isEmpty else { return nil }
    if let tail = chunks.last, tail.committed < SpoolChunk.byteCount { return tail }
    if let spare = spareChunks.popLast() {
      chunks.append(spare)
      return spare
    }
    guard chunkCount < max(2, limits.memoryBytes / SpoolChunk.byteCount) else { return nil }
    chunkCount += 1
    let chunk = SpoolChunk()
    chunks.append(chunk)
    return chunk
  }

  private func commit(_ count: Int) {
    state.receivedBytes += UInt64(count)
    state.fullReason = nil
    if count > 0 {
      times.note(end: state.receivedBytes, wallMilliseconds: Clock.wallMilliseconds())
    }
    if isConsumerWaiting { monitor.signal() }
  }

  private func release(_ chunk: SpoolChunk, _ count: Int) {
    chunk.consumed += count
    state.memoryBytes -= UInt64(count)
    state.consumedBytes += UInt64(count)
    guard chunk.consumed == SpoolChunk.byteCount else { return }
    chunks.removeFirst()
    chunk.committed = 0
    chunk.consumed = 0
    spareChunks.append(chunk)
    wakeProducer()
  }

  private func release(_ segment: SpoolSegment, _ count: Int) {
    segment.consumed += count
    state.diskBytes -= UInt64(count)
    state.consumedBytes += UInt64(count)
    dropDrainedSegments()
  }

  /// Removes segments from the front that hold nothing and that the producer is not writing to.
  private func dropDrainedSegments() {
    while let first = segments.first, first.consumed == first.committed,
      segments.count > 1 || !isProducerInSegment
    {
      segments.removeFirst()
      wakeProducer()
    }
  }

  private func wakeProducer() {
    guard isProducerWaiting else { return }
    isProducerWaiting = false
    roomBell?.ring()
  }

  // MARK: - Disk

  /// Whether the limits allow another stagingful on disk; says "full" where not.
  private func canUseDisk() -> Bool {
    monitor.withLock {
      if state.diskBytes + UInt64(SpoolChunk.byteCount) <= limits.diskBytes { return true }
      refuse(
        limits.diskBytes == 0
          ? "the queue is full and may not use the disk" : "the queue has reached --spool-max")
      return false
    }
  }

  private func refuse(_ reason: String) {
    state.fullReason = reason
    isProducerWaiting = true
  }

  /// Moves the staged bytes to memory where they may go there again, else to the last segment.
  /// False: neither would take them.
  private func flushStaging() -> Bool {
    if moveStagingToChunks() { return true }
    do {
      let segment = try writableSegment()
      defer { monitor.withLock { isProducerInSegment = false } }
      let bytes = staging.unread
      try segment.append(bytes, at: segment.committed)
      monitor.withLock {
        segment.committed += bytes.count
        state.diskBytes += UInt64(bytes.count)
        commit(bytes.count)
      }
      resetStaging()
      return true
    } catch {
      monitor.withLock { refuse("\(error)") }
      return false
    }
  }

  private func moveStagingToChunks() -> Bool {
    monitor.withLock {
      dropDrainedSegments()
      while staging.consumed < staging.committed, let chunk = tailChunk() {
        let count = min(chunk.room.count, staging.unread.count)
        chunk.room.copyMemory(from: UnsafeRawBufferPointer(rebasing: staging.unread[..<count]))
        chunk.committed += count
        staging.consumed += count
        state.memoryBytes += UInt64(count)
        commit(count)
      }
      if staging.consumed < staging.committed { return false }
      resetStaging()
      return true
    }
  }

  private func resetStaging() {
    staging.committed = 0
    staging.consumed = 0
  }

  private func writableSegment() throws(LinkError) -> SpoolSegment {
    let current = monitor.withLock { () -> SpoolSegment? in
      guard let last = segments.last,
        last.committed + SpoolChunk.byteCount <= SpoolSegment.byteCount
      else { return nil }
      isProducerInSegment = true
      return last
    }
    if let current { return current }
    let segment = try SpoolSegment(directory: limits.directory)
    monitor.withLock {
      segments.append(segment)
      isProducerInSegment = true
    }
    return segment
  }
}
