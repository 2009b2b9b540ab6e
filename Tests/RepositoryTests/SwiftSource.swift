// A look at Swift source that is just good enough for the rules of this target: what is code and what
// is comment or literal, and where a function begins and ends.

/// Swift source with the contents of its comments and string literals blanked out.
struct SwiftSource {
  let lines: [Substring]

  init(_ text: String) {
    lines = Self.codeOnly(text).split(separator: "\n", omittingEmptySubsequences: false)
      .map { Substring(String($0)) }
  }

  /// A function, initializer or the like, by the line it starts on (from 1) and its length in lines.
  struct Function: Equatable {
    let name: String
    let firstLine: Int
    let lineCount: Int
  }

  /// Every function with a body, nested ones included.
  var functions: [Function] {
    lines.indices.compactMap { index in
      guard let name = Self.declaredFunction(lines[index]) else { return nil }
      return lineCount(from: index).map {
        Function(name: name, firstLine: index + 1, lineCount: $0)
      }
    }
  }

  /// Lines from a declaration to the brace that closes its body; nil when it has no body.
  private func lineCount(from start: Int) -> Int? {
    var depth = 0
    var parentheses = 0
    var isOpen = false
    for index in start..<lines.count {
      for scalar in lines[index].unicodeScalars {
        switch scalar {
        case "(", "[": parentheses += 1
        case ")", "]": parentheses -= 1
        case "{" where parentheses == 0 || isOpen:
          depth += 1
          isOpen = true
        case "}" where parentheses == 0 || isOpen:
          depth -= 1
          if isOpen && depth == 0 { return index - start + 1 }
          if depth < 0 { return nil }
        default: break
        }
      }
    }
    return nil
  }

  private static func declaredFunction(_ line: Substring) -> String? {
    let words = line.split(separator: " ")
    for (index, word) in words.enumerated() {
      if word == "func" {
        return words.dropFirst(index + 1).first.map { String($0.prefix { $0 != "(" }) }
      }
      for keyword in ["init", "deinit", "subscript"]
      where word == keyword || word.hasPrefix(keyword + "(") || word.hasPrefix(keyword + "?(")
        || word.hasPrefix(keyword + "<")
      {
        return keyword
      }
      let modifiers: Set<Substring> = [
        "public", "private", "fileprivate", "internal", "package", "static", "final", "override",
        "mutating", "nonmutating", "convenience", "required", "consuming", "borrowing", "class",
        "nonisolated",
      ]
      if !modifiers.contains(word) && !word.hasPrefix("@") { return nil }
    }
    return nil
  }

  private enum State { case code, lineComment, blockComment, literal, rawLiteral, longLiteral }

  /// The text with comments and literals left out, line breaks kept. (A literal inside another one's
  /// interpolation ends and reopens it, which comes to the same for counting braces.)
  private static func codeOnly(_ text: String) -> String {
    let bytes = Array(text.utf8)
    let newline = UInt8(ascii: "\n")
    var code: [UInt8] = []
    var state = State.code
    var index = 0
    while index < bytes.count {
      if bytes[index] == newline {
        code.append(newline)
        if state == .lineComment || state == .literal { state = .code }
        index += 1
        continue
      }
      let before = state
      let step = advance(&state, bytes[index...])
      if before == .code && state == .code { code.append(bytes[index]) }
      index += step
    }
    return String(decoding: code, as: UTF8.self)
  }

  /// What begins a comment or a literal, the longer ones first.
  private static let openings: [(bytes: [UInt8], inside: State)] = [
    ("//", State.lineComment), ("/*", .blockComment), ("\"\"\"", .longLiteral),
    ("#\"", .rawLiteral), ("\"", .literal),
  ].map { (Array($0.utf8), $1) }

  /// Moves on by one piece of source; returns its length.
  private static func advance(_ state: inout State, _ rest: ArraySlice<UInt8>) -> Int {
    switch state {
    case .code:
      for opening in openings where opening.bytes[0] == rest.first {
        if !rest.starts(with: opening.bytes) { continue }
        state = opening.inside
        return opening.bytes.count
      }
    case .lineComment: break
    case .blockComment: return close(&state, rest, "*/")
    case .longLiteral: return close(&state, rest, "\"\"\"")
    case .rawLiteral: return close(&state, rest, "\"#")
    case .literal:
      if rest.first == UInt8(ascii: "\\") { return 2 }
      return close(&state, rest, "\"")
    }
    return 1
  }

  private static func close(
    _ state: inout State, _ rest: ArraySlice<UInt8>, _ closing: StaticString
  ) -> Int {
    let isClosed = closing.withUTF8Buffer { rest.starts(with: $0) }
    guard isClosed else { return 1 }
    state = .code
    return closing.utf8CodeUnitCount
  }
}
