// One block of the spool's memory: filled by the link thread from the front, emptied behind it by
// the replay thread.

/// A fixed block of memory that is written once and read once.
///
/// Not Sendable by itself: `Spool` guards both counters with its monitor, and its single producer
/// writes only behind `committed` while its single consumer reads only before it.
final class SpoolChunk {
  static let byteCount = 1 << 18

  let base = UnsafeMutableRawPointer.allocate(byteCount: SpoolChunk.byteCount, alignment: 64)
  var committed = 0
  var consumed = 0

  deinit {
    base.deallocate()
  }

  var room: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base + committed, count: Self.byteCount - committed)
  }

  var unread: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + consumed, count: committed - consumed)
  }
}
