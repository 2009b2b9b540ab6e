// OptionValue: what an option was given, and where. A command line is text; a file may hold any bytes.

/// One value of one option.
struct OptionValue: Sendable {
  /// Where a value stands.
  enum Origin: Sendable, Equatable {
    case commandLine
    /// In a file, at a line counted from 1.
    case file(String, line: Int)
  }

  let bytes: [UInt8]
  let origin: Origin

  init(_ text: String) {
    bytes = Array(text.utf8)
    origin = .commandLine
  }

  init(_ bytes: [UInt8], _ origin: Origin) {
    self.bytes = bytes
    self.origin = origin
  }

  var isEmpty: Bool { bytes.isEmpty }

  /// The value as text; nil where it is none.
  var text: String? { String(validating: bytes, as: UTF8.self) }
}
