// CRC-64 as RDB files and DUMP payloads use it (Jones polynomial). Facts: rdb-format.md §7.

internal import CIntrinsics

/// CRC-64/Jones: polynomial ad93d23594c935a9, reflected, initial value 0, no final XOR.
///
/// The checksum of "123456789" is e9c6d914c4b8d9ca. Values chain: the checksum of two parts is
/// `update(update(0, first), second)`.
public enum CRC64 {
  /// Continues `crc` over `bytes`. Cost: at memory speed where the processor multiplies without carry;
  /// elsewhere about half a nanosecond per byte.
  public static func update(_ crc: UInt64, _ bytes: Span<UInt8>) -> UInt64 {
    bytes.withUnsafeBytes { buffer in update(crc, buffer) }
  }

  /// The raw-memory twin of `update(_:_:)`.
  public static func update(_ crc: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
    guard let base = bytes.baseAddress else { return crc }
    return update(crc, base, bytes.count)
  }

  /// Continues `crc` over one byte.
  public static func update(_ crc: UInt64, _ byte: UInt8) -> UInt64 {
    tables[Int(truncatingIfNeeded: (crc ^ UInt64(byte)) & 255)] ^ crc >> 8
  }

  /// `tables[256 * k + b]` is the effect of byte b with k more bytes behind it. Built once; never
  /// freed or written again, which is why the pointer may be shared between threads.
  private nonisolated(unsafe) static let tables: UnsafePointer<UInt64> = {
    let reflectedPolynomial: UInt64 = 0x95ac_9329_ac4b_c9b5
    let tables = UnsafeMutablePointer<UInt64>.allocate(capacity: 16 * 256)
    for index in 0..<256 {
      var crc = UInt64(index)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ reflectedPolynomial : crc >> 1 }
      tables[index] = crc
    }
    for index in 256..<(16 * 256) {
      let previous = tables[index - 256]
      tables[index] = tables[Int(previous & 255)] ^ previous >> 8
    }
    return UnsafePointer(tables)
  }()

  /// The lookups for one word whose last byte has `behind` bytes of the same step after it.
  @inline(__always)
  private static func fold(
    _ tables: UnsafePointer<UInt64>, _ word: UInt64, behind: Int
  ) -> UInt64 {
    let top = tables + 256 * (behind + 7)
    // Eight lookups into different tables: independent of each other, so they overlap.
    let first = top[Int(word & 255)] ^ (top - 256)[Int(word >> 8 & 255)]
    let second = (top - 512)[Int(word >> 16 & 255)] ^ (top - 768)[Int(word >> 24 & 255)]
    let third = (top - 1024)[Int(word >> 32 & 255)] ^ (top - 1280)[Int(word >> 40 & 255)]
    let fourth = (top - 1536)[Int(word >> 48 & 255)] ^ (top - 1792)[Int(word >> 56)]
    return (first ^ second) ^ (third ^ fourth)
  }

  /// Whether the processor has the instruction.
  private static let multiplies = migr8sync_crc64_has_instruction()
  /// Fewer bytes than this the tables have summed up sooner.
  private static let multipliedBytesMin = 48

  static func update(_ initial: UInt64, _ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    guard count >= multipliedBytesMin, multiplies else { return sliced(initial, base, count) }
    let blocks = count & ~15
    let crc = migr8sync_crc64_blocks(
      initial, base.assumingMemoryBound(to: UInt8.self), blocks)
    return sliced(crc, base + blocks, count - blocks)
  }

  /// The same by tables, 16 bytes at a step.
  static func sliced(_ initial: UInt64, _ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    let tables = tables
    var crc = initial
    var offset = 0
    while offset + 16 <= count {
      let low = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      let high = UInt64(
        littleEndian: base.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
      crc = fold(tables, low ^ crc, behind: 8) ^ fold(tables, high, behind: 0)
      offset += 16
    }
    if offset + 8 <= count {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      crc = fold(tables, word ^ crc, behind: 0)
      offset += 8
    }
    while offset < count {
      let byte = base.load(fromByteOffset: offset, as: UInt8.self)
      crc = tables[Int((crc ^ UInt64(byte)) & 255)] ^ crc >> 8
      offset += 1
    }
    return crc
  }
}
