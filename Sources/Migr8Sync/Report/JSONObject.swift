// JSONObject: writes JSON by hand. The little that is needed here is not worth Foundation.

/// An object that is written member by member, in order.
struct JSONObject {
  private var members = ""

  /// The finished object, in one line.
  var text: String { "{\(members)}" }

  mutating func add(_ name: String, _ value: String) {
    add(name, raw: Self.quoted(value))
  }

  mutating func add(_ name: String, _ value: UInt64) {
    add(name, raw: String(value))
  }

  mutating func add(_ name: String, _ value: Int64) {
    add(name, raw: String(value))
  }

  mutating func add(_ name: String, _ value: Bool) {
    add(name, raw: value ? "true" : "false")
  }

  mutating func add(_ name: String, _ value: JSONObject) {
    add(name, raw: value.text)
  }

  mutating func add(_ name: String, _ values: [JSONObject]) {
    add(name, raw: "[" + values.map(\.text).joined(separator: ",") + "]")
  }

  mutating func add(_ name: String, _ values: [String]) {
    add(name, raw: "[" + values.map(Self.quoted).joined(separator: ",") + "]")
  }

  mutating func add(_ name: String, _ values: [UInt64]) {
    add(name, raw: "[" + values.map { String($0) }.joined(separator: ",") + "]")
  }

  /// Bytes that may be anything: a string under `name` where they are UTF-8, otherwise hex digits
  /// under `name_hex`, so that nothing is lost and nothing is ambiguous.
  mutating func add(_ name: String, bytes: [UInt8]) {
    if let text = String(validating: bytes, as: UTF8.self) {
      add(name, text)
    } else {
      add(name + "_hex", bytes.map { hexadecimal($0) }.joined())
    }
  }

  private mutating func add(_ name: String, raw value: String) {
    if !members.isEmpty { members += "," }
    members += "\(Self.quoted(name)):\(value)"
  }

  /// A JSON string: quotes, backslashes and control characters escaped, the rest as it is.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\0"..<" ", "\u{7F}": quoted += "\\u00" + hexadecimal(UInt8(scalar.value))
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

/// A byte as two hex digits.
func hexadecimal(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16)
  return digits.utf8.count < 2 ? "0" + digits : digits
}
