// A source that moves: the address a link is told, changed by the test.

@testable import ReplicaLink

/// A URL that another thread may exchange.
final class Swappable: Sendable {
  private let current: Guarded<RedisURL>

  init(_ url: RedisURL) { current = Guarded(url) }

  var url: RedisURL {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }
}
