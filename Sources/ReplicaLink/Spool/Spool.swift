// The spool: what lies between the link thread, which must never wait, and the readers, who wait for
// their destinations all the time.
//
//                  ┌─ snapshot: positions from 0, let go once every reader has read it
//   link thread ─▶ │                                                       ─▶ N readers
//                  └─ stream: the source's own offsets, let go when released, less a history
//
// Both queues draw on one budget of memory chunks and disk segments. A new snapshot voids all that is
// held. Segments are written without fsync: they are worth nothing after a crash of this process.
// This file is the producer's side; the readers' is in Spool+Reading.swift.

/// A bounded store of snapshot and stream bytes, in memory first, then on disk.
///
/// One thread produces; each reader belongs to one thread; the rest is for any thread.
///
/// `@unchecked Sendable`: every stored property is reached under `monitor`, except the two stagings, which
/// are the producer's alone, `snapshotLength`, which it alone writes and therefore reads without; the
/// memory inside chunks, where the producer writes only behind what is committed and readers copy under
/// the lock; and files, which have no memory.
final class Spool: @unchecked Sendable {
  /// Which of the two queues.
  enum Kind: Sendable {
    case snapshot
    case stream
  }

  let limits: SpoolLimits
  let monitor = Monitor()
  /// Rung when the producer was told "full" and there may be room again.
  private let roomBell: WakePipe?

  /// Raised with everything that voids all before it.
  var generation = 0
  /// Raised with everything that voids bytes a reader may be fetching from disk.
  var epoch = 0
  /// Of the present generation; nil while the stream goes on from a place known before.
  var start: SnapshotStart?
  var reason: String?
  /// Where the stream of this generation begins.
  var place = ReplicationPlace(replicationID: "", offset: 0)
  var snapshot = SpoolQueue(at: 0)
  /// The snapshot's size, once it is known to have ended.
  var snapshotLength: UInt64?
  var stream = SpoolQueue(at: 0)
  /// What the source had written of it when it was last asked to go on: a reader may wait there for what
  /// is still to come, since its destination has had it before.
  var promised: UInt64 = 0
  /// Up to here the history of this generation is the one in which its beginning was asked for.
  var shared = UInt64.max
  var readers: [SpoolReader]
  var waitingReaders = 0
  var endError: LinkError?
  var times = ReceiptTimes()
  /// Bytes that were written at the source before they were asked for, by link that was made anew.
  var late: [Range<UInt64>] = []
  /// As many are told apart; older ones become one.
  private static let lateMax = 64

  private var spareChunks: [SpoolChunk] = []
  private var isProducerWaiting = false
  var receivedBytes: UInt64 = 0
  var fullReason: String?

  /// Bytes on their way to disk; the producer's alone.
  private struct Staging {
    let chunk: SpoolChunk
    /// Which of the chunk's bytes they are.
    var staged = 0..<0
  }

  /// One for each queue: while both come, one of them that is stuck must not hold up the other.
  private var snapshotStaging: Staging
  private var streamStaging: Staging

  /// Makes an empty spool.
  ///
  /// - Parameter roomBell: rung when a producer that was refused may go on.
  init(limits: SpoolLimits, readerCount: Int, roomBell: WakePipe? = nil) {
    self.limits = limits
    self.roomBell = roomBell
    snapshotStaging = Staging(chunk: SpoolChunk(byteCount: limits.chunkBytes))
    streamStaging = Staging(chunk: SpoolChunk(byteCount: limits.chunkBytes))
    readers = Array(repeating: SpoolReader(), count: readerCount)
  }

  // MARK: - Producer: bytes

  /// Lends the producer room of at most `limit` bytes; `body` fills it and returns how many.
  ///
  /// - Returns: false when the spool is full: `body` was not called, the producer should wait.
  /// - Throws: what `body` throws.
  func produce(
    _ kind: Kind, atMost limit: UInt64 = .max,
    _ body: (UnsafeMutableRawBufferPointer) throws(LinkError) -> Int
  ) throws(LinkError) -> Bool {
    // Of a snapshot that has ended nobody but the stream's bytes would bring out the rest.
    if snapshotLength != nil && !flushStaging(.snapshot) { return false }
    if !flushStaging(kind) { return false }
    switch monitor.withLock({ findRoom(kind) }) {
    case .chunk(let chunk, let first):
      let size = min(limit, UInt64(limits.chunkBytes - first))
      let count = try body(chunk.bytes(first..<first + Int(size)))
      monitor.withLock { commit(kind, count) }
    case .staging:
      let size = min(limit, UInt64(limits.chunkBytes))
      self[kind].staged = 0..<(try body(self[kind].chunk.bytes(0..<Int(size))))
      _ = flushStaging(kind)
    case nil: return false
    }
    return true
  }

  private subscript(_ kind: Kind) -> Staging {
    get { kind == .snapshot ? snapshotStaging : streamStaging }
    set { if kind == .snapshot { snapshotStaging = newValue } else { streamStaging = newValue } }
  }

  // MARK: - Producer: what the bytes are

