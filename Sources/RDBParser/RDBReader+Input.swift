// How bytes get into a reader, and the checksum over those that have been read.

extension RDBReader {
  /// Lends writable room for at least `minimum` bytes at the window's end; `body` returns how many
  /// it filled. What `withKey`, `withValue` and the others lend stays as it is.
  ///
  /// - Throws: what `body` throws; the window is then unchanged.
  /// - Cost: none beyond `body` most times; now and then the window moves or grows, which costs in
  ///   all no more than a copy of the input.
  public mutating func fill<E: Error>(
    minimum: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) -> Int {
    if phase != .ended { sumUp(to: consumed) }
    let moved = window.makeRoom(max(minimum, 1), keeping: retained)
    if moved > 0 {
      windowOffset += UInt64(moved)
      consumed -= moved
      retained -= moved
      summed -= moved
      decoder.inputMoved(by: moved)
      lentValue = (lentValue.lowerBound - moved)..<(lentValue.upperBound - moved)
    }
    return try window.append(minimum: max(minimum, 1), body)
  }

  /// Takes in a copy of `bytes`.
  public mutating func append(_ bytes: Span<UInt8>) {
    guard !bytes.isEmpty else { return }
    _ = fill(minimum: bytes.count) { room in
      bytes.withUnsafeBytes { source in room.copyMemory(from: source) }
      return bytes.count
    }
  }

  /// Says that no more bytes will come: from now on the want of more is a `.truncated` error.
  public mutating func finishInput() { isFinished = true }

  /// Brings the checksum up to a window position. One that has gone back in order to read a value
  /// again is behind it already.
  mutating func sumUp(to place: Int) {
    guard place > summed else { return }
    if options.verifiesChecksum {
      let scanner = window.scanner(from: summed)
      checksum = CRC64.update(checksum, scanner.pointer(summed), place - summed)
    }
    summed = place
  }
}
