// The decisions about what comes in: what it is, whether it makes sense, and when to acknowledge.

extension LinkMachine {
  // MARK: - Receiving

  /// Bytes have come: of what `want` asked for.
  ///
  /// - Returns: false when they must not be kept; the connection is lost then.
  mutating func received(
    _ kind: Spool.Kind, _ bytes: UnsafeRawBufferPointer, now: Int64
  ) -> Bool {
    switch (state, kind) {
    case (.snapshot(let start, let left), .snapshot):
      heardMilliseconds = now
      schedule.received(bytes, now: now)
      guard case .length = start.framing else { return true }
      let rest = left - min(left, UInt64(bytes.count))
      state = .snapshot(start, bytesLeft: rest)
      if rest == 0 { finishSnapshot(start, markBytes: 0) }
      return true
    case (.both, .snapshot):
      snapshotHeardMilliseconds = now
      schedule.received(bytes, now: now)
      return true
    case (.both, .stream):
      heardMilliseconds = now
      return scan(bytes, now)
    case (.following, .stream):
      heardMilliseconds = now
      schedule.received(bytes, now: now)
      return scan(bytes, now)
    default: return false
    }
  }

  /// The source has nothing more to say of the snapshot now. Behind a mark it waits for our
  /// acknowledgement, so that a mark followed by nothing is the snapshot's end.
  mutating func paused() {
    switch state {
    case .snapshot(let start, _), .both(let start):
      guard case .mark(let mark) = start.framing, schedule.isAtMark else { return }
      finishSnapshot(start, markBytes: mark.count)
    default: break
    }
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

  mutating func noteOffsets() {
    guard let scanner else { return }
    status.receivedOffset = scanner.received
    status.boundaryOffset = scanner.boundary
  }

  // MARK: - Acknowledging

  /// The acknowledgement to send now, if one is due.
  ///
  /// None during a marked snapshot: it could reach the source when that has just sent the mark, and
  /// the stream would come right behind it, so that the mark is no longer the last there is.
  ///
  /// - Parameter applied: what is applied at every destination. No more is acknowledged than was
  ///   received: it may be of a history that is over.
  mutating func acknowledgement(of applied: UInt64, isAsked: Bool, now: Int64) -> UInt64? {
    switch state {
    case .snapshot(let start, _) where start.framing.isMarked: return nil
    case .snapshot, .both, .following:
      guard isResumable, schedule.take(isAsked: isAsked, now: now) else { return nil }
      guard let scanner else { return 0 }
      return withheld.acknowledged(applied: applied, received: scanner.received, now: now)
    default: return nil
    }
  }
}
