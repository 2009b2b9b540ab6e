// KeyFilter: which keys of which databases a run is about.
//
// One value, made from the command line, used by everything that looks at a key: the snapshot,
// the router of the stream, the check of the destination.

import RDBParser

/// A key is in when any rule lets it in, or when there is none, and no rule leaves it out.
struct KeyFilter: Sendable {
  /// Keys that begin like this belong to this program, at any server: no rule moves them.
  static let reservedPrefix = Array("migr8sync:job:".utf8)

  /// What lets keys in; without a rule every key is.
  let included: KeyRules
  /// What leaves them out again.
  let excluded: KeyRules
  /// Prefixes that another destination has: a key is left to it when the longest of these that it
  /// begins with is longer than the longest of ours.
  let otherPrefixes: [[UInt8]]
  /// The databases that are in; `nil` for all.
  let databases: Set<Int>?
  /// The types of values that are in when a snapshot is read; `nil` for all. The stream is not asked:
  /// its commands do not tell.
  let types: Set<RDBValueKind>?
  /// Whether no key is left out: there is no rule, or one that is true of every key.
  let matchesEveryKey: Bool

  /// `otherPrefixes`, and beside it the prefixes of `included` to compare with.
  private let others: PrefixTrie
  private let own: PrefixTrie
  /// Keys of this program, and those that would become one when they are renamed.
  private let reserved: PrefixTrie

  /// Makes a filter; without arguments one that lets everything through.
  ///
  /// - Parameter otherPrefixes: only those longer than one of ours matter, and are kept.
  /// - Parameter reserved: beginnings of keys that never move, besides `reservedPrefix`.
  init(
    included: KeyRules = KeyRules(), excluded: KeyRules = KeyRules(),
    otherPrefixes: [[UInt8]] = [], databases: Set<Int>? = nil, types: Set<RDBValueKind>? = nil,
    reserved: [[UInt8]] = []
  ) {
    self.included = included
    self.excluded = excluded
    own = PrefixTrie(included.prefixes)
    let kept = otherPrefixes.filter { [own] in own.containsPrefix(of: $0.span) }
    self.otherPrefixes = kept
    others = PrefixTrie(kept)
    self.databases = databases
    self.types = types
    self.reserved = PrefixTrie([Self.reservedPrefix] + reserved)
    matchesEveryKey =
      (included.isEmpty || included.matchesEveryKey) && excluded.isEmpty && kept.isEmpty
  }

  /// A filter of rules that let in.
  init(prefixes: [[UInt8]] = [], globs: [GlobPattern] = [], databases: Set<Int>? = nil) {
    self.init(included: KeyRules(prefixes: prefixes, globs: globs), databases: databases)
  }

  /// Every rule in words, in an order that does not depend on the one they were given in: two filters
  /// with the same words let the same keys in.
  var words: [String] {
    var words = Self.words(included, "")
    if words.isEmpty { words.append("every key") }
    words += Self.words(excluded, "not ")
    words += otherPrefixes.map { "elsewhere \(Printable.wholeKey($0))" }.sorted()
    if let types { words.append("type " + types.map(\.rawValue).sorted().joined(separator: ",")) }
    if let databases {
      words.append("db " + databases.sorted().map(String.init).joined(separator: ","))
    }
    return words
  }

  private static func words(_ rules: KeyRules, _ before: String) -> [String] {
    func list(_ kind: String, _ texts: [[UInt8]]) -> [String] {
      Set(texts.map { "\(before)\(kind) \(Printable.wholeKey($0))" }).sorted()
    }
    return list("prefix", rules.prefixes) + list("match", rules.globs.map(\.source))
      + list("regex", rules.expressions.map(\.source))
  }

  /// The prefixes that let keys in.
  var prefixes: [[UInt8]] { included.prefixes }
  /// The globs that let keys in.
  var globs: [GlobPattern] { included.globs }

  /// Whether a key is in, whatever its database. Allocates nothing, unless there are expressions.
  func matches(key: Span<UInt8>) -> Bool {
    if !matchesEveryKey {
      guard included.isEmpty || included.matches(key), !isOfOthers(key) else { return false }
      if !excluded.isEmpty, excluded.matches(key) { return false }
    }
    return !reserved.containsPrefix(of: key)
  }

  private func isOfOthers(_ key: Span<UInt8>) -> Bool {
    if others.isEmpty { return false }
    guard let other = others.longestPrefix(of: key) else { return false }
    guard let mine = own.longestPrefix(of: key) else { return true }
    return others.prefixes[other].count > own.prefixes[mine].count
  }

  /// Whether every key that begins with these bytes is in, as far as the prefixes can tell.
  func matchesEveryKey(startingWith beginning: Span<UInt8>) -> Bool {
    if matchesEveryKey { return true }
    if excluded.mayMatchKey(startingWith: beginning) || isOfOthers(beginning)
      || others.containsPrefix(startingWith: beginning)
    {
      return false
    }
    return included.isEmpty || included.matchesEveryKey(startingWith: beginning)
  }

  /// Whether some key that begins with these bytes may be in: false only when none can be.
  func mayMatchKey(startingWith beginning: Span<UInt8>) -> Bool {
    if excluded.matchesEveryKey(startingWith: beginning) || isOfOthers(beginning)
      || reserved.containsPrefix(of: beginning)
    {
      return false
    }
    return included.isEmpty || included.mayMatchKey(startingWith: beginning)
  }

  /// Whether a database is in.
  func matches(database: Int) -> Bool {
    databases?.contains(database) ?? true
  }

  /// Whether a snapshot's key is in, as far as its value's type goes.
  ///
  /// - Parameter type: not asked for where every type is in.
  func matches(type: @autoclosure () -> RDBValueKind) -> Bool {
    guard let types else { return true }
    return types.contains(type())
  }

  /// Whether nothing is left out: all keys of all databases, of every type.
  var matchesEverything: Bool { matchesEveryKey && databases == nil && types == nil }

  /// The pattern with which `SCAN … MATCH` finds the keys that are in, where one pattern can say
  /// it: exactly one rule. Otherwise `nil`: scan all and ask `matches(key:)`.
  var scanPattern: [UInt8]? {
    guard excluded.isEmpty, otherPrefixes.isEmpty, included.expressions.isEmpty else { return nil }
    if prefixes.count == 1, globs.isEmpty {
      return GlobPattern.escaped(prefixes[0]) + [UInt8(ascii: "*")]
    }
    if globs.count == 1, prefixes.isEmpty { return globs[0].source }
    return nil
  }
}
