// The words of ACL commands that an operator copies: read alike by redis-cli and, behind it, by a shell.

/// Makes such words.
enum ACLWord {
  /// A word in single quotes where one of the two would take it for something else. One that holds such a
  /// quote itself only a shell can read.
  static func quoted(_ word: String) -> String {
    let isPlain = word.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "+-@_".contains($0))
    }
    if isPlain { return word }
    return word.unicodeScalars.contains("'") ? ShellWord.quoted(word) : "'\(word)'"
  }

  /// The word that opens all keys that begin like this.
  ///
  /// In the place of what no pattern of a server may hold (white space, a zero), of a quote, and of what
  /// cannot be seen stands a `?`, which is any byte: a little more than was asked for is open then.
  static func keys(beginning: [UInt8]) -> String {
    // Bytes that are no text become zeros, and those question marks.
    let text =
      String(validating: beginning, as: UTF8.self)
      ?? String(decoding: beginning.map { $0 < 0x80 ? $0 : 0 }, as: UTF8.self)
    var pattern = ""
    for scalar in text.unicodeScalars {
      let bytes = Array(String(scalar).utf8)
      pattern +=
        canStand(scalar)
        ? String(decoding: GlobPattern.escaped(bytes), as: UTF8.self)
        : String(repeating: "?", count: bytes.count)
    }
    return "~\(pattern)*"
  }

  private static func canStand(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    return !properties.isWhitespace && scalar != "'" && properties.generalCategory != .control
      && properties.generalCategory != .format
  }
}
