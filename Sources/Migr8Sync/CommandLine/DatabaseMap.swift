// DatabaseMap: into which database of the destination a database of the source goes.

/// Either every database keeps its number, or the one that is moved gets another.
struct DatabaseMap: Sendable {
  /// The database that everything goes to; `nil` when every database keeps its number.
  let target: Int?

  /// Makes a map; without an argument every database keeps its number.
  init(target: Int? = nil) {
    self.target = target
  }

  /// The destination's database for one of the source.
  func destination(of source: Int) -> Int {
    target ?? source
  }

  /// The source's database that a database of the destination stands for.
  ///
  /// - Parameter filter: what is moved; a target is only chosen where that is one database.
  func source(of destination: Int, filter: KeyFilter) -> Int {
    target == nil ? destination : filter.databases?.first ?? destination
  }
}
