// LZF decompression, the compression RDB strings may use. Input comes from the wire: every
// instruction is checked against both buffers before a byte is copied. Facts: rdb-format.md §2.

/// Decompression of LZF data as found in RDB strings.
public enum LZF {
  /// No valid input can grow by more than this factor: 3 bytes of input give at most 264.
  public static let expansionMax = 88
  /// How far back a reference can reach.
  static let distanceMax = 8192

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
    var progress = LZFProgress()
    let isSound = run(source, input.count, target, output.count, &progress)
    return isSound && progress.read == input.count && progress.written == output.count
  }

  /// Decodes instructions until the input has no whole one left or the next does not fit into the
  /// output. Both may be windows of something larger: references reach back through what stands
  /// before `written` in the target.
  ///
  /// - Returns: false when a reference reaches back too far.
  static func run(
    _ source: UnsafeRawPointer, _ inputEnd: Int, _ target: UnsafeMutableRawPointer,
    _ outputEnd: Int, _ progress: inout LZFProgress
  ) -> Bool {
    var read = progress.read
    var written = progress.written
    var isFull = false
    defer { progress = LZFProgress(read: read, written: written, isFull: isFull) }
    while read < inputEnd {
      let control = Int(source.load(fromByteOffset: read, as: UInt8.self))
      if control < 32 {
        let length = control + 1
        guard length < inputEnd - read else { return true }
        guard length <= outputEnd - written else {
          isFull = true
          return true
        }
        copyBytes(to: target + written, from: source + read + 1, count: length)
        read += length + 1
        written += length
        continue
      }
      var length = control >> 5
      let operands = length == 7 ? 2 : 1
      guard operands < inputEnd - read else { return true }
      if operands == 2 { length += Int(source.load(fromByteOffset: read + 1, as: UInt8.self)) }
      length += 2
      guard length <= outputEnd - written else {
        isFull = true
        return true
      }
      let low = Int(source.load(fromByteOffset: read + operands, as: UInt8.self))
      let distance = ((control & 31) << 8 | low) + 1
      guard distance <= written else { return false }
      copyBack(target, at: written, distance: distance, length: length)
      read += operands + 1
      written += length
    }
    return true
  }

  /// Copies `length` bytes from `distance` back. Source and target may overlap, in which case the
  /// bytes just written are read again: that is how LZF repeats a pattern.
  @inline(__always)
  private static func copyBack(
    _ target: UnsafeMutableRawPointer, at written: Int, distance: Int, length: Int
  ) {
    if distance >= length {
      copyBytes(to: target + written, from: target + (written - distance), count: length)
      return
    }
    for index in written..<(written + length) {
      let byte = target.load(fromByteOffset: index - distance, as: UInt8.self)
      target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
  }
}

/// How far a decompression has come, as offsets into its input and output.
struct LZFProgress {
  var read = 0
  var written = 0
  /// Whether it stopped because the next instruction's output does not fit.
  var isFull = false
}
