// Scores of sorted sets as text: read exactly, written so that they read back as the same number.

#if canImport(Glibc)
  import Glibc
#endif

/// Conversion between scores and their text.
enum RDBScore {
  /// Powers of ten that fit into 64 bits.
  private static let exactPowers: [UInt64] = {
    var powers: [UInt64] = [1]
    for index in 0..<19 { powers.append(powers[index] * 10) }
    return powers
  }()

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

  /// Digits with at most one point, as nearly all scores are. Nil for everything else.
  private static func parseSimple(_ text: Span<UInt8>) -> Double? {
    let isNegative = !text.isEmpty && text[0] == UInt8(ascii: "-")
    var mantissa: UInt64 = 0
    var hasDigits = false
    var decimals = -1
    for index in (isNegative ? 1 : 0)..<text.count {
      let byte = text[index]
      if byte == UInt8(ascii: ".") && decimals < 0 {
        decimals = 0
        continue
      }
      let digit = byte &- UInt8(ascii: "0")
      // Eighteen digits and one more are less than 2^63.
      guard digit <= 9 && mantissa < 100_000_000_000_000_000 else { return nil }
      mantissa = mantissa * 10 + UInt64(digit)
      hasDigits = true
      if decimals >= 0 { decimals += 1 }
    }
    guard hasDigits && decimals < exactPowers.count else { return nil }
    let value = quotient(mantissa, decimals: max(decimals, 0))
    return isNegative ? -value : value
  }

  /// The number nearest to `mantissa` (below 2^63) divided by a power of ten (up to 10^19).
  private static func quotient(_ mantissa: UInt64, decimals: Int) -> Double {
    if decimals == 0 || mantissa == 0 { return Double(mantissa) }
    let divisor = exactPowers[decimals]
    if mantissa <= 1 << 53 && divisor <= 1 << 53 { return Double(mantissa) / Double(divisor) }
    // Both are shifted to the top, the dividend one bit lower, so that the quotient of the dividend
    // times 2^64 has 63 or 64 bits: ten more than a double keeps. A remainder is noted in the lowest,
    // far below the place that decides rounding; the conversion to Double then rounds once, rightly.
    let dividendShift = mantissa.leadingZeroBitCount - 1
    let divisorShift = divisor.leadingZeroBitCount
    let (whole, rest) = (divisor << UInt64(divisorShift)).dividingFullWidth(
      (mantissa << UInt64(dividendShift), 0))
    // The power of two lies between 2^-126 and 2^-1: its bits are its biased exponent.
    let power = Double(bitPattern: UInt64(1023 + divisorShift - dividendShift - 64) << 52)
    return Double(rest == 0 ? whole : whole | 1) * power
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
