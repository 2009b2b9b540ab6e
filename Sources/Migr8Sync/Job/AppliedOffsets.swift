// How far all destinations of a run are: what the ACK to the source says. Logic without I/O.
//
// An offset counts only together with the beginning that it belongs to: while one destination has not
// heard yet that a new snapshot began, what it says is about another history.

/// The applied offsets of several destinations, and their minimum.
struct AppliedOffsets: Sendable {
  private var places: [(generation: Int, offset: UInt64)?]
  /// What the source waits for: an ACK at once when everything up to there is applied.
  private var awaited: UInt64?

  init(destinationCount: Int) {
    places = Array(repeating: nil, count: destinationCount)
  }

  /// Everything up to `offset` is applied at one destination.
  ///
  /// - Parameter generation: the beginning it has been told of, as `LinkReader.generation` has it.
  mutating func note(_ offset: UInt64, generation: Int, at destination: Int) {
    if let place = places[destination] {
      if place.generation > generation { return }
      if place.generation == generation, place.offset >= offset { return }
    }
    places[destination] = (generation, offset)
  }

  /// What is applied everywhere, and the beginning that it belongs to; nil while the destinations do not
  /// speak of one.
  var everywhere: (offset: UInt64, generation: Int)? {
    guard let generation = places[0]?.generation else { return nil }
    var least = UInt64.max
    for place in places {
      guard let place, place.generation == generation else { return nil }
      least = min(least, place.offset)
    }
    return (least, generation)
  }

  /// The source asks to be told as soon as everything up to `offset` is applied everywhere.
  mutating func await(_ offset: UInt64) { awaited = offset }

  /// Whether what the source waits for has come about. True once.
  mutating func takeAwaited() -> Bool {
    guard let awaited, let everywhere, everywhere.offset >= awaited else { return false }
    self.awaited = nil
    return true
  }
}
