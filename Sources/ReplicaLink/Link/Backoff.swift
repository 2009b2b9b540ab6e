// How long to wait before the next attempt: twice as long each time, half of it left to chance, so that
// many replicas of one source do not come back in step. Randomness is a parameter.

/// The pauses between attempts at something that may succeed later.
public struct Backoff: Sendable {
  private let pauses: LinkOptions.Pauses
  private var random: UInt64
  private var failures = 0

  /// Pauses within bounds; `seed` chooses among the possible ones.
  public init(_ pauses: LinkOptions.Pauses, seed: UInt64) {
    self.pauses = pauses
    random = seed
  }

  /// The next pause, in milliseconds.
  public mutating func next() -> Int64 {
    let longest = max(1, pauses.longestMilliseconds)
    let doubled = max(1, pauses.firstMilliseconds) << Int64(min(failures, 20))
    failures += 1
    let whole = min(longest, doubled)
    // A linear congruential step; its high bits are good enough to spread replicas.
    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return whole / 2 + Int64(random >> 33) % (whole - whole / 2 + 1)
  }

  /// Something went well: the next pause is the first again.
  public mutating func reset() { failures = 0 }

  /// A link held for `milliseconds`, which may be enough to begin anew.
  mutating func note(linkHeldFor milliseconds: Int64) {
    if milliseconds >= pauses.forgivenMilliseconds { reset() }
  }
}
