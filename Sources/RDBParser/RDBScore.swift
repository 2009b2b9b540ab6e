// Scores of sorted sets as text: read exactly, written so that they read back as the same number.

#if canImport(Glibc)
  import Glibc
#endif

/// Conversion between scores and their text.
enum RDBScore {
  /// Powers of ten that a double holds exactly.
  private static let exactPowers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]

  /// The number nearest to the text, which servers write as `%.17g` or as shortest form.
  /// Nil for what is not a number, NaN included: no server accepts it as a score.
  static func parse(_ text: Span<UInt8>) -> Double? {
    if let value = parseSimple(text) { return value }
    guard !text.isEmpty && text.count <= lengthMax else { return nil }
    var copy: InlineArray<65, UInt8> = .init(repeating: 0)
    for index in text.indices { copy[index] = text[index] }
    guard let value = parse(copy, text.count), !value.isNaN else { return nil }
    return value
  }

  /// Longer texts are no scores: `%.17g` needs 24 characters.
  private static let lengthMax = 64

  /// The C library's conversion is exact and several times faster than the one of `String`, which
  /// serves where the process has set a locale with another decimal point.
  private static func parse(_ text: InlineArray<65, UInt8>, _ length: Int) -> Double? {
    text.span.withUnsafeBytes { bytes -> Double? in
      guard let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
      var end: UnsafeMutablePointer<CChar>?
      let value = strtod(start, &end)
      if UnsafePointer(end) == start + length && bytes[0] > 0x20 { return value }
      return Double(String(decoding: bytes[..<length], as: UTF8.self))
    }
  }

  /// Digits with at most one point, when mantissa and power of ten are both exact: one rounding
  /// then gives the nearest number. Nil for everything else.
  private static func parseSimple(_ text: Span<UInt8>) -> Double? {
    var index = 0
    let isNegative = !text.isEmpty && text[0] == UInt8(ascii: "-")
    if isNegative { index = 1 }
    var mantissa: UInt64 = 0
    var digits = 0
    var decimals = -1
    while index < text.count {
      let byte = text[index]
      if byte == UInt8(ascii: ".") && decimals < 0 {
        decimals = 0
      } else {
        let digit = byte &- UInt8(ascii: "0")
        guard digit <= 9 && digits < 18 else { return nil }
        mantissa = mantissa * 10 + UInt64(digit)
        digits += 1
        if decimals >= 0 { decimals += 1 }
      }
      index += 1
    }
    guard digits > 0 && mantissa <= 1 << 53 else { return nil }
    let value = Double(mantissa) / exactPowers[max(decimals, 0)]
    return isNegative ? -value : value
  }

  /// Appends the shortest text that reads back as the same number.
  static func append(_ score: Double, to store: inout OwnedBytes) {
    if score.magnitude < 1e15, Double(Int64(score)) == score {
      // Integers without a point; the sign of zero is kept.
      let integer = Int64(score)
      if integer == 0 && score.sign == .minus { store.append(UInt8(ascii: "-")) }
      store.appendDecimal(integer)
      return
    }
    for byte in score.description.utf8 { store.append(byte) }
  }
}
