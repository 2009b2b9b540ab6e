// Two keys of the source must not get one name at the destination: found out before the run, from the
// rules alone, since the keys are not known then.
//
// The keys that move are cut into regions: all keys that begin with S, which begin with D at the
// destination. Two regions collide when one D begins with the other: then both hold a key of that
// name. Where a region can be shown to hold no such key, because another rewrite has it or an excluded
// prefix does, they do not. What globs and expressions say beyond a beginning is not looked at: so
// this may find a collision that no key ever makes, and never misses one.

extension KeyMapping {
  /// Keys that begin alike, before and after.
  struct Region {
    let source: [UInt8]
    let destination: [UInt8]
    /// The rewrite that applies, by its place; nil where the names stay.
    let rewrite: Int?
  }

  /// What collides: two rewrites by their places, or one and the keys that keep their names.
  struct Collision: Sendable, Equatable {
    let rewrite: Int
    let other: Int?
  }

  /// Two rewrites, or one and the keys that keep their names, that give one name to two keys which the
  /// filter lets in; nil when the rules rule it out. Cost: sorting the regions, and their pairs where
  /// one name begins with the other.
  var collision: Collision? {
    if !renamesKeys { return nil }
    let regions = regions().sorted {
      $0.destination.lexicographicallyPrecedes($1.destination)
    }
    for (index, one) in regions.enumerated() {
      for other in regions[(index + 1)...] {
        guard other.destination.starts(with: one.destination) else { break }
        let tail = other.destination.dropFirst(one.destination.count)
        let source = one.source + tail
        if source == other.source { continue }  // the same keys
        guard holds(source, one.rewrite), holds(other.source, other.rewrite) else {
          continue
        }
        if let rewrite = one.rewrite ?? other.rewrite {
          return Collision(rewrite: rewrite, other: one.rewrite == nil ? nil : other.rewrite)
        }
      }
    }
    return nil
  }

  /// Every region of the keys that may move.
  func regions() -> [Region] {
    let beginnings = filter.included.isEmpty ? [[]] : filter.included.beginnings
    var regions = beginnings.map { region($0, place(of: $0)) }
    // No beginning begins with another, so at most one has all the keys of a rewrite.
    let trie = PrefixTrie(beginnings)
    for (index, rewrite) in rewrites.enumerated() {
      guard let whole = trie.longestPrefix(of: rewrite.old.span),
        beginnings[whole].count < rewrite.old.count
      else { continue }
      regions.append(region(rewrite.old, index))
    }
    return regions
  }

  /// How the keys that may move begin, at the source and at the destination; none begins with another.
  var beginnings: (source: [[UInt8]], destination: [[UInt8]]) {
    let regions = regions().filter { filter.mayMatchKey(startingWith: $0.source.span) }
    return (
      KeyRules(prefixes: regions.map(\.source)).beginnings,
      KeyRules(prefixes: regions.map(\.destination)).beginnings
    )
  }

  /// A name to try in the place of the keys that begin so. Where an expression, or a pattern that begins with
  /// anything, says which they are, no beginning does; then it is one of the names that every run needs.
  func probe(_ word: String, below beginning: [UInt8]) -> [UInt8] {
    beginning.isEmpty && !filter.matchesEveryKey
      ? KeyFilter.reservedPrefix + Array(word.utf8) : beginning + Array("\(word):migr8sync".utf8)
  }

  private func region(_ source: [UInt8], _ index: Int?) -> Region {
    guard let index else { return Region(source: source, destination: source, rewrite: nil) }
    let rewrite = rewrites[index]
    return Region(
      source: source, destination: rewrite.new + source.dropFirst(rewrite.old.count), rewrite: index
    )
  }

  /// Whether the filter may let in a key that begins with `source` and that this rewrite applies to.
  private func holds(_ source: [UInt8], _ rewrite: Int?) -> Bool {
    place(of: source) == rewrite && filter.mayMatchKey(startingWith: source.span)
  }
}
