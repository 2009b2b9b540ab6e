// JSONValue: reads one JSON text (RFC 8259), as the control socket's requests and answers are. What
// arrives is a stranger's: depth and length are bounded, and nothing that is not JSON passes.

/// A value as JSON has it.
enum JSONValue: Sendable, Equatable {
  case null
  case boolean(Bool)
  /// A number without a fraction that fits.
  case integer(Int64)
  /// Any other number.
  case decimal(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Why a text is no JSON, and where.
  struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
    let reason: String
    let position: Int

    var description: String { "\(reason) at byte \(position)" }
  }

  /// Values deeper than this are refused.
  static let depthMax = 16

  /// Reads a whole text. Cost: linear in its length.
  init(_ bytes: [UInt8]) throws(Problem) {
    var reader = JSONReader(bytes: bytes)
    self = try reader.document()
  }

  /// A member of an object.
  subscript(name: String) -> JSONValue? {
    if case .object(let members) = self { return members[name] }
    return nil
  }

  var text: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  var integer: Int64? {
    if case .integer(let value) = self { return value }
    return nil
  }

  var boolean: Bool? {
    if case .boolean(let value) = self { return value }
    return nil
  }
}

extension JSONValue {
  /// The value as JSON, in one line with its end; members in the order of their names.
  ///
  /// - Parameter member: one more for an object.
  func text(adding member: (name: String, value: String)? = nil) -> String {
    var value = self
    if case .object(var members) = self, let member {
      members[member.name] = .string(member.value)
      value = .object(members)
    }
    return value.compact + "\n"
  }

  private var compact: String {
    switch self {
    case .null: return "null"
    case .boolean(let isSet): return isSet ? "true" : "false"
    case .integer(let value): return "\(value)"
    case .decimal(let value): return "\(value)"
    case .string(let text): return JSONObject.quoted(text)
    case .array(let elements): return "[" + elements.map(\.compact).joined(separator: ",") + "]"
    case .object(let members):
      let parts = members.sorted { $0.key < $1.key }.map {
        "\(JSONObject.quoted($0.key)):\($0.value.compact)"
      }
      return "{" + parts.joined(separator: ",") + "}"
    }
  }
}

/// Walks the bytes of a text.
private struct JSONReader {
  let bytes: [UInt8]
  var position = 0

  mutating func document() throws(JSONValue.Problem) -> JSONValue {
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw problem("something follows the value") }
    return value
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func problem(_ reason: String) -> JSONValue.Problem {
    JSONValue.Problem(reason: reason, position: position)
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 32 || (9...10).contains(byte) || byte == 13 { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONValue.Problem) -> JSONValue {
    skipSpace()
    guard depth <= JSONValue.depthMax else { throw problem("nested too deep") }
    switch next {
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw problem("the text ends too early")
    default: return try number()
    }
  }

  private mutating func word(
    _ word: String, _ value: JSONValue
  ) throws(JSONValue.Problem) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw problem("no value") }
    position += word.utf8.count
    return value
  }

  private mutating func object(_ depth: Int) throws(JSONValue.Problem) -> JSONValue {
    position += 1
    var members: [String: JSONValue] = [:]
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw problem("a member needs a name in quotes") }
      let name = try string()
      guard take(":") else { throw problem("a ':' is missing") }
      guard members.updateValue(try value(depth: depth + 1), forKey: name) == nil else {
        throw problem("a member is there twice")
      }
    } while take(",")
    guard take("}") else { throw problem("a '}' is missing") }
    return .object(members)
  }

  private mutating func array(_ depth: Int) throws(JSONValue.Problem) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    if take("]") { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while take(",")
    guard take("]") else { throw problem("a ']' is missing") }
    return .array(elements)
  }

  // MARK: Numbers

  private mutating func number() throws(JSONValue.Problem) -> JSONValue {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let leadsWithZero = next == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, !(leadsWithZero && whole > 1) else { throw problem("no value") }
    var isWhole = true
    if next == UInt8(ascii: ".") {
      position += 1
      isWhole = false
      guard digits() > 0 else { throw problem("a digit is missing") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      isWhole = false
      if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") { position += 1 }
      guard digits() > 0 else { throw problem("a digit is missing") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw problem("a number too large") }
    return .decimal(value)
  }

  private mutating func digits() -> Int {
    let start = position
    while let byte = next, (48...57).contains(byte) { position += 1 }
    return position - start
  }

  // MARK: Strings

  private mutating func string() throws(JSONValue.Problem) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw problem("a string that is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<32: throw problem("a control character in a string")
      default: text.append(byte)
      }
    }
    throw problem("a string without an end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(JSONValue.Problem) {
    guard let byte = next else { throw problem("a string without an end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"): text += String(Character(try scalar())).utf8
    default: throw problem("an escape that JSON does not have")
    }
  }

  /// The character behind `\u`, of which one beyond the first 65,536 takes two.
  private mutating func scalar() throws(JSONValue.Problem) -> Unicode.Scalar {
    var value = try hexadecimalUnit()
    if (0xD800..<0xDC00).contains(value), bytes[position...].starts(with: [0x5C, 0x75]) {
      position += 2
      let low = try hexadecimalUnit()
      guard (0xDC00..<0xE000).contains(low) else { throw problem("half a character") }
      value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw problem("half a character") }
    return scalar
  }

  private mutating func hexadecimalUnit() throws(JSONValue.Problem) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8? =
        switch next {
        case .some(let byte) where (48...57).contains(byte): byte - 48
        case .some(let byte) where (65...70).contains(byte): byte - 55
        case .some(let byte) where (97...102).contains(byte): byte - 87
        default: nil
        }
      guard let digit else { throw problem("four hexadecimal digits are missing") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
