// How long to wait before trying again: longer each time, never quite the same, so that several who
// wait for one server do not come all at once.

/// A series of growing waits.
struct Backoff: Sendable {
  /// The first wait and the longest, in milliseconds.
  static let firstMilliseconds: Int64 = 50
  static let longestMilliseconds: Int64 = 2_000

  private var milliseconds = Self.firstMilliseconds

  /// The next wait, in milliseconds.
  mutating func next() -> Int64 {
    let wait = milliseconds / 2 + Int64.random(in: 0...milliseconds / 2)
    milliseconds = min(milliseconds * 2, Self.longestMilliseconds)
    return wait
  }

  /// Something went well: the next wait is short again.
  mutating func reset() {
    milliseconds = Self.firstMilliseconds
  }
}
