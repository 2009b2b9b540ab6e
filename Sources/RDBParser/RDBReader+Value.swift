// Raw reading of values: finding where a value ends, and handing out its bytes as they are.

extension RDBReader {
  /// Hands out the value of the last entry, whole or in chunks; `withValue` lends the bytes.
  ///
  /// Call it after `.entry` until it returns `.whole` or `.lastChunk`. A value is whole exactly when
  /// it has no more than `inlineValueLimit` bytes, however the input arrives.
  /// - Throws: `RDBError` on damage to the value's outer structure.
  public mutating func readValue() throws(RDBError) -> RDBValueStep {
    if let failure { throw failure }
    precondition(phase == .value || phase == .chunks, "readValue() belongs after .entry")
    if phase == .chunks { retained = consumed }
    let isDone = try walk()
    let length = consumed - retained
    if phase == .value {
      // What is known to be left decides, not what has arrived: the same file always comes alike.
      let (known, overflow) = UInt64(length).addingReportingOverflow(walker.payload)
      if !overflow && known <= UInt64(options.inlineValueLimit) {
        guard isDone else {
          try checkUnfinished()
          return .needsInput
        }
        return hand(out: .whole)
      }
      phase = .chunks
    }
    if isDone { return hand(out: .lastChunk) }
    guard length > 0 else {
      try checkUnfinished()
      return .needsInput
    }
    return hand(out: .chunk)
  }

  /// Goes back to the start of a value of which the first `.chunk` or `.lastChunk` has just been
  /// handed out, so that it can be read as elements or commands instead. What `withValue` lent is
  /// gone.
  public mutating func rereadValue() {
    precondition(
      (phase == .chunks || phase == .valueRead)
        && windowOffset + UInt64(retained) == entry.valueOffset,
      "rereadValue() belongs behind the first chunk")
    consumed = retained
    walker.begin(valueStart)
    phase = .value
  }

  @inline(__always)
  private mutating func hand(out step: RDBValueStep) -> RDBValueStep {
    lentValue = retained..<consumed
    if step != .chunk { phase = .valueRead }
    return step
  }

  /// Walks on through what is there, keeping nothing of it.
  /// - Returns: whether the end of the value or opcode payload is reached.
  @inline(__always)
  mutating func passOver() throws(RDBError) -> Bool {
    // Element reading has a walker of its own, which may stand in the middle of the value.
    if phase == .elements {
      walker = decoder.walker
      phase = .chunks
    }
    let isDone = try walk()
    retained = consumed
    return isDone
  }

  /// Moves `consumed` on to the end of the value, or as far as the bytes go.
  @inline(__always)
  private mutating func walk() throws(RDBError) -> Bool {
    var scanner = window.scanner(from: consumed)
    var walker = self.walker
    let result = walker.walk(&scanner, steps.span)
    self.walker = walker
    consumed = scanner.position
    if result == .done { return true }
    if result == .short { return false }
    throw failed(result.code, at: consumed)
  }
}
