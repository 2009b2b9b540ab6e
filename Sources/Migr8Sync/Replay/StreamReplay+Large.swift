// Large commands of the stream: passed on, or over, while they arrive, so that their size costs no memory.

import ReplicaLink

extension StreamReplay {
  /// Passes a large command on, or over, while it arrives. Where its beginning does not suffice to
  /// decide, it is collected after all.
  mutating func handleLarge() throws(ReplayError) {
    if !router.repairs.isEmpty || replay.progress.mayHaveRefusals { try serveRepairs() }
    let start = decoder.startOffset
    let (decision, head, place) = decoder.withHead { (bytes, arguments) in
      let decision = router.routeHead(
        Span(_unsafeBytes: bytes), arguments: arguments.span.extracting(first: 2),
        startOffset: start, rewritesTimeToLive: replay.plan.rewritesTimeToLive)
      // An argument is its header, its bytes and the end of a line.
      let place = arguments[0].upperBound + 2..<arguments[1].upperBound + 2
      return (decision, arguments.prefix(2).map { Array(bytes[$0]) }, place)
    }
    switch decision {
    case .forward(let database):
      let key = mapping.destinationKey(of: head[1])
      try lane.beginLarge(
        head: [head[0], key], database: database ?? destinationDatabase, offset: start)
      try forwardParts(key == head[1] ? nil : (place, key))
      lane.endLarge(decoder.endOffset)
    case .drop:
      decoder.beginParts()
      while try nextPart() != .lastPart {}
    default: return
    }
    if let decision { counts.count(decision) }
    try lane.reached(decoder.endOffset, database: router.database)
  }

  /// Sends the command's bytes on, with `key` as the argument at its place: the first part holds it
  /// whole.
  private mutating func forwardParts(
    _ renaming: (place: Range<Int>, key: [UInt8])?
  ) throws(ReplayError) {
    decoder.beginParts()
    var renaming = renaming
    var step = CommandDecoder.PartStep.part
    while step != .lastPart {
      step = try nextPart()
      try decoder.withPart { (bytes) throws(ReplayError) in
        guard let (place, key) = renaming else { return try lane.forwardPart(bytes) }
        var argument = ByteBuffer()
        argument.appendBulk(key.span)
        try lane.forwardPart(UnsafeRawBufferPointer(rebasing: bytes[..<place.lowerBound]))
        try argument.withBytes { (bytes) throws(ReplayError) in try lane.forwardPart(bytes) }
        try lane.forwardPart(UnsafeRawBufferPointer(rebasing: bytes[place.upperBound...]))
      }
      renaming = nil
    }
  }

  /// The next part; waits for it.
  private mutating func nextPart() throws(ReplayError) -> CommandDecoder.PartStep {
    while true {
      let step: CommandDecoder.PartStep
      do {
        step = try decoder.nextPart()
      } catch {
        throw ReplayError(error)
      }
      if step != .needsInput { return step }
      try fill()
    }
  }
}
