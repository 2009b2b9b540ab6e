// A listening TCP socket on a free loopback port: what pretends to be a server in the tests for bad
// input, from one that never answers to a master whose snapshot is broken.

import Glibc
import ReplicaLink

final class Listener: @unchecked Sendable {
  // Sendable: everything is set once in init; the descriptor may be used from any thread.

  let port: Int
  private let descriptor: Int32

  /// Every port that a test of this process was given: none is given to two of them, so that a server which
  /// starts again finds its own free, however long it was away.
  private static let given = Guarded<Set<Int>>([])

  init(queueLength: Int32 = 64) throws {
    // Kept until another one is found: else the system could offer the same again.
    var refused: [Int32] = []
    defer { for descriptor in refused { close(descriptor) } }
    while true {
      let (descriptor, port) = try Self.listen(queueLength)
      if Self.given.withLock({ $0.insert(port).inserted }) {
        (self.descriptor, self.port) = (descriptor, port)
        return
      }
      refused.append(descriptor)
    }
  }

  private static func listen(_ queueLength: Int32) throws -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = loopbackAddress(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | Glibc.listen(descriptor, queueLength)
          | getsockname(descriptor, $0, &length)
      }
    }
    guard status == 0 else {
      let reason = String(cString: strerror(errno))
      close(descriptor)
      throw TestFailure("listen: \(reason)")
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
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
