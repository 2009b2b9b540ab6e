// Words that an operator copies into a shell. What stands in them may come from a stranger, as the name of a
// key does: a shell must find nothing in it to carry out.

/// Makes such words, for any shell of POSIX.
enum ShellWord {
  /// What has no meaning to a shell, nor to a configuration file.
  private static let plain = Set(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-_,@%+=".unicodeScalars)

  /// The word as it is where it is plain; otherwise in single quotes.
  static func quoted(_ word: String) -> String {
    if !word.isEmpty, word.unicodeScalars.allSatisfy(plain.contains) { return word }
    var text = "'"
    // Not by characters: a quote with an accent is another one, and to a shell still a quote.
    for scalar in word.unicodeScalars {
      if scalar == "'" { text += "'\\''" } else { text.unicodeScalars.append(scalar) }
    }
    return text + "'"
  }

  /// The bytes as text that an operator sees as it is, and that a command line takes; nil for others.
  static func text(_ bytes: [UInt8]) -> String? {
    guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
    return text.unicodeScalars.allSatisfy(isVisible) ? text : nil
  }

  /// The bytes as a word of a configuration file (see `ConfigWords`) that a shell, too, takes for nothing but
  /// a word.
  static func configWord(_ bytes: [UInt8]) -> String {
    let pieces = bytes.map { byte in
      let scalar = UnicodeScalar(byte)
      return plain.contains(scalar) ? String(scalar) : "\\x" + hexadecimal(byte)
    }
    return "\"\(pieces.joined())\""
  }

  private static func isVisible(_ scalar: UnicodeScalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: false
    // Stands for bytes that are no text, and is not taken on a command line.
    default: scalar != "\u{FFFD}"
    }
  }
}
