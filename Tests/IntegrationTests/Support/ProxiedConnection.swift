// A connection that passes one of the proxies: its two ends, which two threads relay between, each one way.

import Glibc

/// The last of them to let go of it closes both ends. Not earlier: a thread that still reads or writes would
/// meet whoever has been given the number in the meantime.
final class ProxiedConnection: Sendable {
  let near: Int32
  let far: Int32

  /// Takes `near`, and connects to the server; nil where that is not there.
  init?(_ near: Int32, toPort port: Int) {
    guard let far = try? connectToLoopback(port: port) else {
      close(near)
      return nil
    }
    (self.near, self.far) = (near, far)
  }

  deinit {
    close(near)
    close(far)
  }

  /// Runs one of the two ways on a thread of its own.
  func start(_ relay: @escaping @Sendable (ProxiedConnection) -> Void) {
    pthread_detach(startThread { withExtendedLifetime(self) { relay($0) } })
  }

  /// Ends it in both directions.
  func end() {
    shutdown(near, Int32(SHUT_RDWR))
    shutdown(far, Int32(SHUT_RDWR))
  }
}
