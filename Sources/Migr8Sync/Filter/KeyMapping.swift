// KeyMapping: which keys of the source go to one destination, in which db and under which name they are
// there, and the way back. One value per destination, made from the rules of the run; a run without
// renames pays nothing for it.

/// One change of name: keys that begin with `old` begin with `new` at the destination.
struct KeyRewrite: Sendable, Equatable {
  let old: [UInt8]
  let new: [UInt8]
}

/// Filter, renames and databases of one destination. Of several rewrites that fit a key, the one with
/// the longest `old` counts; only one is applied.
///
/// No two keys that the filter lets in may get the same name and database: `collision` tells.
struct KeyMapping: Sendable {
  /// Which keys and databases are in.
  let filter: KeyFilter
  let rewrites: [KeyRewrite]
  let databases: DatabaseMap
  private let byOld: PrefixTrie
  private let byNew: PrefixTrie
  /// The rewrites that make each of the beginnings in `byNew`.
  private let makers: [[Int]]

  /// Every key, under its own name.
  static let identity = KeyMapping(KeyFilter())

  /// Makes a mapping; with a filter alone everything keeps its place and name. No two rewrites may have
  /// the same `old`.
  init(_ filter: KeyFilter, _ databases: DatabaseMap, rewrites: [KeyRewrite] = []) {
    self.filter = filter
    self.databases = databases
    self.rewrites = rewrites
    byOld = PrefixTrie(rewrites.map(\.old))
    let byName = Dictionary(grouping: rewrites.indices) { rewrites[$0].new }
    let names = Array(byName.keys)
    byNew = PrefixTrie(names)
    makers = names.map { byName[$0] ?? [] }
  }

  /// Makes a mapping in which some databases get other numbers.
  init(_ filter: KeyFilter, rewrites: [KeyRewrite] = [], databases: [Int: Int] = [:]) {
    self.init(filter, DatabaseMap(numbers: databases), rewrites: rewrites)
  }

  /// Whether any key gets another name.
  var renamesKeys: Bool { !rewrites.isEmpty }

  /// The destination's database for one of the source.
  func destination(of database: Int) -> Int {
    databases.destination(of: database)
  }

  /// The source's database that goes to one of the destination; `nil` when none that is in does.
  func source(of database: Int) -> Int? {
    let source = databases.source(of: database, filter: filter)
    return databases.destination(of: source) == database && filter.matches(database: source)
      ? source : nil
  }

  /// The destination's databases that take something; nil for all it has.
  var destinations: [Int]? {
    filter.databases.map { selected in Set(selected.map(destination(of:))).sorted() }
  }

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
  func destinationKey(of key: [UInt8]) -> [UInt8] {
    guard let rewrite = rewrite(of: key.span) else { return key }
    return rewrite.new + key.dropFirst(rewrite.old.count)
  }

  /// What a key of the destination is called at the source; nil where it is none of the keys that this
  /// mapping brings there (or may be two of them, which `collision` finds beforehand).
  func sourceKey(of name: [UInt8]) -> [UInt8]? {
    if !renamesKeys { return filter.matches(key: name.span) ? name : nil }
    var found: [UInt8]?
    for candidate in [name] + renamed(name) where candidate != found {
      guard destinationKey(of: candidate) == name, filter.matches(key: candidate.span) else {
        continue
      }
      if found != nil { return nil }
      found = candidate
    }
    return found
  }

  /// The pattern with which `SCAN … MATCH` finds these keys at the destination, where one pattern can say
  /// it. Otherwise nil: scan all and ask `sourceKey(of:)`.
  var scanPattern: [UInt8]? {
    if !renamesKeys { return filter.scanPattern }
    guard filter.scanPattern != nil, filter.prefixes.count == 1 else { return nil }
    // Keys that go on as one rewrite's `old` does may go elsewhere.
    let prefix = filter.prefixes[0]
    for rewrite in rewrites
    where rewrite.old.count > prefix.count && rewrite.old.starts(with: prefix) { return nil }
    return GlobPattern.escaped(destinationKey(of: prefix)) + [UInt8(ascii: "*")]
  }

  /// A key of the source for the operator: by its name at the destination, and by its own where that is
  /// another.
  func shown(_ key: [UInt8]) -> String {
    let there = destinationKey(of: key)
    return there == key
      ? Printable.key(key) : "\(Printable.key(there)) (at the source \(Printable.key(key)))"
  }

  /// The same for a key of the destination.
  func shown(there name: [UInt8]) -> String {
    renamesKeys ? sourceKey(of: name).map { shown($0) } ?? Printable.key(name) : Printable.key(name)
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

  /// Beginnings of keys of the source to which some rewrite would give the name of one of this program's
  /// own keys.
  static func reserved(by rewrites: [KeyRewrite]) -> [[UInt8]] {
    let reserved = KeyFilter.reservedPrefix
    return rewrites.compactMap { rewrite in
      if rewrite.new.starts(with: reserved) { return rewrite.old }
      guard reserved.starts(with: rewrite.new) else { return nil }
      return rewrite.old + reserved.dropFirst(rewrite.new.count)
    }
  }
}

extension Span where Element == UInt8 {
  /// Whether these bytes come first.
  func begins(with beginning: Span<UInt8>) -> Bool {
    guard count >= beginning.count else { return false }
    for index in beginning.indices where self[index] != beginning[index] { return false }
    return true
  }
}
