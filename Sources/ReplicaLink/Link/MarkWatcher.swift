// Notices that a marked snapshot may have ended, from its last bytes alone.

/// Compares the last 40 bytes received with the mark of an `$EOF:` framed snapshot.
///
/// A hit is a hint, not a proof: the mark may occur in the data. It is enough for what it is used
/// for, an early acknowledgement, which does no harm when the snapshot goes on after all.
struct MarkWatcher: Sendable {
  private let mark: [UInt8]
  private var tail: [UInt8] = []

  init(mark: [UInt8]) {
    self.mark = mark
  }

  /// Takes the bytes just received; true when everything received so far ends with the mark.
  mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if bytes.count >= mark.count {
      tail = Array(bytes.suffix(mark.count))
    } else {
      tail.append(contentsOf: bytes)
      tail.removeFirst(max(0, tail.count - mark.count))
    }
    return tail == mark
  }
}
