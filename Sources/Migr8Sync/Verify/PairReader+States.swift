// Reads whole values of both ends at about the same time, and judges what it read. What differs here may
// only be on its way: `read` decides.

import RDBParser
import ReplicaLink

extension PairReader {
  /// The memory that keys take, at whichever end it is more; nil for those that neither has.
  mutating func sizes(_ keys: [[UInt8]]) throws(ReplayError) -> [UInt64?] {
    for key in keys {
      source.enqueueSize(key)
      destination.enqueueSize(mapping.destinationKey(of: key))
    }
    try source.send()
    try destination.send()
    var sizes: [UInt64?] = []
    for key in keys { sizes.append(try source.receiveSize(key)) }
    for (index, key) in keys.enumerated() {
      guard let size = try destination.receiveSize(key) else { continue }
      sizes[index] = max(sizes[index] ?? 0, size)
    }
    return sizes
  }

  /// Reads keys of one db at both ends, at about the same time.
  mutating func readStates(
    _ names: [KeyName]
  ) throws(ReplayError) -> [(source: RawState, destination: RawState)] {
    guard let first = names.first else { return [] }
    try selectBoth(first)
    for name in names {
      for command in source.stateCommands(name.key) { source.connection.enqueue(command) }
      let key = mapping.destinationKey(of: name.key)
      for command in destination.stateCommands(key) {
        destination.connection.enqueue(command)
      }
    }
    try source.send()
    try destination.send()
    var states: [(source: RawState, destination: RawState)] = []
    for name in names {
      states.append(
        (try source.receiveState(name.key), try destination.receiveState(name.key))
      )
    }
    return states
  }

  // MARK: - Judging

  /// Compares two states; types that the rules leave out are the same whatever they are.
  func judge(_ source: RawState, _ destination: RawState) -> KeyComparison {
    if let mine = source.payload, let other = destination.payload,
      rules.isSame(source.expiryMilliseconds, destination.expiryMilliseconds),
      RawState.haveSameBytes(mine, other)
    {
      return .same
    }
    let now = Clock.wallMilliseconds()
    let comparison: KeyComparison
    do throws(RDBError) {
      let mine = try source.state(now: now)
      let other = try destination.state(now: now)
      if let type = mine.meaning?.type ?? other.meaning?.type,
        !mapping.filter.matches(type: type)
      {
        return .same
      }
      comparison = rules.compare(mine, other, now: now)
    } catch {
      // What cannot be read has to be the same byte for byte, and is not.
      return .different(.value)
    }
    return comparison
  }

  static func detail(
    _ cause: DifferenceCause, _ source: RawState, _ destination: RawState
  ) -> String {
    switch cause {
    case .missing, .extra: return ""
    case .ttl:
      return "\(expiry(source)) at the source, \(expiry(destination)) at the destination"
    case .type:
      return "\(type(source)) at the source, \(type(destination)) at the destination"
    case .value, .fieldTTL:
      guard let mine = source.payload.flatMap(ElementDifference.value(of:)),
        let other = destination.payload.flatMap(ElementDifference.value(of:))
      else { return "" }
      return ElementDifference.describe(mine, other)
    }
  }

  private static func expiry(_ state: RawState) -> String {
    state.expiryMilliseconds.map { "expires at \($0)" } ?? "never expires"
  }

  private static func type(_ state: RawState) -> String {
    guard let payload = state.payload, let contents = try? DumpPayload.open(payload.span) else {
      return "nothing"
    }
    return contents.type.logicalName
  }
}
