// ConfigFile: options in a file, by the rules of redis.conf:
//
//   # The first split.
//   source rediss://mover@old:6379
//   prefix bump:
//   prefix "with space\x00and zero"
//   once yes
//
// A line is an option's name and its value, with spaces between; one that begins with '#' says nothing.
// In double quotes stand \n \r \t \b \a \xHH, and \c for any other c; in single quotes only \'. Outside
// of quotes a backslash is a backslash.

import Glibc

/// The lines of a file of options.
struct ConfigFile: Sendable {
  /// The largest file; a hundred thousand rules fit.
  static let bytesMax = 16 << 20

  /// A line that says something.
  struct Line: Sendable {
    /// Counted from 1.
    let number: Int
    /// At least one.
    let words: [[UInt8]]
  }

  /// The file, as messages call it.
  let name: String
  let isWorldReadable: Bool
  let lines: [Line]

  /// Reads the file at `path`; `-` is the standard input.
  static func read(_ path: String) throws(UsageError) -> ConfigFile {
    let isInput = path == "-"
    let name = isInput ? "standard input" : Printable.key(Array(path.utf8))
    let file: SmallFile
    do {
      file =
        isInput
        ? try SmallFile.read(STDIN_FILENO, bytesMax: bytesMax)
        : try SmallFile.read(path, bytesMax: bytesMax)
    } catch {
      throw UsageError("--config: \(name) \(error.description)")
    }
    return try ConfigFile(name: name, file)
  }

  init(name: String, _ file: SmallFile) throws(UsageError) {
    self.name = name
    isWorldReadable = file.isWorldReadable
    var lines: [Line] = []
    let texts = file.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, text) in texts.enumerated() {
      do throws(ConfigWords.Problem) {
        let words = try ConfigWords.split(text)
        if !words.isEmpty { lines.append(Line(number: index + 1, words: words)) }
      } catch {
        throw UsageError(error.description, at: .file(name, line: index + 1))
      }
    }
    self.lines = lines
  }
}

/// Takes a line of redis.conf apart.
enum ConfigWords {
  /// What is wrong with a line.
  struct Problem: Error, Sendable {
    let description: String
  }

  /// The words of a line; none where it is empty or a comment.
  static func split(_ line: ArraySlice<UInt8>) throws(Problem) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var rest = line.drop(while: isSpace)
    if rest.first == UInt8(ascii: "#") { return [] }
    while !rest.isEmpty {
      words.append(try word(&rest))
      rest = rest.drop(while: isSpace)
    }
    return words
  }

  private static func word(_ rest: inout ArraySlice<UInt8>) throws(Problem) -> [UInt8] {
    var word: [UInt8] = []
    while let byte = rest.first, !isSpace(byte) {
      rest.removeFirst()
      switch byte {
      case UInt8(ascii: "\""): try quoted(&rest, into: &word)
      case UInt8(ascii: "'"): try literal(&rest, into: &word)
      case 0: throw Problem(description: "a zero byte; write \\x00 in double quotes")
      default: word.append(byte)
      }
    }
    return word
  }

  private static func literal(
    _ rest: inout ArraySlice<UInt8>, into word: inout [UInt8]
  ) throws(Problem) {
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "'") { return try checkEnd(rest) }
      if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "'") {
        rest.removeFirst()
        word.append(UInt8(ascii: "'"))
      } else {
        word.append(byte)
      }
    }
    throw Problem(description: "a quote that is never closed")
  }

  private static func quoted(
    _ rest: inout ArraySlice<UInt8>, into word: inout [UInt8]
  ) throws(Problem) {
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\"") { return try checkEnd(rest) }
      guard byte == UInt8(ascii: "\\"), let escaped = rest.popFirst() else {
        word.append(byte)
        continue
      }
      switch escaped {
      case UInt8(ascii: "n"): word.append(0x0A)
      case UInt8(ascii: "r"): word.append(0x0D)
      case UInt8(ascii: "t"): word.append(0x09)
      case UInt8(ascii: "b"): word.append(0x08)
      case UInt8(ascii: "a"): word.append(0x07)
      case UInt8(ascii: "x"):
        let digits = rest.prefix(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        if digits.count == 2 {
          word.append(UInt8(digits[0] << 4 | digits[1]))
          rest.removeFirst(2)
        } else {
          word.append(escaped)
        }
      default: word.append(escaped)
      }
    }
    throw Problem(description: "a quote that is never closed")
  }

  private static func checkEnd(_ rest: ArraySlice<UInt8>) throws(Problem) {
    guard let next = rest.first, !isSpace(next) else { return }
    throw Problem(description: "a space must follow the closing quote")
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte)
  }
}
