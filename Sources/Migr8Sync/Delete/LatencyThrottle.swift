// How a source is spared while keys are removed from it: few keys at once, and rest in between. Redis does one
// thing at a time, so whoever asks while a batch is carried out waits for the whole of it. Decided here
// alone, without I/O; time is a parameter.

/// How many keys are removed at once, and how long to rest then, so that other clients of the server do not
/// feel it.
struct LatencyThrottle: Sendable {
  static let batchMin = 2
  /// The server works some tens of microseconds on each of the questions about so many small values (a DUMP
  /// takes it up to 8 µs, compressing), and on their end.
  static let batchMax = 8
  /// The rest behind a batch in which nothing was felt, at the most: what took longer was the way.
  static let usualRestMicrosecondsMax: Int64 = 1_000
  /// The rest behind one in which something was.
  static let restMicrosecondsMax: Int64 = 1_000_000

  /// What a PING may wait at the server, in microseconds.
  let microsecondsMax: Int64
  private(set) var batch = 4
  /// The quickest PING so far: the way to the server and back.
  private var way = Int64.max

  init(microsecondsMax: Int64) {
    self.microsecondsMax = microsecondsMax
  }

  /// Takes the times of a batch and of a PING behind it; says how long to rest now. All in microseconds.
  mutating func measured(batch taken: Int64, ping: Int64) -> Int64 {
    way = min(way, ping)
    let waited = ping - way
    if waited <= microsecondsMax {
      batch = min(Self.batchMax, batch + 1)
      // Half of the time belongs to the others.
      return min(Self.usualRestMicrosecondsMax, taken)
    }
    batch = max(Self.batchMin, batch / 2)
    // Nine parts of rest to one of trouble, but never longer than the trouble is worth.
    return min(Self.restMicrosecondsMax, waited * 9)
  }
}
