// Printable: bytes of a key, which may be anything, as text that cannot harm a terminal or a log.

/// Makes keys readable.
enum Printable {
  /// The most columns that the bytes of a key take.
  static let columnsMax = 60

  /// The key as it is where it is plain; otherwise in quotes with `\n`, `\r`, `\t`, `\"`, `\\` and
  /// `\xNN`, the way redis-cli shows it. A long one is cut, and its length said.
  static func key(_ bytes: [UInt8]) -> String {
    key(bytes.span)
  }

  /// The same for bytes that are borrowed.
  static func key(_ bytes: Span<UInt8>) -> String {
    key(bytes, columnsMax: columnsMax)
  }

  /// The key, however long it is: no two keys have the same text.
  static func wholeKey(_ bytes: [UInt8]) -> String {
    wholeKey(bytes.span)
  }

  /// The same for bytes that are borrowed.
  static func wholeKey(_ bytes: Span<UInt8>) -> String {
    key(bytes, columnsMax: .max)
  }

  private static func key(_ bytes: Span<UInt8>, columnsMax: Int) -> String {
    var text = ""
    var needsQuotes = bytes.isEmpty
    var columns = 0
    for index in bytes.indices {
      let piece = escaped(bytes[index])
      if columns + piece.utf8.count > columnsMax {
        return "\"\(text)\"... (\(bytes.count) bytes)"
      }
      columns += piece.utf8.count
      text += piece
      needsQuotes = needsQuotes || piece.utf8.count > 1 || piece == " "
    }
    return needsQuotes ? "\"\(text)\"" : text
  }

  private static func escaped(_ byte: UInt8) -> String {
    switch byte {
    case UInt8(ascii: "\n"): return "\\n"
    case UInt8(ascii: "\r"): return "\\r"
    case UInt8(ascii: "\t"): return "\\t"
    case UInt8(ascii: "\""): return "\\\""
    case UInt8(ascii: "\\"): return "\\\\"
    case 0x20...0x7E: return String(UnicodeScalar(byte))
    default: return "\\x" + hexadecimal(byte)
    }
  }
}
