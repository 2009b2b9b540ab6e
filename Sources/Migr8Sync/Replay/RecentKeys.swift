// The keys that the stream has changed last, for a comparison inside a cutover's fence. Gathered only
// while one is under way: before, a command costs one look at a flag.

import ReplicaLink
import Synchronization

/// A small ring of keys. The replay thread writes, a cutover reads.
///
/// `@unchecked Sendable`: everything mutable is atomic or guarded by `monitor`.
final class RecentKeys: @unchecked Sendable {
  /// The most that are kept.
  static let keysMax = 128
  /// A longer key is not remembered, in bytes.
  private static let keyBytesMax = 1_024

  private let isGathering = Atomic<Bool>(false)
  private let monitor = Monitor()
  private var ring: [KeyName] = []
  private var next = 0

  var isOn: Bool { isGathering.load(ordering: .relaxed) }

  /// Begins anew, or ends.
  func gather(_ isOn: Bool) {
    monitor.withLock {
      ring = []
      next = 0
    }
    isGathering.store(isOn, ordering: .relaxed)
  }

  /// A command of the stream has changed this key of the source.
  func note(_ key: Span<UInt8>, database: Int) {
    guard key.count <= Self.keyBytesMax else { return }
    let name = KeyName(database: database, key: key)
    monitor.withLock {
      if ring.count < Self.keysMax {
        ring.append(name)
      } else {
        ring[next] = name
        next = (next + 1) % Self.keysMax
      }
    }
  }

  /// The keys, each once.
  var all: Set<KeyName> { monitor.withLock { Set(ring) } }
}
