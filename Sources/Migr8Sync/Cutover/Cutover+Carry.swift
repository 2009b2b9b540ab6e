// Writes that waited at the fence and run at the source when it is lifted, brought over after all
// (`--queued carry`). They come to the destination behind the application, which writes there by now: what
// meets a newer write is as if it had been done last. The operator has asked for that.

import ReplicaLink

extension Cutover {
  /// How long the destinations may take to apply what is carried over, in milliseconds.
  private static let carryMilliseconds: Int64 = 10_000

  /// Whether what waits can be told from what comes later.
  func examineCarrying() throws(CutoverError) {
    guard settings.queued == .carry, fence?.method != .pauseWrites else { return }
    throw CutoverError(
      "--queued carry needs --fence pause, and a source that can pause writes alone (6.2)")
  }

  /// Waits until nobody waits any more, for `--linger` at the most, and brings over what the source has
  /// written by then.
  func carry() throws(CutoverError) -> String {
    // Whatever becomes of it, nothing more is applied then.
    defer { gate.handOver() }
    let deadline = Clock.monotonicMilliseconds() + settings.lingerMilliseconds
    while try fence!.hasWaiting(), Clock.monotonicMilliseconds() < deadline {
      gate.wait(milliseconds: 5)
    }
    let place = try fence!.place()
    guard place.replicationID == endPlace?.replicationID else {
      throw CutoverError("there was a failover: what waited is not carried over")
    }
    for replay in replays { replay.recentKeys.gather(true) }
    gate.carry(upTo: place.offset)
    let replays = replays
    let isThere = gate.await(
      untilMilliseconds: Clock.monotonicMilliseconds() + Self.carryMilliseconds
    ) {
      replays.allSatisfy { $0.progress.isSettled(upTo: place.offset) }
    }
    guard isThere else { throw CutoverError("not all of what waited was applied in time") }
    let count = replays.reduce(0) { $0 + $1.carriedWrites.all.count }
    return "\(count) writes that had waited are applied, up to offset \(place.offset)"
  }
}
