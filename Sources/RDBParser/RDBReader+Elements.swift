// Element reading of values: one event per field, member, item, stream entry and so on.

extension RDBReader {
  /// Hands out the next element of the last entry's value.
  ///
  /// Call it after `.entry`, instead of `readValue`, until it returns `.end`; or go on with `next` at
  /// any time. Memory: one element, and the packed value it stands in.
  /// - Throws: `RDBError` on damage anywhere in the value.
  public mutating func nextElement() throws(RDBError) -> RDBElement {
    if let failure { throw failure }
    if phase == .value {
      precondition(position == entry.valueOffset, "the value is being read raw already")
      decoder.begin(valueStart)
      phase = .elements
    }
    precondition(phase == .elements, "nextElement() belongs after .entry")
    var scanner = window.scanner(from: consumed)
    decoder.base = windowOffset
    let element: RDBElement
    do throws(RDBError) {
      element = try decoder.next(&scanner)
    } catch {
      var located = located(error.code, at: consumed, detail: error.detail)
      located.offset = error.offset
      failure = located
      throw located
    }
    consumed = scanner.position
    retained = consumed
    if case .input(let range) = decoder.lent { retained = range.lowerBound }
    switch element {
    case .needsInput: try checkUnfinished()
    case .end: phase = .valueRead
    default: break
    }
    return element
  }

  /// Lends the bytes of the last element: an item, a member, a field's name, a group's name, a part
  /// of a string.
  public func withElement<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try decoder.withElement(window, body)
  }

  /// Lends the value of the last `.hashField`.
  public func withElementValue<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try decoder.withSecond(body)
  }

  /// What the stream being read says about itself; complete from `.streamInfo` on.
  public var streamInfo: RDBStreamInfo { decoder.stream }

  /// Lends name and value of one field of the last `.streamEntry`.
  public func withElementField<R: ~Copyable, E: Error>(
    _ index: Int, _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try decoder.withField(index, body)
  }
}

extension RDBReader {
  /// Reads the last entry's value whole. For values known to be small: it is all held in memory.
  ///
  /// - Returns: nil when more bytes are wanted; what has been read so far is kept.
  /// - Throws: `RDBError` on damage, `.limitExceeded` for values above `wholeValueLimit`.
  public mutating func readWholeValue() throws(RDBError) -> RDBValue? {
    if phase == .value { gathered = RDBValueGatherer() }
    while true {
      let element = try nextElement()
      if element == .needsInput { return nil }
      if element == .end { return gathered.value(of: entry.type) }
      gathered.add(element, from: decoder, window)
      guard gathered.size <= options.wholeValueLimit else {
        throw failed(
          .limitExceeded, at: consumed, detail: "a value above \(options.wholeValueLimit) bytes")
      }
    }
  }
}
