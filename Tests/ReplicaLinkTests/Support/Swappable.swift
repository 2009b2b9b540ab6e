// A source that moves: the address a link is told, changed by the test.

import Synchronization

@testable import ReplicaLink

/// A URL that another thread may exchange.
final class Swappable: Sendable {
  private let current: Mutex<RedisURL>

  init(_ url: RedisURL) { current = Mutex(url) }

  var url: RedisURL {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }
}
