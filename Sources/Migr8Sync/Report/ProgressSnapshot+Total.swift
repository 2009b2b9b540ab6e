// The numbers of a run with several destinations, made of each one's own.

extension ProgressSnapshot {
  /// What several destinations have in common: what is read counts as far as the slowest is, what is
  /// written adds up.
  ///
  /// - Parameter destinations: at least one, each with its address.
  init(of destinations: [ProgressSnapshot]) {
    self = destinations[0]
    address = nil
    self.destinations = destinations
    let order = Phase.allCases
    phase =
      destinations.map(\.phase).min {
        (order.firstIndex(of: $0) ?? 0) < (order.firstIndex(of: $1) ?? 0)
      } ?? phase
    func least<Value: Comparable>(_ path: KeyPath<ProgressSnapshot, Value>) -> Value {
      destinations.map { $0[keyPath: path] }.min() ?? self[keyPath: path]
    }
    func sum(_ path: KeyPath<ProgressSnapshot, UInt64>) -> UInt64 {
      destinations.reduce(0) { $0 &+ $1[keyPath: path] }
    }
    for destination in destinations.dropFirst() {
      phaseMilliseconds.merge(destination.phaseMilliseconds) { max($0, $1) }
      routing.add(destination.routing)
    }
    keysRead = least(\.keysRead)
    snapshotBytesRead = least(\.snapshotBytesRead)
    appliedOffset = least(\.appliedOffset)
    keysMatched = sum(\.keysMatched)
    keysWritten = sum(\.keysWritten)
    keysSkipped = sum(\.keysSkipped)
    keysOfOtherTypes = sum(\.keysOfOtherTypes)
    keysVanished = sum(\.keysVanished)
    keysTorn = sum(\.keysTorn)
    bytesWritten = sum(\.bytesWritten)
    functionsLeftOut = destinations.map(\.functionsLeftOut).max() ?? 0
    modulesLeftOut = destinations.map(\.modulesLeftOut).max() ?? 0
    lagBytes = destinations.map(\.lagBytes).max() ?? 0
    lagMilliseconds = destinations.map(\.lagMilliseconds).max() ?? 0
  }
}
