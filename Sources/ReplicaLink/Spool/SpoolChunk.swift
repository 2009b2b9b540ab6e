// One block of the spool's memory.

/// A fixed block of memory, filled from the front.
///
/// Not Sendable by itself: it belongs to `Spool`, whose single producer writes only behind what is
/// committed, and whose readers copy committed bytes under its lock.
final class SpoolChunk {
  static let byteCount = 1 << 18

  let base = UnsafeMutableRawPointer.allocate(byteCount: SpoolChunk.byteCount, alignment: 64)

  deinit {
    base.deallocate()
  }

  /// The bytes of `range`.
  func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base + range.lowerBound, count: range.count)
  }
}
