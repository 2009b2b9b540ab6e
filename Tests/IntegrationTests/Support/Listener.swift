// A listening TCP socket on a free loopback port: what pretends to be a server in the tests for bad
// input, from one that never answers to a master whose snapshot is broken.

import Glibc

final class Listener: @unchecked Sendable {
  // Sendable: everything is set once in init; the descriptor may be used from any thread.

  let port: Int
  private let descriptor: Int32

  init(queueLength: Int32 = 64) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = loopbackAddress(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | listen(descriptor, queueLength)
          | getsockname(descriptor, $0, &length)
      }
    }
    port = Int(UInt16(bigEndian: address.sin_port))
    guard status == 0 else { throw TestFailure("listen: \(String(cString: strerror(errno)))") }
  }

  deinit {
    close(descriptor)
  }

  /// The next connection, or nil once `stop` was called.
  func accept() -> Int32? {
    let connection = Glibc.accept(descriptor, nil, nil)
    _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
    return connection < 0 ? nil : connection
  }

  /// Wakes up whoever waits in `accept`.
  func stop() {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }
}

/// Begins to connect and does not wait for the outcome.
func startConnecting(port: Int) -> Int32 {
  let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
  let descriptor = socket(AF_INET, type, 0)
  var address = loopbackAddress(port: port)
  _ = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  return descriptor
}
