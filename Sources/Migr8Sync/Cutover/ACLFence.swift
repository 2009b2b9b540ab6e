// The fence that takes the right to write from one user of the source, and gives it back exactly.
//
// ACL LIST says what a user may, as the words of the ACL SETUSER that would make him:
//
//   user app on #… ~bump:* ~other:* &* +@all (+get ~x:*)        the last from 7.0 on: a selector
//
// From 7.0 on a key pattern can be for reading alone (%R~bump:*), so a user whose patterns lie wholly
// inside of what moves loses those and nothing else. Any other user, and older servers, cannot be told
// "everything but these keys": such a user loses every command that writes.

/// What one user may, in the words of ACL LIST.
struct ACLRules: Sendable, Equatable {
  /// The words, a selector being one of them.
  let words: [String]

  /// Finds a user in the lines of ACL LIST.
  init?(user: String, in lines: [String]) {
    guard let line = lines.first(where: { $0.hasPrefix("user \(user) ") }) else { return nil }
    var words: [String] = []
    for word in line.split(separator: " ").dropFirst(2).map(String.init) {
      if let last = words.last, last.hasPrefix("("), !last.hasSuffix(")") {
        words[words.count - 1] = "\(last) \(word)"
      } else {
        words.append(word)
      }
    }
    self.words = words
  }

  /// The arguments behind `ACL SETUSER name` that make the user what he was.
  func restoring(on version: ServerVersion) -> [String] { Self.clearing(version) + words }

  /// The command by which a person makes the user what he was: exact, and without the hashes of his
  /// passwords, which no fence takes from him.
  func remedy(for user: String, on version: ServerVersion) -> String {
    let words = Self.clearing(version).dropFirst() + self.words.filter { !$0.hasPrefix("#") }
    return (["ACL", "SETUSER", user] + words).map(ACLWord.quoted).joined(separator: " ")
  }

  /// The arguments that take the right to write the keys under `prefixes` from him.
  ///
  /// - Parameter narrows: whether everything under the prefixes moves, and nothing else.
  func fencing(prefixes: [String], narrows: Bool, on version: ServerVersion) -> [String] {
    if narrows, version >= ServerVersion(7), let narrowed = narrowed(prefixes) {
      return Self.clearing(version) + narrowed
    }
    return Self.clearing(version) + words.map(Self.withoutWrites) + ["-@write"]
  }

  /// What makes a user empty, his passwords first. Not `reset`: that leaves him with a `sanitize-payload` that he had not.
  private static func clearing(_ version: ServerVersion) -> [String] {
    ["resetpass", "resetkeys"] + (version >= ServerVersion(6, 2) ? ["resetchannels"] : [])
      + (version >= ServerVersion(7) ? ["clearselectors"] : []) + ["-@all"]
  }

  /// Whether only the moved keys would be closed to him.
  func isNarrow(prefixes: [String]) -> Bool { narrowed(prefixes) != nil }

  /// The words with every pattern of what moves for reading alone; nil where a pattern is for that and
  /// for more, or where a selector is.
  private func narrowed(_ prefixes: [String]) -> [String]? {
    var result: [String] = []
    for word in words {
      if word.hasPrefix("(") { return nil }
      guard let tilde = word.firstIndex(of: "~"), word.hasPrefix("~") || word.hasPrefix("%") else {
        result.append(word)
        continue
      }
      let pattern = word[word.index(after: tilde)...]
      let beginning = Array(pattern.prefix { !"*?[\\".contains($0) }.utf8)
      if prefixes.contains(where: { beginning.starts(with: $0.utf8) }) {
        let rights = word[..<tilde]
        // One that was for writing alone is for nothing now.
        if rights == "%W" { continue }
        result.append("%R~\(pattern)")
      } else if prefixes.contains(where: { $0.utf8.starts(with: beginning) }),
        beginning.count < pattern.utf8.count
      {
        return nil
      } else {
        result.append(word)
      }
    }
    return result
  }

  /// A selector grants by itself: it loses the commands that write, too.
  private static func withoutWrites(_ word: String) -> String {
    word.hasPrefix("(") && word.hasSuffix(")") ? "\(word.dropLast()) -@write)" : word
  }
}

extension KeyFilter {
  /// Whether every key under its prefixes moves, and no other: then rights for patterns can say so.
  var movesWholePrefixes: Bool {
    !prefixes.isEmpty && prefixes.allSatisfy { String(validating: $0, as: UTF8.self) != nil }
      && globs.isEmpty && included.expressions.isEmpty && excluded.isEmpty
  }
}
