// A look at a stream's end before its commands are made. Which entries are pending stands behind the
// entries; but one that is pending and has been deleted must be put back between its neighbours while
// it is claimed, so its id has to be known first (see CommandBuilder+StandIns.swift).

extension RDBReader {
  /// Gathers the ids of a stream's pending entries, and goes back to its start. What is not a stream,
  /// or too large to be held, is left alone.
  ///
  /// Damage is left for the reading that follows: it says where it is.
  /// - Returns: false when more bytes are wanted.
  mutating func lookAhead() throws(RDBError) -> Bool {
    if position == entry.valueOffset { commands.pendingIDs.removeAll(keepingCapacity: true) }
    guard entry.type.isStream else { return true }
    let result = gatherPendingIDs()
    if result == .short {
      // What is known to be left decides, not what has arrived.
      let (known, overflow) = UInt64(consumed - retained).addingReportingOverflow(walker.payload)
      if !overflow && known <= UInt64(commandOptions.streamBytesHeldMax) {
        try checkUnfinished()
        return false
      }
    }
    if result != .done || consumed - retained > commandOptions.streamBytesHeldMax {
      commands.pendingIDs.removeAll()
    }
    commands.sortPendingIDs()
    consumed = retained
    walker.begin(valueStart)
    return true
  }

  private mutating func gatherPendingIDs() -> WalkResult {
    var scanner = window.scanner(from: consumed)
    var walker = self.walker
    defer {
      self.walker = walker
      consumed = scanner.position
    }
    while true {
      if walker.payload > 0 && !walker.passPayload(&scanner) { return .short }
      if walker.upcoming(steps.span).form == .done { return .done }
      var walked = WalkedStep()
      let result = walker.step(&scanner, steps.span, &walked)
      if result != .done { return result }
      if walked.kind == .pendingID {
        commands.pendingIDs.append(ElementDecoder.streamID(scanner, at: walked.start))
      }
    }
  }
}
