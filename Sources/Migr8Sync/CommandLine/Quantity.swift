// Quantity: numbers, sizes and times as an operator writes them.

/// Reads quantities; `nil` for anything that is not exactly one.
enum Quantity {
  /// A decimal number without a sign.
  static func number(_ text: String) -> UInt64? {
    guard let (value, unit) = split(text), unit.isEmpty else { return nil }
    return value
  }

  /// A number of bytes: plain, or with `b`, `kb`, `mb`, `gb`, `tb` in any case; a kb is 1024.
  static func bytes(_ text: String) -> UInt64? {
    guard let (value, unit) = split(text) else { return nil }
    let shift: UInt64? =
      switch unit.lowercased() {
      case "", "b": 0
      case "kb": 10
      case "mb": 20
      case "gb": 30
      case "tb": 40
      default: nil
      }
    guard let shift else { return nil }
    let (product, overflows) = value.multipliedReportingOverflow(by: 1 << shift)
    return overflows ? nil : product
  }

  /// A time in milliseconds, always with its unit: `ms`, `s` or `m`.
  static func milliseconds(_ text: String) -> UInt64? {
    guard let (value, unit) = split(text) else { return nil }
    let factor: UInt64? =
      switch unit {
      case "ms": 1
      case "s": 1000
      case "m": 60_000
      default: nil
      }
    guard let factor else { return nil }
    let (product, overflows) = value.multipliedReportingOverflow(by: factor)
    return overflows ? nil : product
  }

  /// Keys in a second.
  static func keyRate(_ text: String) -> UInt64? {
    number(text).flatMap { (1...1_000_000_000).contains($0) ? $0 : nil }
  }

  /// The decimal number at the start of a text, and what follows it.
  private static func split(_ text: String) -> (value: UInt64, unit: String)? {
    let digits = text.prefix { $0 >= "0" && $0 <= "9" }
    guard let value = UInt64(digits) else { return nil }
    return (value, String(text.dropFirst(digits.count)))
  }
}
