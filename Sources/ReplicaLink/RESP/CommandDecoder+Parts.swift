// Large commands in parts: passed on or passed over while they arrive, so that a value of half a
// gigabyte takes no more memory than one of a kilobyte.

extension CommandDecoder {
  /// What `nextPart()` came to.
  public enum PartStep: Sendable, Equatable {
    /// Nothing new; fill the window.
    case needsInput
    /// `withPart` lends the next bytes of the command.
    case part
    /// `withPart` lends its last bytes; `endOffset` is known.
    case lastPart
  }

  /// Lends what has arrived of a large command, with the arguments that are complete: the name and at
  /// least one more. Only after `.largeCommand`.
  public func withHead<R, E: Error>(
    _ body: (UnsafeRawBufferPointer, ContiguousArray<Range<Int>>) throws(E) -> R
  ) throws(E) -> R {
    precondition(isLargeOffered && !isReady, "no large command was offered")
    let bytes = UnsafeRawBufferPointer(
      start: window.base + headerStart, count: window.count - headerStart)
    return try body(bytes, arguments)
  }

  /// Decides that the command just offered is read in parts, from its `*` on.
  public mutating func beginParts() {
    precondition(isLargeOffered && !isReady, "no large command was offered")
    partArgumentsLeft = expectedArguments - arguments.count
    droppedBytes += headerStart - commandStart
    commandStart = headerStart
    isPartLent = false
  }

  /// Moves on to the next bytes of the command.
  ///
  /// - Throws: `.protocolViolation` with the offset, for bytes that no master sends.
  public mutating func nextPart() throws(LinkError) -> PartStep {
    if isPartLent {
      droppedBytes += scan - commandStart
      commandStart = scan
      isPartLent = false
    }
    let window = UnsafeRawBufferPointer(start: self.window.base, count: self.window.count)
    while partArgumentsLeft > 0, try walkArgument(window) {}
    guard scan > commandStart || partArgumentsLeft == 0 else { return .needsInput }
    isPartLent = true
    guard partArgumentsLeft == 0 else { return .part }
    isReady = true
    endOffset = startOffset + UInt64(droppedBytes + scan - commandStart)
    return .lastPart
  }

  /// Lends the bytes that the last `nextPart()` announced.
  public func withPart<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    precondition(isPartLent, "no part is lent")
    return try body(
      UnsafeRawBufferPointer(start: window.base + commandStart, count: scan - commandStart))
  }

  /// Goes through one argument as far as it is there. False: needs input.
  private mutating func walkArgument(_ window: UnsafeRawBufferPointer) throws(LinkError) -> Bool {
    guard try readBulkHeader(window, lengthMax: Self.commandBytesMax) else { return false }
    let taken = min(pendingBulk, window.count - scan)
    scan += taken
    pendingBulk -= taken
    guard pendingBulk == 0, window.count - scan >= 2 else { return false }
    guard window[scan] == 13 && window[scan + 1] == 10 else {
      throw violation("an argument longer than its length says", at: scan)
    }
    scan += 2
    pendingBulk = -1
    partArgumentsLeft -= 1
    return true
  }
}