  /// A snapshot begins; everything before it is void.
  ///
  /// - Parameter onBegin: done before anybody can know of it.
  func beginSnapshot(
    _ start: SnapshotStart, reason: String?, _ onBegin: () -> Void = {}
  ) {
    begin(ReplicationPlace(replicationID: start.replicationID, offset: start.offset)) {
      self.start = start
      self.reason = reason
      onBegin()
    }
  }

  /// The stream goes on from a place that the readers know, without a snapshot.
  ///
  /// - Parameters:
  ///   - written: up to where the source has written what is to come.
  ///   - shared: up to where that is what another source had written, from which the place is. What a
  ///     destination has beyond it is not in this history.
  ///   - onBegin: done before anybody can know of it.
  func beginStream(
    _ place: ReplicationPlace, written: UInt64, shared: UInt64 = .max, _ onBegin: () -> Void = {}
  ) {
    begin(place) {
      start = nil
      reason = nil
      promised = written
      self.shared = shared
      onBegin()
    }
  }

  private func begin(_ place: ReplicationPlace, _ body: () -> Void) {
    snapshotStaging.staged = 0..<0
    streamStaging.staged = 0..<0
    monitor.withLock {
      generation += 1
      epoch += 1
      for block in snapshot.removeAll() + stream.removeAll() { recycle(block) }
      self.place = place
      snapshot = SpoolQueue(at: 0)
      snapshotLength = nil
      stream = SpoolQueue(at: place.offset)
      promised = place.offset
      shared = .max
      times = ReceiptTimes(from: place.offset)
      late = []
      fullReason = nil
      body()
      wakeReaders()
    }
  }

  /// The snapshot is complete; its last `markBytes` bytes, its mark, are none of it.
  func finishSnapshot(markBytes: Int) {
    let staged = snapshotStaging.staged
    let ofStaged = min(markBytes, staged.count)
    snapshotStaging.staged = staged.lowerBound..<staged.upperBound - ofStaged
    monitor.withLock {
      let end = snapshot.end - min(snapshot.end, UInt64(markBytes - ofStaged))
      for block in snapshot.cut(to: end) { recycle(block) }
      snapshotLength = end + UInt64(snapshotStaging.staged.count)
      wakeReaders()
    }
  }

  /// The link was made anew under the id `replicationID`, and the stream comes again from behind
  /// `boundary` on: what is there beyond it is void.
  ///
  /// - Parameter written: up to where the source has written what is to come.
  func continueStream(from boundary: UInt64, replicationID: String, written: UInt64) {
    let staged = streamStaging.staged
    monitor.withLock {
      let former = place.replicationID
      place.replicationID = replicationID
      promised = written
      // So far it is the same history: a reader may have been ahead of what is held here.
      let known = max(boundary, written)
      let claimsMax = replicationID == former ? .max : known
      for index in readers.indices {
        readers[index].cut(to: boundary, known, claimsMax, generation, former)
      }
      defer { wakeReaders() }
      let end = stream.end + UInt64(staged.count)
      guard boundary < end else { return }
      epoch += 1
      let ofStaged = Int(min(UInt64(staged.count), end - boundary))
      streamStaging.staged = staged.lowerBound..<staged.upperBound - ofStaged
      for block in stream.cut(to: boundary) { recycle(block) }
      times.cut(to: boundary)
    }
  }

  /// The arrival of these bytes will say nothing of when they were written.
  func noteLate(_ bytes: Range<UInt64>) {
    monitor.withLock {
      late.append(bytes)
      if late.count > Self.lateMax {
        late.replaceSubrange(0...1, with: [late[0].lowerBound..<late[1].upperBound])
      }
    }
  }

  /// Nothing more will come. The readers get what is there, then the error.
  func end(_ error: LinkError) {
    monitor.withLock {
      if endError == nil { endError = error }
      monitor.broadcast()
    }
  }

  // MARK: - Under the lock

  private enum Room {
    case chunk(SpoolChunk, Int)
    case staging
  }

  /// Where the next bytes may go; nil when the spool is full. Looking and saying "full" are one step
  /// under the lock, else a reader could make room in between and never ring.
  private func findRoom(_ kind: Kind) -> Room? {
    letGo()
    fullReason = nil
    repeat {
      if let (chunk, first) = memoryRoom(kind) { return .chunk(chunk, first) }
      if hasDiskRoom { return .staging }
    } while letGoOfHistory()
    refuse(
      limits.diskBytes == 0
        ? "the queue is full and may not use the disk" : "the queue has reached --spool-max")
    return nil
  }

  private var hasDiskRoom: Bool {
    snapshot.diskBytes + stream.diskBytes + UInt64(limits.chunkBytes) <= limits.diskBytes
  }

