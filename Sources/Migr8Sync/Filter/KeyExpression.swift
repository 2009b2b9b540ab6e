// KeyExpression: a regular expression over a key's bytes, compiled once. POSIX extended, by the C
// library; what it would take in silence and mean something else by is refused.
//
// Keys are bytes of a stranger's choice, so two things are made sure of. A match takes time linear in
// the key: the pattern is compiled behind `^(any byte)*`, so there is one place to begin at, and
// back-references, which need searching back and forth, are refused. And a key with a zero byte is
// matched whole: its length is given (REG_STARTEND), and `.` is compiled as "any byte", since the
// library's own leaves zero out.

import Glibc

/// Why a pattern is not one.
struct KeyExpressionError: Error, Sendable, Equatable {
  /// The position of the byte that is wrong, counted from 1.
  let position: Int
  /// What is wrong with it, without any part of the pattern.
  let problem: String
}

/// A compiled pattern. It matches a key that has it anywhere, unless it is held by `^` or `$`.
///
/// `@unchecked Sendable`: after the initialiser the compiled form is only handed to `regexec`, which
/// may be called on one form from several threads (it locks what it adds to the form as it goes).
final class KeyExpression: @unchecked Sendable {
  /// The longest pattern, in bytes.
  static let bytesMax = 4_096
  /// Matches any byte, zero too. Two parts, since no class of the library's has them all.
  private static let anyByte = Array("([^x]|x)".utf8)

  /// The pattern as the operator wrote it.
  let source: [UInt8]
  private let compiled: UnsafeMutablePointer<regex_t>

  /// Compiles a pattern.
  ///
  /// Letters beyond ASCII stand for their bytes, one after the other; so they cannot stand in
  /// brackets.
  init(_ source: [UInt8]) throws(KeyExpressionError) {
    self.source = source
    let translated = try Self.translate(source)
    let form = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
    form.initialize(to: regex_t())
    let code = Self.compile(
      Array("^".utf8) + Self.anyByte + Array("*(".utf8) + translated + Array(")".utf8), form)
    // Set last: an initialiser that throws with everything set would run the deinitialiser, too.
    guard code == 0 else {
      form.deallocate()
      throw Self.error(code, in: source)
    }
    compiled = form
  }

  deinit {
    regfree(compiled)
    compiled.deallocate()
  }

  /// Whether the pattern is found in the key. Time linear in the key.
  func matches(_ key: Span<UInt8>) -> Bool {
    // Far above the longest key there is (512 MB); an `Int32` is what the library counts with.
    guard let count = regoff_t(exactly: key.count) else { return false }
    return key.withUnsafeBufferPointer { bytes in
      var bounds = regmatch_t(rm_so: 0, rm_eo: count)
      guard let start = bytes.baseAddress else {
        return regexec(compiled, "", 1, &bounds, REG_STARTEND) == 0
      }
      return start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
        regexec(compiled, $0, 1, &bounds, REG_STARTEND) == 0
      }
    }
  }

  /// Refuses what the library would misunderstand, and replaces `.` where it is the special one.
  private static func translate(_ source: [UInt8]) throws(KeyExpressionError) -> [UInt8] {
    guard source.count <= bytesMax else {
      throw KeyExpressionError(
        position: bytesMax + 1, problem: "a pattern has at most \(bytesMax) bytes")
    }
    if let zero = source.firstIndex(of: 0) {
      throw KeyExpressionError(position: zero + 1, problem: "a zero byte; write '.' for it")
    }
    var translated: [UInt8] = []
    var open = 0
    var index = 0
    while index < source.count {
      var end = index + 1
      switch source[index] {
      case UInt8(ascii: "\\"):
        guard end < source.count else {
          throw KeyExpressionError(position: end, problem: "a trailing backslash")
        }
        try checkEscape(source[end], at: end)
        end += 1
      case UInt8(ascii: "["):
        end = endOfBrackets(source, from: index)
        if let letter = source[index..<end].firstIndex(where: { $0 >= 0x80 }) {
          throw KeyExpressionError(
            position: letter + 1, problem: "a letter beyond ASCII in brackets; write (ä|ö) for [äö]"
          )
        }
      case UInt8(ascii: "("): open += 1
      case UInt8(ascii: ")"):
        open -= 1
        if open < 0 {
          throw KeyExpressionError(
            position: end, problem: "a ')' without its '('; write \\) for the character")
        }
      default: break
      }
      let isAnyByte = source[index] == UInt8(ascii: ".")
      translated += isAnyByte ? anyByte[...] : source[index..<end]
      index = end
    }
    return translated
  }

  private static func checkEscape(_ byte: UInt8, at index: Int) throws(KeyExpressionError) {
    switch byte {
    case UInt8(ascii: "1")...UInt8(ascii: "9"):
      throw KeyExpressionError(
        position: index, problem: "a back-reference, which a key could make take for ever")
    case UInt8(ascii: "w"), UInt8(ascii: "W"), UInt8(ascii: "s"), UInt8(ascii: "S"),
      UInt8(ascii: "b"), UInt8(ascii: "B"):
      return
    case UInt8(ascii: "0"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      throw KeyExpressionError(
        position: index,
        problem: "a backslash that means nothing before this letter (write [0-9] for a digit)")
    default: return
    }
  }

  /// The index behind a bracket expression; the end of the pattern when it is never closed.
  private static func endOfBrackets(_ source: [UInt8], from start: Int) -> Int {
    var index = start + 1
    if index < source.count, source[index] == UInt8(ascii: "^") { index += 1 }
    // A ']' that comes first is one of the characters.
    if index < source.count, source[index] == UInt8(ascii: "]") { index += 1 }
    while index < source.count, source[index] != UInt8(ascii: "]") {
      let kind = index + 1 < source.count ? source[index + 1] : 0
      if source[index] == UInt8(ascii: "["), [UInt8](":.=".utf8).contains(kind) {
        index += 2
        while index + 1 < source.count,
          source[index] != kind || source[index + 1] != UInt8(ascii: "]")
        { index += 1 }
        index += 1
      }
      index += 1
    }
    return min(index + 1, source.count)
  }

  /// The library's code; 0 for success.
  private static func compile(_ pattern: [UInt8], _ result: UnsafeMutablePointer<regex_t>) -> Int32
  {
    let text = pattern.map { CChar(bitPattern: $0) } + [0]
    return regcomp(result, text, REG_EXTENDED | REG_NOSUB)
  }

  /// What the library says about a pattern, and from where on: the byte from which on no beginning of
  /// the pattern can be compiled.
  private static func error(_ code: Int32, in source: [UInt8]) -> KeyExpressionError {
    let attempt = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
    attempt.initialize(to: regex_t())
    defer { attempt.deallocate() }
    var count = source.count
    while count > 1 {
      if compile(Array(source[..<(count - 1)]), attempt) == 0 {
        regfree(attempt)
        break
      }
      count -= 1
    }
    var text = [CChar](repeating: 0, count: 200)
    regerror(code, attempt, &text, text.count)
    let problem = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return KeyExpressionError(
      position: max(count, 1), problem: String(decoding: problem, as: UTF8.self).lowercased())
  }
}
