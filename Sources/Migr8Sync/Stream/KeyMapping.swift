// KeyMapping: which keys of the source go to one destination, and what they are called there.
//
// One value per destination, made from the rules of the run. The router asks it about every key of
// the stream; a run without renames pays nothing for it.

/// A beginning of keys that is replaced by another at the destination.
struct KeyRewrite: Sendable, Equatable {
  /// What keys begin with at the source.
  let old: [UInt8]
  /// What they begin with at the destination.
  let new: [UInt8]
}

/// Filter, renames and databases of one destination.
///
/// No two keys that the filter lets through may get the same name and database; whoever makes the
/// value sees to that.
struct KeyMapping: Sendable {
  /// Which keys and databases are in.
  let filter: KeyFilter
  /// The renames; the first whose `old` a key begins with is the one that applies to it.
  let rewrites: [KeyRewrite]
  /// Databases that get another number; all others keep theirs.
  private let databases: [Int: Int]
  /// Where a single database goes, whichever it is.
  private let target: Int?

  /// Every key, under its own name.
  static let identity = KeyMapping(KeyFilter())

  /// Makes a mapping; with a filter alone one that changes no name.
  init(_ filter: KeyFilter, rewrites: [KeyRewrite] = [], databases: [Int: Int] = [:]) {
    self.filter = filter
    self.rewrites = rewrites.filter { $0.old != $0.new }
    self.databases = databases
    target = nil
  }

  /// Makes the mapping of a run that moves one database into another, or all as they are.
  init(_ filter: KeyFilter, _ map: DatabaseMap) {
    self.filter = filter
    rewrites = []
    databases = [:]
    target = map.target
  }

  /// Whether any key gets another name.
  var renamesKeys: Bool { !rewrites.isEmpty }

  /// The destination's database for one of the source.
  func destination(of database: Int) -> Int {
    target ?? databases[database] ?? database
  }

  /// The source's database that goes to one of the destination; `nil` when none that is in does.
  func source(of database: Int) -> Int? {
    let found: Int?
    if let target {
      found = target == database ? filter.databases?.first : nil
    } else if let moved = databases.first(where: { $0.value == database }) {
      found = moved.key
    } else {
      found = databases[database] == nil ? database : nil
    }
    return found.flatMap { filter.matches(database: $0) ? $0 : nil }
  }

  /// The rename that applies to a key.
  func rewrite(of key: Span<UInt8>) -> KeyRewrite? {
    for rewrite in rewrites where key.begins(with: rewrite.old.span) { return rewrite }
    return nil
  }

  /// What a key is called at the destination.
  func destinationKey(of key: [UInt8]) -> [UInt8] {
    guard let rewrite = rewrite(of: key.span) else { return key }
    return rewrite.new + key.dropFirst(rewrite.old.count)
  }

  /// What a key of the destination is called at the source; `nil` when it is none of the keys that
  /// this mapping brings there.
  func sourceKey(of key: [UInt8]) -> [UInt8]? {
    for rewrite in rewrites where key.span.begins(with: rewrite.new.span) {
      let original = rewrite.old + key.dropFirst(rewrite.new.count)
      if filter.matches(key: original.span), destinationKey(of: original) == key { return original }
    }
    guard filter.matches(key: key.span), rewrite(of: key.span) == nil else { return nil }
    return key
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
