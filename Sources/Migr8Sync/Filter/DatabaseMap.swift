// DatabaseMap: into which database of the destination a database of the source goes.

/// Either every database keeps its number, but for some that get another; or the one that is moved
/// gets another. No two databases that are moved share one of the destination: the command line makes
/// sure of that.
struct DatabaseMap: Sendable, Equatable {
  /// The database that everything goes to; `nil` when it depends on the database.
  let target: Int?
  /// The databases that get another number.
  let numbers: [Int: Int]
  private let sources: [Int: Int]

  /// Makes a map; without an argument every database keeps its number.
  init(target: Int? = nil) {
    self.target = target
    numbers = [:]
    sources = [:]
  }

  /// Makes a map in which some databases get other numbers. No two may get the same.
  init(numbers: [Int: Int]) {
    target = nil
    self.numbers = numbers.filter { $0.key != $0.value }
    sources = Dictionary(self.numbers.map { ($0.value, $0.key) }) { first, _ in first }
  }

  /// Whether every database keeps its number.
  var isIdentity: Bool { target == nil && numbers.isEmpty }

  /// The destination's database for one of the source.
  func destination(of source: Int) -> Int {
    target ?? numbers[source] ?? source
  }

  /// The source's database that a database of the destination stands for.
  ///
  /// - Parameter filter: what is moved; a target is only chosen where that is one database.
  func source(of destination: Int, filter: KeyFilter) -> Int {
    if target != nil { return filter.databases?.first ?? destination }
    return sources[destination] ?? destination
  }

  /// A database of the destination into which two of the source would go; nil when there is none.
  ///
  /// - Parameter databases: the databases that are moved; nil for all.
  func collision(among databases: Set<Int>?) -> Int? {
    var seen: Set<Int> = []
    // Beyond those that are named every database keeps its number.
    for source in (databases ?? Set(numbers.keys).union(numbers.values)).sorted() {
      let destination = destination(of: source)
      if !seen.insert(destination).inserted { return destination }
    }
    return nil
  }
}
