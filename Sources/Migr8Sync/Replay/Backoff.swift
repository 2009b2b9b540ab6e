// How long to wait before trying again: longer each time, never quite the same, so that several who
// wait for one server do not come all at once.

/// A series of growing waits.
struct Backoff: Sendable {
  /// The first wait and the longest, in milliseconds.
  private let first: Int64
  private let longest: Int64
  private var milliseconds: Int64

  /// Waits for a destination that is to take the stream again.
  static let forStream = Backoff(first: 50, longest: 2_000)
  /// Waits before another snapshot is asked for: the source has to make it.
  static let forSnapshot = Backoff(first: 1_000, longest: 60_000)

  init(first: Int64, longest: Int64) {
    self.first = first
    self.longest = longest
    milliseconds = first
  }

  /// The next wait, in milliseconds.
  mutating func next() -> Int64 {
    let wait = milliseconds / 2 + Int64.random(in: 0...milliseconds / 2)
    milliseconds = min(milliseconds * 2, longest)
    return wait
  }

  /// Something went well: the next wait is short again.
  mutating func reset() {
    milliseconds = first
  }
}
