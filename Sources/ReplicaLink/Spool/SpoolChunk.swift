// One block of the spool's memory.

/// A fixed block of memory, filled from the front.
///
/// Not Sendable by itself: it belongs to `Spool`, whose single producer writes only behind what is
/// committed, and whose readers copy committed bytes under its lock.
final class SpoolChunk {
  let base: UnsafeMutableRawPointer

  init(byteCount: Int) {
    base = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit {
    base.deallocate()
  }

  /// The bytes of `range`.
  func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base + range.lowerBound, count: range.count)
  }
}
