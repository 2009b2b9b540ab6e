// HumanNumber: counts, sizes, times and rates the way a person reads them.

/// Formats numbers for a person.
enum HumanNumber {
  /// All digits, in groups of three: `1,234,567`.
  static func count(_ value: UInt64) -> String {
    let digits = String(value)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.utf8.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// Three digits and a unit of 1000 from 10,000 on: `9,999`, `12.3k`, `1.20M`.
  static func short(_ value: UInt64) -> String {
    if value < 10_000 { return count(value) }
    return scaled(value, base: 1000, units: ["", "k", "M", "G", "T", "P", "E"])
  }

  /// Three digits and a unit of 1024, as in the sizes that options take: `512 B`, `1.84 MB`.
  static func bytes(_ value: UInt64) -> String {
    if value < 1024 { return "\(value) B" }
    return scaled(value, base: 1024, units: [" B", " KB", " MB", " GB", " TB", " PB", " EB"])
  }

  /// The two largest units: `340 ms`, `3.4 s`, `42 s`, `2 min 10 s`, `1 h 5 min`, `2 d 3 h`.
  static func duration(milliseconds: Int64) -> String {
    let milliseconds = max(0, milliseconds)
    if milliseconds < 1000 { return "\(milliseconds) ms" }
    if milliseconds < 10_000 { return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
    let seconds = milliseconds / 1000
    if seconds < 60 { return "\(seconds) s" }
    let minutes = seconds / 60
    if minutes < 60 { return "\(minutes) min \(seconds % 60) s" }
    let hours = minutes / 60
    return hours < 24 ? "\(hours) h \(minutes % 60) min" : "\(hours / 24) d \(hours % 24) h"
  }

  /// How many a second: `270k keys/s`.
  static func rate(_ perSecond: Double, of unit: String) -> String {
    "\(short(whole(perSecond))) \(unit)/s"
  }

  /// How many bytes a second: `45.2 MB/s`.
  static func byteRate(_ perSecond: Double) -> String {
    "\(bytes(whole(perSecond)))/s"
  }

  /// The nearest whole number there is, whatever the value.
  static func whole(_ value: Double) -> UInt64 {
    UInt64(exactly: value.rounded()) ?? (value > 0 ? UInt64.max : 0)
  }

  /// Cuts after three digits; never rounds up, so that nothing looks fuller than it is.
  private static func scaled(_ value: UInt64, base: UInt64, units: [String]) -> String {
    var unit = 0
    var divisor: UInt64 = 1
    while value / divisor >= base, unit + 1 < units.count {
      divisor *= base
      unit += 1
    }
    let whole = value / divisor
    let rest = Double(value % divisor) / Double(divisor)
    if whole >= 100 || divisor == 1 { return "\(whole)\(units[unit])" }
    if whole >= 10 { return "\(whole).\(Int(rest * 10))\(units[unit])" }
    let hundredths = Int(rest * 100)
    return "\(whole).\(hundredths < 10 ? "0" : "")\(hundredths)\(units[unit])"
  }
}
