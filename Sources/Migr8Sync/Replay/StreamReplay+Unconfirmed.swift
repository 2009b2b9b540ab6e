// The stretch of the stream between what the record calls confirmed and its checkpoint. All of it is at the
// destination; but the replies were not read, or what they said could not be told or was not recorded, when the
// last session ended. So nothing of it is sent again but what changes functions and scripts, and what may have
// been refused is repaired.
//
//   ──── confirmed ──── here ──── checkpoint ──── lane ────▶

import ReplicaLink

extension StreamReplay {
  /// Passes over a command that the destination was sent before.
  mutating func passUnconfirmed(to checkpoint: UInt64) throws(ReplayError) {
    let start = decoder.startOffset
    let decision = decoder.withCommand { (bytes, arguments) in
      router.route(Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start)
    }
    switch decision {
    case .needsKeys: try doubtAsked(checkpoint)
    // These read something, or end the run.
    case .acknowledge, .abort, .resynchronise, .stop:
      try carryOut(decision, start, decoder.endOffset)
    default: try doubt(decision, checkpoint)
    }
    try noteUnconfirmed(upTo: decoder.endOffset, checkpoint)
  }

  private mutating func doubt(
    _ decision: RoutingDecision, _ checkpoint: UInt64
  ) throws(ReplayError) {
    let kind = decoder.withCommand { (bytes, arguments) in
      router.kind(of: Span(_unsafeBytes: bytes), arguments: arguments.span)
    }
    switch kind {
    case .asked where decision != .drop(.otherDatabase): try doubtAsked(checkpoint)
    // Libraries are no keys. All of it in order comes to the same, also when it is done twice.
    case .keyless(.code):
      resendsCode = true
      try carryOut(decision, decoder.startOffset, decoder.endOffset)
    default:
      let hasRoom = decoder.withCommand { (bytes, arguments) in
        router.doubt(
          Span(_unsafeBytes: bytes), arguments: arguments.span, atBoundary: checkpoint)
      }
      try checkRoom(hasRoom, checkpoint)
    }
  }

  private mutating func doubtAsked(_ checkpoint: UInt64) throws(ReplayError) {
    try replay.throwIfOver()
    let words = decoder.withCommand { (bytes, arguments) in arguments.map { Array(bytes[$0]) } }
    let keys = try repairs.keys(of: words) ?? []
    try checkRoom(router.doubt(keys, atBoundary: checkpoint), checkpoint)
  }

  /// Passes over a large command of which only the beginning is there, if that says enough.
  mutating func passUnconfirmedLarge(to checkpoint: UInt64) throws(ReplayError) {
    let start = decoder.startOffset
    let hasRoom: Bool? = decoder.withHead { (bytes, arguments) -> Bool? in
      let head = arguments.span.extracting(first: 2)
      let bytes = Span<UInt8>(_unsafeBytes: bytes)
      switch router.routeHead(
        bytes, arguments: head, startOffset: start, rewritesTimeToLive: false)
      {
      case .forward: return router.doubt(bytes, arguments: head, atBoundary: checkpoint)
      case .drop: return true
      default: return nil
      }
    }
    guard let hasRoom else { return }
    try checkRoom(hasRoom, checkpoint)
    try passParts()
    try noteUnconfirmed(upTo: decoder.endOffset, checkpoint)
  }

  private func checkRoom(_ hasRoom: Bool, _ checkpoint: UInt64) throws(ReplayError) {
    if hasRoom { return }
    replay.requestSnapshot(
      "what became of so many commands, up to offset \(checkpoint), is not known that their keys cannot"
        + " be read again one by one")
    throw ReplayError("a new snapshot is needed", .restart)
  }

  private mutating func noteUnconfirmed(
    upTo offset: UInt64, _ checkpoint: UInt64
  ) throws(ReplayError) {
    if offset < checkpoint { return }
    guard offset == checkpoint, !router.isInTransaction else {
      replay.requestSnapshot(
        "the record's offset \(checkpoint) lies inside a command: it is of another history")
      throw ReplayError("a new snapshot is needed", .restart)
    }
    unconfirmedEnd = nil
    if resendsCode {
      try lane.drain()
      try heal()
      resendsCode = false
    }
    lane.confirmBeginning()
    guard router.repairs.hasChanges else { return }
    replay.progress.notices.note(
      "not all replies to the last commands are known: \(router.repairs.count) keys that they may have"
        + " been about are read again from the source")
    lane.note(router.repairs.takeChanges())
  }
}