  /// Room at the queue's end in memory. While a reader has still to read bytes from disk, memory is
  /// not for those that come behind them: they would lie there all the longer.
  private func memoryRoom(_ kind: Kind) -> (SpoolChunk, Int)? {
    let queue = kind == .snapshot ? snapshot : stream
    if let last = queue.blocks.last, case .chunk(let chunk) = last.storage, last.room > 0 {
      return (chunk, last.count)
    }
    let reached = kind == .snapshot ? snapshotCursor : streamCursor
    let readable = kind == .snapshot ? readableSnapshotEnd : stream.end
    guard min(queue.segmentsEnd, readable) <= reached else { return nil }
    let limit = limits.memoryBytes / limits.chunkBytes
    guard queue.chunkCount < 2 || snapshot.chunkCount + stream.chunkCount < limit else {
      return nil
    }
    let chunk = spareChunks.popLast() ?? SpoolChunk(byteCount: limits.chunkBytes)
    append(kind, .chunk(chunk), limits.chunkBytes)
    return (chunk, 0)
  }

  private func append(_ kind: Kind, _ storage: SpoolQueue.Storage, _ capacity: Int) {
    if kind == .snapshot {
      snapshot.append(storage, capacity: capacity)
    } else {
      stream.append(storage, capacity: capacity)
    }
  }

  private func commit(_ kind: Kind, _ count: Int) {
    guard count > 0 else { return }
    receivedBytes += UInt64(count)
    fullReason = nil
    if kind == .snapshot {
      snapshot.commit(count)
    } else {
      stream.commit(count)
      times.note(end: stream.end, wallMilliseconds: Clock.wallMilliseconds())
    }
    wakeReaders()
  }

  private func wakeReaders() {
    if waitingReaders > 0 { monitor.broadcast() }
  }

  /// Lets go of what no reader needs: of the snapshot what all have read, of the stream what all
  /// have released, but for the history.
  func letGo() {
    var isRoomier = false
    while let block = snapshot.dropFirst(upTo: snapshotCursor) {
      recycle(block)
      isRoomier = true
    }
    if let length = snapshotLength, snapshotCursor == length, !snapshot.blocks.isEmpty {
      for block in snapshot.removeAll() { recycle(block) }
      isRoomier = true
    }
    let history = UInt64(max(0, min(limits.historyBytes, limits.memoryBytes / 2)))
    let floor = streamFloor
    while let block = stream.dropFirst(upTo: floor - min(floor, history)) {
      recycle(block)
      isRoomier = true
    }
    times.forget(before: stream.head)
    if isRoomier { wakeProducer() }
  }

  /// Lets go of the oldest block of the history. False: there is none.
  ///
  /// What readers have read and not released goes too, once they have read all there is: they wait for
  /// the end of a command or transaction that is larger than the spool.
  private func letGoOfHistory() -> Bool {
    guard let block = stream.dropFirst(upTo: starvedFloor) else { return false }
    recycle(block)
    return true
  }

  private func recycle(_ block: SpoolQueue.Block) {
    let sparesMax = max(4, limits.memoryBytes / limits.chunkBytes / 4)
    if case .chunk(let chunk) = block.storage, spareChunks.count < sparesMax {
      spareChunks.append(chunk)
    }
  }

  /// There may be room now for a producer that was refused.
  func wakeProducer() {
    guard isProducerWaiting else { return }
    isProducerWaiting = false
    roomBell?.ring()
  }

  private func refuse(_ reason: String) {
    fullReason = reason
    isProducerWaiting = true
  }

  // MARK: - Disk

  /// Moves the staged bytes to memory where they may go there again, else to disk. False: neither
  /// would take them.
  private func flushStaging(_ kind: Kind) -> Bool {
    if self[kind].staged.isEmpty || moveStagingToChunks(kind) { return true }
    do {
      let staging = self[kind]
      let (segment, offset) = try writableSegment(kind)
      try segment.write(UnsafeRawBufferPointer(staging.chunk.bytes(staging.staged)), at: offset)
      monitor.withLock { commit(kind, staging.staged.count) }
      self[kind].staged = 0..<0
      return true
    } catch {
      monitor.withLock { refuse("\(error)") }
      // A reader may have made room in memory while the disk was trying.
      return moveStagingToChunks(kind)
    }
  }

  private func moveStagingToChunks(_ kind: Kind) -> Bool {
    monitor.withLock {
      letGo()
      let chunkOfStaging = self[kind].chunk
      var staged = self[kind].staged
      while !staged.isEmpty, let (chunk, first) = memoryRoom(kind) {
        let count = min(limits.chunkBytes - first, staged.count)
        let piece = staged.lowerBound..<staged.lowerBound + count
        chunk.bytes(first..<first + count).copyMemory(
          from: UnsafeRawBufferPointer(chunkOfStaging.bytes(piece)))
        staged = piece.upperBound..<staged.upperBound
        commit(kind, count)
      }
      self[kind].staged = staged
      return staged.isEmpty
    }
  }

  private func writableSegment(_ kind: Kind) throws(LinkError) -> (SpoolSegment, Int) {
    let last = monitor.withLock { (kind == .snapshot ? snapshot : stream).blocks.last }
    if let last, case .segment(let segment) = last.storage, last.room >= self[kind].staged.count {
      return (segment, last.count)
    }
    let segment = try SpoolSegment(limits)
    monitor.withLock { append(kind, .segment(segment), limits.segmentBytes) }
    return (segment, 0)
  }
}
