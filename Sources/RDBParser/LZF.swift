// LZF decompression, the compression RDB strings may use. Input comes from the wire: every
// instruction is checked against both buffers before a byte is copied. Facts: rdb-format.md §2.

/// Decompression of LZF data as found in RDB strings.
public enum LZF {
  /// No valid input can grow by more than this factor: 3 bytes of input give at most 264.
  public static let expansionMax = 88

  /// Whether `compressed` bytes could decode to `original` bytes at all. Check before allocating.
  public static func isPlausible(compressed: UInt64, original: UInt64) -> Bool {
    let (cap, overflow) = compressed.multipliedReportingOverflow(by: UInt64(expansionMax))
    return overflow || original <= cap
  }

  /// Decompresses `input` so that it fills `output` exactly.
  ///
  /// - Returns: false when the input is damaged or does not give exactly `output.count` bytes; the
  ///   output's contents are then unspecified.
  public static func decompress(
    _ input: Span<UInt8>, into output: inout MutableSpan<UInt8>
  ) -> Bool {
    input.withUnsafeBytes { source in
      output.withUnsafeMutableBytes { target in decompress(source, into: target) }
    }
  }

  /// The raw-memory twin of `decompress(_:into:)`.
  public static func decompress(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard let source = input.baseAddress, let target = output.baseAddress else {
      return input.isEmpty && output.isEmpty
    }
    let inputEnd = input.count
    let outputEnd = output.count
    var read = 0
    var written = 0
    while read < inputEnd {
      let control = Int(source.load(fromByteOffset: read, as: UInt8.self))
      read += 1
      if control < 32 {
        let length = control + 1
        guard length <= inputEnd - read && length <= outputEnd - written else { return false }
        (target + written).copyMemory(from: source + read, byteCount: length)
        read += length
        written += length
        continue
      }
      var length = control >> 5
      if length == 7 {
        guard read < inputEnd else { return false }
        length += Int(source.load(fromByteOffset: read, as: UInt8.self))
        read += 1
      }
      length += 2
      guard read < inputEnd else { return false }
      let low = Int(source.load(fromByteOffset: read, as: UInt8.self))
      let distance = ((control & 31) << 8 | low) + 1
      read += 1
      guard distance <= written && length <= outputEnd - written else { return false }
      copyBack(target, at: written, distance: distance, length: length)
      written += length
    }
    return written == outputEnd
  }

  /// Copies `length` bytes from `distance` back. Source and target may overlap, in which case the
  /// bytes just written are read again: that is how LZF repeats a pattern.
  @inline(__always)
  private static func copyBack(
    _ target: UnsafeMutableRawPointer, at written: Int, distance: Int, length: Int
  ) {
    if distance >= length {
      (target + written).copyMemory(from: target + (written - distance), byteCount: length)
      return
    }
    for index in written..<(written + length) {
      let byte = target.load(fromByteOffset: index - distance, as: UInt8.self)
      target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
  }
}
