// Writes on moved keys that came to the source behind the end of the job: nothing applies them, unless they
// had waited at its fence and were to be carried over, and the operator has to know of them.

import ReplicaLink
import Synchronization

/// What was passed over, or carried over. The replay thread writes, a cutover reads.
///
/// `@unchecked Sendable`: everything mutable is atomic or guarded by `monitor`.
final class LateWrites: @unchecked Sendable {
  /// So many are named.
  static let examplesMax = 20

  /// How far the stream was looked at.
  let seenOffset = Atomic<UInt64>(0)
  private let monitor = Monitor()
  private var count: UInt64 = 0
  private var examples: [String] = []

  /// A command that would have been applied before the end.
  func note(_ example: @autoclosure () -> String) {
    monitor.withLock {
      count += 1
      if examples.count < Self.examplesMax { examples.append(example()) }
    }
  }

  /// How many there were, and the first of them.
  var all: (count: UInt64, examples: [String]) { monitor.withLock { (count, examples) } }
}
