// Small readings of argument bytes, shared by everything that looks into a command.

extension UInt8 {
  /// The lower-case form of an ASCII letter, any other byte unchanged.
  var asciiLowercased: UInt8 {
    self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self
  }
}

extension Span where Element == UInt8 {
  /// Whether the bytes are this word, which is given in lower case, in any case.
  func isWord(_ word: StaticString) -> Bool {
    guard count == word.utf8CodeUnitCount else { return false }
    return word.withUTF8Buffer { letters in
      for index in indices where self[index].asciiLowercased != letters[index] { return false }
      return true
    }
  }

  /// The number these bytes write the way Redis itself accepts an integer: decimal, no sign but a
  /// minus, no leading zero, within 64 bits. Otherwise `nil`.
  var integer: Int64? {
    if isEmpty { return nil }
    let isNegative = self[0] == UInt8(ascii: "-")
    let start = isNegative ? 1 : 0
    guard start < count else { return nil }
    if self[start] == UInt8(ascii: "0") { return count == 1 ? 0 : nil }
    var magnitude: UInt64 = 0
    for index in start..<count {
      let byte = self[index]
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let (tenfold, overflow) = magnitude.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tenfold.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      if overflow || carry { return nil }
      magnitude = sum
    }
    if isNegative {
      return magnitude == Int64.min.magnitude ? Int64.min : Int64(exactly: magnitude).map { -$0 }
    }
    return Int64(exactly: magnitude)
  }
}
