// When does a destination carry a command out too late? It expires keys by its own clock, so what counts
// is the age of the command, and how far that clock is ahead of the source's.

import ReplicaLink
import Synchronization

/// Reads one server's clock. An answer that took much longer than usual says little: it was given anywhere
/// between the question and its arrival, at the very end by a server that had stood still.
struct ClockReading: Sendable {
  /// What an answer may take beside twice the usual, in milliseconds.
  private static let slackMilliseconds: Int64 = 50

  private var usual: Int64?

  /// Takes an answer: in milliseconds since 1970, between two readings of the monotonic clock here.
  ///
  /// - Returns: the server's clock, less the one here; nil when the answer says too little.
  mutating func offset(
    of milliseconds: Int64, between sent: Int64, and received: Int64
  ) -> Int64? {
    let taken = max(0, received - sent)
    if let usual, taken > usual * 2 + Self.slackMilliseconds {
      // Where all of them take so long now, that is usual soon.
      self.usual = usual + (taken - usual) / 4
      return nil
    }
    usual = min(taken, usual ?? taken)
    return milliseconds - (sent + received) / 2
  }
}

/// What is known of the clocks at both ends; written and read by several threads.
final class DestinationClocks: Sendable {
  /// A command this old, in milliseconds, may meet a key expired that the source still had. Below it the
  /// same can happen only to a key that is written and renewed within so much of its end. Questions about
  /// a source's stream that are asked `SourcePulse.intervalMilliseconds` apart must fit into it.
  static let ageMillisecondsMax: Int64 = 200
  /// Stands for "long ago" and "never": sums with it do not overflow.
  static let unknown = Int64.min / 4

  private let source = Atomic<Int64>(unknown)
  private let destination = Atomic<Int64>(unknown)
  private let late = Atomic<Int64>(unknown)
  private let imports = Atomic<Bool>(false)

  /// The source's clock, less the monotonic clock here.
  func noteSource(_ offset: Int64) { source.store(offset, ordering: .relaxed) }

  /// The destination's.
  func noteDestination(_ offset: Int64) { destination.store(offset, ordering: .relaxed) }

  /// Whether the destination expires nothing at present, because it is in import mode.
  func noteImport(_ isOn: Bool) {
    if imports.exchange(isOn, ordering: .relaxed), !isOn {
      noteLate(Clock.monotonicMilliseconds())
    }
  }

  /// How far the destination's clock is ahead; 0 when it is behind, or nothing is known.
  var skewMilliseconds: Int64 {
    let (here, there) = (source.load(ordering: .relaxed), destination.load(ordering: .relaxed))
    guard here != Self.unknown, there != Self.unknown else { return 0 }
    return max(0, there - here)
  }

  /// How old a command may be when the destination has carried it out, and how much later than the last
  /// that was older it must have been written.
  var allowance: (age: Int64, excess: Int64) {
    if imports.load(ordering: .relaxed) { return (.max / 2, Self.unknown) }
    let skew = skewMilliseconds
    return (Self.ageMillisecondsMax - skew, skew)
  }

  /// A command that was too old was carried out before this, on the monotonic clock.
  func noteLate(_ milliseconds: Int64) { late.store(milliseconds, ordering: .releasing) }

  /// When the last of them was.
  var lateMilliseconds: Int64 { late.load(ordering: .acquiring) }
}
