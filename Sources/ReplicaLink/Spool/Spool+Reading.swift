// The readers' side of the spool: each has a place of its own, in the snapshot first, then in the
// stream, and learns in order of everything that voids what it has read.

/// Where one reader is. Guarded by the spool's lock.
struct SpoolReader {
  enum Stage {
    /// Waits for the first snapshot or stream.
    case waiting
    /// `cursor` is a position in the snapshot.
    case snapshot
    /// The snapshot was read; the stream is to be announced.
    case betweenBoth
    /// `cursor` is an offset of the stream.
    case stream
  }

  /// The last one that the reader was told of.
  var generation = 0
  var stage = Stage.waiting
  var cursor: UInt64 = 0
  /// Applied and safe up to this offset of the stream.
  var released: UInt64 = 0
  /// The reader is to be told that what it read beyond this is void.
  var rewound: UInt64?
  /// Of what its destination has, everything beyond this is void, by what became known since it last went
  /// to a place.
  var lostBeyond = UInt64.max
  /// What its destination had then: of a run before, it may be more than was read here.
  var claimed: UInt64 = 0
  /// The history of what it has read, until it is told of that.
  var formerID = ""
  /// It reads no more, and nothing is kept for it.
  var isClosed = false

  func snapshotCursor(in spool: Spool) -> UInt64 {
    guard generation == spool.generation else { return 0 }
    return stage == .snapshot ? cursor : spool.snapshot.end
  }

  func cursor(in spool: Spool) -> UInt64 {
    generation == spool.generation && stage == .stream ? cursor : spool.place.offset
  }

  /// What must be kept for it begins here.
  func floor(in spool: Spool) -> UInt64 {
    generation == spool.generation && stage == .stream
      ? min(cursor, released) : spool.place.offset
  }

  mutating func cut(
    to boundary: UInt64, _ known: UInt64, _ claimsMax: UInt64, _ generation: Int,
    _ formerID: String
  ) {
    guard self.generation == generation, stage == .stream,
      cursor > boundary || claimed > claimsMax
    else { return }
    if rewound == nil { self.formerID = formerID }
    cursor = min(cursor, boundary)
    released = min(released, boundary)
    rewound = min(rewound ?? boundary, boundary)
    lostBeyond = min(lostBeyond, known)
  }
}

extension Spool {
  // MARK: - Reading

  /// The next event of reader `index`; waits for one until `deadline` on
  /// `Clock.monotonicMilliseconds()`.
  func read(
    _ index: Int, into buffer: UnsafeMutableRawBufferPointer, untilMilliseconds deadline: Int64
  ) throws(LinkError) -> LinkEvent {
    while true {
      let step = try monitor.withLock { () throws(LinkError) -> Step in
        try nextStep(index, buffer, deadline)
      }
      switch step {
      case .event(let event): return event
      case .disk(let segment, let offset, let count, let epoch):
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try segment.read(into: room, at: offset)
        let isValid = monitor.withLock {
          guard epoch == self.epoch else { return false }
          advance(index, count)
          return true
        }
        if isValid { return .bytes(count) }
      }
    }
  }

  private enum Step {
    case event(LinkEvent)
    /// So many bytes of a segment, to be read without the lock, and the epoch in which they are valid.
    case disk(SpoolSegment, Int, Int, Int)
  }

  private func nextStep(
    _ index: Int, _ buffer: UnsafeMutableRawBufferPointer, _ deadline: Int64
  ) throws(LinkError) -> Step {
    while true {
      if let event = announcement(index) { return .event(event) }
      if let step = take(index, buffer) { return step }
      if let endError { throw endError }
      if Clock.monotonicMilliseconds() >= deadline { return .event(.timedOut) }
      // One that has read all there is gives the producer a claim on the rest.
      wakeProducer()
      waitingReaders += 1
      _ = monitor.wait(untilMilliseconds: deadline)
      waitingReaders -= 1
    }
  }

  /// What the reader has to know before the next bytes.
  private func announcement(_ index: Int) -> LinkEvent? {
    let reader = readers[index]
    if reader.generation != generation {
      var next = SpoolReader(generation: generation, released: place.offset)
      defer { readers[index] = next }
      guard let start else {
        next.stage = .stream
        next.cursor = place.offset
        next.lostBeyond = shared
        return .stream(place)
      }
      next.stage = .snapshot
      return .snapshot(start, reason: reason)
    }
    if let boundary = reader.rewound {
      readers[index].rewound = nil
      return .rewound(to: boundary)
    }
    if reader.stage == .snapshot, reader.cursor == snapshotLength {
      readers[index].stage = .betweenBoth
      letGo()
      return .snapshotEnd
    }
    if reader.stage == .betweenBoth {
      readers[index].stage = .stream
      readers[index].cursor = place.offset
      return .stream(place)
    }
    return nil
  }

