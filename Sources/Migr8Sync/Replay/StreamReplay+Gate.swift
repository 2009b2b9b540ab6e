// What a replay does at the gate: waits in front of it, and looks at what it never lets through.

import ReplicaLink

extension StreamReplay {
  /// Waits until the command at hand may be applied; false when it never will be.
  ///
  /// A transaction of the source that has begun goes through to its end, whatever the gate says: what
  /// lowers the gate for good names an end that no transaction spans.
  mutating func mayPass() throws(ReplayError) -> Bool {
    let gate = replay.host.gate
    while true {
      switch gate.verdict(on: decoder.startOffset) {
      case .apply: return true
      case .passOver: return false
      case .wait:
        if lane.isInTransaction { return true }
        try serveRepairs(isIdle: true)
        try lane.flush()
        replay.streamCounters.publish(counts)
        if replay.host.isStopRequested {
          try lane.drain()
          throw .interrupted
        }
        try replay.progress.throwFailure()
        gate.wait(milliseconds: Feed.patienceMilliseconds)
      }
    }
  }

  /// Looks at a command behind the end: one that would have been applied is worth a word.
  mutating func passOver() throws(ReplayError) {
    let start = decoder.startOffset
    var decision = decoder.withCommand { (bytes, arguments) in
      router.route(Span(_unsafeBytes: bytes), arguments: arguments.span, startOffset: start)
    }
    if decision == .needsKeys { decision = try askForKeys(start) }
    switch decision {
    case .forward, .rewritten, .repair, .clear, .flush, .swap, .resynchronise, .stop:
      replay.lateWrites.note(
        decoder.withCommand { (bytes, arguments) in
          decision.summary(
            Span(_unsafeBytes: bytes), arguments: arguments.span, database: router.database,
            offset: start)
        })
    case .drop, .begin, .commit, .abort, .acknowledge, .consumed, .needsKeys: break
    }
    seen(decoder.endOffset)
  }

  /// The same for a command that comes in parts, by its beginning.
  mutating func passOverLarge() throws(ReplayError) {
    let start = decoder.startOffset
    let note = decoder.withHead { (bytes, arguments) -> String? in
      let bytes = Span<UInt8>(_unsafeBytes: bytes)
      guard arguments.count > 1, router.mapping.filter.matches(key: bytes.extracting(arguments[1]))
      else { return nil }
      return RoutingDecision.consumed.summary(
        bytes, arguments: arguments.span.extracting(first: 2), database: router.database,
        offset: start)
    }
    if let note { replay.lateWrites.note(note) }
    decoder.beginParts()
    while try nextPart() != .lastPart {}
    seen(decoder.endOffset)
  }

  /// Remembers the key of a command for the last check of a cutover.
  mutating func remember(_ decision: RoutingDecision) {
    switch decision {
    case .forward, .rewritten, .repair: break
    default: return
    }
    let database = router.database
    let start = decoder.startOffset
    if start >= replay.host.gate.carriedFrom.load(ordering: .relaxed) {
      replay.carriedWrites.note(
        decoder.withCommand { (bytes, arguments) in
          decision.summary(
            Span(_unsafeBytes: bytes), arguments: arguments.span, database: database, offset: start)
        })
    }
    decoder.withCommand { (bytes, arguments) in
      guard arguments.count > 1 else { return }
      let key = Span<UInt8>(_unsafeBytes: bytes).extracting(arguments[1])
      guard router.mapping.filter.matches(key: key) else { return }
      replay.recentKeys.note(key, database: database)
    }
  }

  private mutating func seen(_ offset: UInt64) {
    replay.lateWrites.seenOffset.store(offset, ordering: .releasing)
    replay.host.gate.note()
  }
}
