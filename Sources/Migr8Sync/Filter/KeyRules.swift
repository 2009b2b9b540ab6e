// KeyRules: rules about keys of which any one is enough. A filter has two: those that let in, and
// those that leave out.

/// Prefixes, globs and regular expressions, any number of each.
struct KeyRules: Sendable {
  /// Prefixes, compared byte for byte.
  let prefixes: [[UInt8]]
  /// Redis globs over the whole key.
  let globs: [GlobPattern]
  /// Regular expressions, found anywhere in the key.
  let expressions: [KeyExpression]
  private let trie: PrefixTrie

  init(
    prefixes: [[UInt8]] = [], globs: [GlobPattern] = [], expressions: [KeyExpression] = []
  ) {
    self.prefixes = prefixes
    self.globs = globs
    self.expressions = expressions
    trie = PrefixTrie(prefixes)
  }

  /// Whether there is no rule.
  var isEmpty: Bool { prefixes.isEmpty && globs.isEmpty && expressions.isEmpty }

  /// Whether a rule is plainly true of every key.
  var matchesEveryKey: Bool {
    trie.containsPrefix(of: [UInt8]().span) || globs.contains { $0.matchesEveryKey }
  }

  /// Whether any rule is true of the key. Prefixes cost one look at its bytes, however many there
  /// are; globs and expressions are tried one by one, after them.
  func matches(_ key: Span<UInt8>) -> Bool {
    if trie.containsPrefix(of: key) { return true }
    for glob in globs where glob.matches(key) { return true }
    for expression in expressions where expression.matches(key) { return true }
    return false
  }

  /// Whether the prefixes alone make sure that a rule is true of every key that begins like this.
  func matchesEveryKey(startingWith beginning: Span<UInt8>) -> Bool {
    trie.containsPrefix(of: beginning) || globs.contains { $0.matchesEveryKey }
  }

  /// Whether a rule may be true of some key that begins like this: false only when it cannot be.
  func mayMatchKey(startingWith beginning: Span<UInt8>) -> Bool {
    if !expressions.isEmpty { return true }
    if trie.containsPrefix(of: beginning) || trie.containsPrefix(startingWith: beginning) {
      return true
    }
    return globs.contains { glob in
      let start = glob.literalStart
      for index in 0..<min(start.count, beginning.count) where start[index] != beginning[index] {
        return false
      }
      return true
    }
  }

  /// The beginnings that every key has of which a rule is true: one for each rule, those left out that
  /// another one covers. An expression tells nothing of a key's beginning.
  var beginnings: [[UInt8]] {
    if !expressions.isEmpty { return [[]] }
    let all = prefixes + globs.map(\.literalStart)
    let sorted = all.sorted { $0.lexicographicallyPrecedes($1) }
    var beginnings: [[UInt8]] = []
    for beginning in sorted {
      if let last = beginnings.last, beginning.starts(with: last) { continue }
      beginnings.append(beginning)
    }
    return beginnings
  }
}