  private func take(_ index: Int, _ buffer: UnsafeMutableRawBufferPointer) -> Step? {
    let reader = readers[index]
    let queue: SpoolQueue
    let end: UInt64
    switch reader.stage {
    case .snapshot:
      queue = snapshot
      end = readableSnapshotEnd
    case .stream:
      queue = stream
      end = stream.end
    case .waiting, .betweenBoth: return nil
    }
    guard reader.cursor < end, let block = queue.block(at: reader.cursor) else { return nil }
    let offset = Int(reader.cursor - block.start)
    let count = min(buffer.count, block.count - offset, Int(end - reader.cursor))
    switch block.storage {
    case .segment(let segment): return .disk(segment, offset, count, epoch)
    case .chunk(let chunk):
      buffer.copyMemory(from: UnsafeRawBufferPointer(chunk.bytes(offset..<offset + count)))
      advance(index, count)
      return .event(.bytes(count))
    }
  }

  /// How far the snapshot may be read: the last bytes that have come may be its mark.
  var readableSnapshotEnd: UInt64 {
    if let snapshotLength { return min(snapshotLength, snapshot.end) }
    guard case .mark(let mark) = start?.framing else { return snapshot.end }
    return snapshot.end - min(snapshot.end, UInt64(mark.count))
  }

  private func advance(_ index: Int, _ count: Int) {
    readers[index].cursor += UInt64(count)
    letGo()
  }

  // MARK: - What readers need

  var openReaders: LazyFilterSequence<[SpoolReader]> { readers.lazy.filter { !$0.isClosed } }

  /// What every reader has read of the snapshot.
  var snapshotCursor: UInt64 {
    openReaders.map { $0.snapshotCursor(in: self) }.min() ?? snapshot.end
  }

  /// What every reader has read of the stream.
  var streamCursor: UInt64 {
    openReaders.map { $0.cursor(in: self) }.min() ?? stream.end
  }

  /// What every reader has read and released of the stream.
  var streamFloor: UInt64 {
    openReaders.map { $0.floor(in: self) }.min() ?? stream.end
  }

  /// As `streamFloor`, but readers that have nothing to read have no claim on what they have read.
  var starvedFloor: UInt64 {
    openReaders.map { reader in
      let cursor = reader.cursor(in: self)
      return cursor >= self.stream.end ? cursor : reader.floor(in: self)
    }.min() ?? stream.end
  }

  // MARK: - What readers say

  /// See `LinkReader.release(upTo:)`.
  func release(_ index: Int, upTo offset: UInt64) {
    monitor.withLock {
      guard readers[index].generation == generation, readers[index].stage == .stream else { return }
      readers[index].released = max(readers[index].released, min(offset, stream.end))
      letGo()
      // Not only what was let go counts: the history may be too.
      wakeProducer()
    }
  }

  /// See `LinkReader.rewind(to:applied:)`.
  func rewind(_ index: Int, to offset: UInt64, applied: UInt64) -> LinkRewind {
    monitor.withLock {
      if applied > readers[index].lostBeyond { return .lost }
      guard readers[index].generation == generation, readers[index].stage == .stream,
        offset >= stream.head, offset <= max(stream.end, promised),
        offset <= max(readers[index].rewound ?? offset, promised)
      else { return .notHeld }
      readers[index].cursor = offset
      readers[index].released = min(readers[index].released, offset)
      readers[index].rewound = nil
      readers[index].lostBeyond = .max
      readers[index].claimed = applied
      return .done
    }
  }

  /// See `LinkReader.close()`.
  func close(_ index: Int) {
    monitor.withLock {
      readers[index].isClosed = true
      letGo()
      wakeProducer()
    }
  }

  /// See `LinkReader.replicationID`.
  func replicationID(of index: Int) -> String {
    monitor.withLock {
      readers[index].rewound == nil ? place.replicationID : readers[index].formerID
    }
  }

  /// What readers have not released, in the stream, begins here.
  var neededOffset: UInt64 { monitor.withLock { streamFloor } }

  /// The last generation that reader `index` was told of.
  func generation(of index: Int) -> Int { monitor.withLock { readers[index].generation } }

  var currentGeneration: Int { monitor.withLock { generation } }

  /// Does something unless the link has begun anew since `generation`, and none can begin meanwhile.
  func whileCurrent(_ generation: Int, _ body: () -> Void) {
    monitor.withLock {
      if generation == self.generation { body() }
    }
  }

  /// Whether every reader knows of the present snapshot, so that what is said of offsets is of its own.
  var isKnownToReaders: Bool {
    monitor.withLock { openReaders.allSatisfy { $0.generation == generation } }
  }
}
