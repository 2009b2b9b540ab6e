// Bytes from the wire as text for a terminal or a log: keys are binary and may hold anything, so
// nothing but printable ASCII is shown as it is.

/// Writes bytes the way redis-cli does, in quotes.
enum PrintableBytes {
  /// How much of a key is shown where a message does not say otherwise.
  static let bytesShownMax = 64

  /// The bytes in quotes with `\xNN` and the usual short escapes; what is longer than `limit`
  /// bytes is cut and its length told. Cost: linear in `limit`.
  static func quoted(_ bytes: Span<UInt8>, limit: Int = bytesShownMax) -> String {
    var text = "\""
    for index in 0..<min(bytes.count, limit) { append(bytes[index], to: &text) }
    text += "\""
    if bytes.count > limit { text += "... (\(bytes.count) bytes)" }
    return text
  }

  /// The same without quotes, for words that are mostly plain, such as a command's name.
  static func plain(_ bytes: Span<UInt8>, limit: Int = bytesShownMax) -> String {
    var text = ""
    for index in 0..<min(bytes.count, limit) { append(bytes[index], to: &text) }
    return bytes.count > limit ? text + "..." : text
  }

  private static func append(_ byte: UInt8, to text: inout String) {
    switch byte {
    case UInt8(ascii: "\""): text += "\\\""
    case UInt8(ascii: "\\"): text += "\\\\"
    case UInt8(ascii: "\n"): text += "\\n"
    case UInt8(ascii: "\r"): text += "\\r"
    case UInt8(ascii: "\t"): text += "\\t"
    case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      let digits = String(byte, radix: 16)
      text += byte < 16 ? "\\x0\(digits)" : "\\x\(digits)"
    }
  }
}
