// One reply of a server, held whole: for conversations of a few commands. The replay, which sees
// millions of replies and wants only their errors, uses ReplyScanner instead.

/// A RESP2 reply.
public enum RESPValue: Sendable, Equatable {
  /// A status line such as `OK`.
  case simple(String)
  /// An error line such as `NOAUTH Authentication required.`
  case error(String)
  /// A number.
  case integer(Int64)
  /// Bytes.
  case bulk([UInt8])
  /// The absence of a value, in either of its two forms.
  case null
  /// A list of replies.
  case array([RESPValue])

  /// The text of a status or of bytes (repaired where they are not UTF-8), or a number's digits.
  public var text: String? {
    switch self {
    case .simple(let line): line
    case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
    case .integer(let value): String(value)
    default: nil
    }
  }

  /// The number, also where it came as text.
  public var integer: Int64? {
    if case .integer(let value) = self { return value }
    return text.flatMap { Int64($0) }
  }

  /// The elements of a list.
  public var array: [RESPValue]? {
    if case .array(let elements) = self { return elements }
    return nil
  }

  /// The error line.
  public var errorLine: String? {
    if case .error(let line) = self { return line }
    return nil
  }
}

/// Reads whole replies out of bytes that are in memory.
enum RESPReader {
  /// Lists deeper than this are refused; no command this program sends comes near.
  static let depthMax = 16
  /// The longest bulk string a server may send, the servers' own default limit.
  static let bulkBytesMax = 512 << 20

  enum Failure: Error {
    case needsInput
    case malformed(String)
  }

  /// Reads the reply that begins at `position` and moves `position` behind it.
  static func read(
    _ bytes: UnsafeRawBufferPointer, _ position: inout Int, depth: Int = 0
  ) throws(Failure) -> RESPValue {
    guard position < bytes.count else { throw .needsInput }
    let kind = bytes[position]
    switch kind {
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
      let line = try readLine(bytes, &position)
      let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[line]), as: UTF8.self)
      return kind == UInt8(ascii: "+") ? .simple(text) : .error(text)
    case UInt8(ascii: ":"):
      return .integer(try readNumber(bytes, &position))
    case UInt8(ascii: "$"):
      return try readBulk(bytes, &position)
    case UInt8(ascii: "*"):
      guard depth < depthMax else { throw .malformed("lists nested too deep") }
      let count = try readNumber(bytes, &position)
      if count < 0 { return .null }
      var elements: [RESPValue] = []
      for _ in 0..<count { elements.append(try read(bytes, &position, depth: depth + 1)) }
      return .array(elements)
    default:
      throw .malformed("a reply cannot begin with the byte \(kind)")
    }
  }

  private static func readBulk(
    _ bytes: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(Failure) -> RESPValue {
    let length = try readNumber(bytes, &position)
    if length < 0 { return .null }
    guard length <= bulkBytesMax else { throw .malformed("a string of \(length) bytes") }
    let end = position + Int(length)
    guard end + 2 <= bytes.count else { throw .needsInput }
    let value = Array(bytes[position..<end])
    position = end + 2
    return .bulk(value)
  }

  private static func readNumber(
    _ bytes: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(Failure) -> Int64 {
    let line = try readLine(bytes, &position)
    guard let value = RESPNumber.parse(UnsafeRawBufferPointer(rebasing: bytes[line])) else {
      throw .malformed("a length that is not a number")
    }
    return value
  }

  /// The content of the line that begins at `position`, without its first byte and its end.
  private static func readLine(
    _ bytes: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(Failure) -> Range<Int> {
    var end = position + 1
    while end + 1 < bytes.count {
      if bytes[end] == 13 && bytes[end + 1] == 10 {
        let line = position + 1..<end
        position = end + 2
        return line
      }
      end += 1
    }
    throw .needsInput
  }
}

/// The numbers in RESP headers.
enum RESPNumber {
  /// The value of decimal digits with an optional minus; nil for anything else or an overflow.
  @inline(__always)
  static func parse(_ digits: UnsafeRawBufferPointer) -> Int64? {
    var position = 0
    var isNegative = false
    if digits.count > 0 && digits[0] == UInt8(ascii: "-") {
      isNegative = true
      position = 1
    }
    guard position < digits.count && digits.count - position <= 19 else { return nil }
    var value: UInt64 = 0
    while position < digits.count {
      let digit = digits[position] &- 48
      guard digit < 10 else { return nil }
      // 19 digits stay below 10^19 and so below 2^64.
      value = value &* 10 &+ UInt64(digit)
      position += 1
    }
    return isNegative
      ? (value <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- value) : nil)
      : Int64(exactly: value)
  }
}
