// The mapping of the reverse: what a mapping brings to the destination, seen from there. Exact or not at
// all: every name that stands for a key of the source goes back to that key, and no other name goes
// anywhere. Where the rules cannot say that, they are refused with the reason.

extension KeyMapping {
  /// Why rules cannot be turned round, for an operator.
  struct Irreversible: Error, Sendable, Equatable, CustomStringConvertible {
    let description: String
  }

  /// The mapping with source and destination exchanged.
  ///
  /// - Throws: where it is not certain that every key finds back.
  func inverse() throws(Irreversible) -> KeyMapping {
    if filter.types != nil {
      throw Irreversible(
        description: "with --type it is not known which keys of the destination belong to the job")
    }
    let (databases, selected) = try inverseDatabases()
    if !renamesKeys {
      let filter = KeyFilter(
        included: filter.included, excluded: filter.excluded, otherPrefixes: filter.otherPrefixes,
        databases: selected)
      return KeyMapping(filter, databases)
    }
    let regions = try separateRegions()
    // Without a rule every key would be in.
    guard !regions.isEmpty else { throw Irreversible(description: "no key moves") }
    let rewrites = regions.filter { $0.rewrite != nil }.map {
      KeyRewrite(old: $0.destination, new: $0.source)
    }
    let filter = KeyFilter(
      included: KeyRules(prefixes: regions.map(\.destination)),
      excluded: KeyRules(prefixes: regions.flatMap(excludedNames)), databases: selected,
      reserved: Self.reserved(by: rewrites))
    return KeyMapping(filter, databases, rewrites: rewrites)
  }

  /// The dbs' way back, and which dbs of the destination take part in it; nil for all.
  private func inverseDatabases() throws(Irreversible) -> (DatabaseMap, Set<Int>?) {
    guard let selected = filter.databases else {
      // Where all dbs move, two that meet were refused: so those that change their numbers change places.
      guard databases.target == nil, Set(databases.numbers.keys) == Set(databases.numbers.values)
      else {
        throw Irreversible(
          description: "it is not known which dbs of the destination belong to the job (name those"
            + " that move with --db)")
      }
      return (DatabaseMap(numbers: Self.exchanged(databases.numbers)), nil)
    }
    var numbers: [Int: Int] = [:]
    for source in selected { numbers[databases.destination(of: source)] = source }
    guard numbers.count == selected.count else {
      throw Irreversible(description: "several dbs of the source go to one of the destination")
    }
    return (DatabaseMap(numbers: numbers), Set(numbers.keys))
  }

  private static func exchanged(_ numbers: [Int: Int]) -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: numbers.map { ($0.value, $0.key) })
  }

  /// The regions of the keys that move (KeyMapping+Collisions.swift), where none lies within another,
  /// neither before nor after: then each goes back by the beginning of its names alone.
  private func separateRegions() throws(Irreversible) -> [Region] {
    for rules in [filter.included, filter.excluded]
    where !rules.globs.isEmpty || !rules.expressions.isEmpty {
      throw Irreversible(
        description:
          "of --match, --regex and what they exclude it is not known what they let in under"
          + " the new names of --rewrite (say it with prefixes)")
    }
    guard filter.otherPrefixes.isEmpty else {
      throw Irreversible(
        description: "several routes and --rewrite are more than can be turned round")
    }
    let regions = regions().filter { region in
      !filter.excluded.matchesEveryKey(startingWith: region.source.span)
    }
    for (index, one) in regions.enumerated() {
      for (place, other) in regions.enumerated()
      where place != index
        && (other.source.starts(with: one.source)
          || other.destination.starts(with: one.destination))
      {
        throw Irreversible(
          description: "the rules for keys under \(Printable.key(one.source)) and under"
            + " \(Printable.key(other.source)) overlap, and --rewrite gives them new names (use prefixes"
            + " of which none begins with another, before and after)")
      }
    }
    return regions
  }

  /// The names at the destination that would stand for excluded keys of a region.
  private func excludedNames(of region: Region) -> [[UInt8]] {
    filter.excluded.prefixes.filter { $0.starts(with: region.source) }.map {
      region.destination + $0.dropFirst(region.source.count)
    }
  }
}
