// KeyMapping: where a key of the source is at the destination: in which db, under which name. And the
// way back, for what looks at the destination's keys.

/// One change of name: keys that begin with `old` begin with `new` at the destination.
struct KeyRewrite: Sendable, Equatable {
  let old: [UInt8]
  let new: [UInt8]
}

/// Renames keys by their beginning, and moves databases. Of several rewrites that fit, the one with
/// the longest `old` counts; only one is applied.
struct KeyMapping: Sendable {
  let databases: DatabaseMap
  let rewrites: [KeyRewrite]
  private let byOld: PrefixTrie
  private let byNew: PrefixTrie
  /// The rewrites that make each of the beginnings in `byNew`.
  private let makers: [[Int]]

  /// Makes a mapping; without arguments everything keeps its place and name. No two rewrites may have
  /// the same `old`.
  init(databases: DatabaseMap = DatabaseMap(), rewrites: [KeyRewrite] = []) {
    self.databases = databases
    self.rewrites = rewrites
    byOld = PrefixTrie(rewrites.map(\.old))
    let byName = Dictionary(grouping: rewrites.indices) { rewrites[$0].new }
    let names = Array(byName.keys)
    byNew = PrefixTrie(names)
    makers = names.map { byName[$0] ?? [] }
  }

  /// Whether every key keeps its name.
  var keepsNames: Bool { rewrites.isEmpty }

  /// The rewrite that applies to a key of the source: write its `new`, then what follows its `old` in
  /// the key. Nil when the key keeps its name. Allocates nothing.
  func rewrite(of key: Span<UInt8>) -> KeyRewrite? {
    byOld.longestPrefix(of: key).map { rewrites[$0] }
  }

  /// The place in `rewrites` of the one that applies.
  func place(of key: [UInt8]) -> Int? {
    byOld.longestPrefix(of: key.span)
  }

  /// The name at the destination of a key of the source.
  func destination(of key: [UInt8]) -> [UInt8] {
    guard let rewrite = rewrite(of: key.span) else { return key }
    return rewrite.new + key.dropFirst(rewrite.old.count)
  }

  /// The key of the source that has this name at the destination, among those that a filter lets in;
  /// nil where there is none, or more than one (which `collision` finds beforehand).
  func source(of name: [UInt8], filter: KeyFilter) -> [UInt8]? {
    if keepsNames { return filter.matches(key: name.span) ? name : nil }
    var found: [UInt8]?
    for candidate in [name] + renamed(name) where candidate != found {
      guard destination(of: candidate) == name, filter.matches(key: candidate.span) else {
        continue
      }
      if found != nil { return nil }
      found = candidate
    }
    return found
  }

  /// The keys that some rewrite turns into `name`, if it applies to them.
  private func renamed(_ name: [UInt8]) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    var beginning = name[...]
    while let place = byNew.longestPrefix(of: beginning.span) {
      let new = byNew.prefixes[place]
      keys += makers[place].map { rewrites[$0].old + name.dropFirst(new.count) }
      if new.isEmpty { break }
      beginning = name.prefix(new.count - 1)
    }
    return keys
  }

  /// Beginnings of keys of the source that would get the name of one of this program's own keys.
  var reserved: [[UInt8]] {
    let reserved = KeyFilter.reservedPrefix
    return rewrites.compactMap { rewrite in
      if rewrite.new.starts(with: reserved) { return rewrite.old }
      guard reserved.starts(with: rewrite.new) else { return nil }
      return rewrite.old + reserved.dropFirst(rewrite.new.count)
    }
  }
}
