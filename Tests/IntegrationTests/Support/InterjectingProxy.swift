// Stands between the tool and a server, and does something right before the server sees a named command: what
// another client does just then, again and again, without a race.

import Glibc
import ReplicaLink

final class InterjectingProxy: Sendable {
  let port: Int
  private let target: Int
  private let listener: Listener
  private let interjections: Guarded<[String: @Sendable () throws -> Void]>

  /// - Parameter interjections: what to do before a command, by its name.
  init(to server: TestServer, _ interjections: [String: @Sendable () throws -> Void]) throws {
    self.interjections = Guarded(interjections)
    listener = try Listener()
    port = listener.port
    target = server.port
    pthread_detach(startThread { [self] in acceptConnections() })
  }

  var url: String { "redis://127.0.0.1:\(port)" }

  func stop() { listener.stop() }

  private func acceptConnections() {
    while let near = listener.accept() {
      guard let connection = ProxiedConnection(near, toPort: target) else { continue }
      connection.start { self.relay(from: $0.near, to: $0.far, interjecting: true) }
      connection.start { self.relay(from: $0.far, to: $0.near, interjecting: false) }
    }
  }

  /// Copies until either side ends, or something cannot be done.
  private func relay(from input: Int32, to output: Int32, interjecting: Bool) {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(input, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      let bytes = Array(chunk[..<count])
      if interjecting {
        let text = String(decoding: bytes, as: UTF8.self)
        let due = interjections.withLock { all in
          all.filter { text.contains("\r\n\($0.key)\r\n") }.map(\.value)
        }
        guard (try? due.forEach { try $0() }) != nil else { break }
      }
      guard (try? sendAll(output, bytes)) != nil else { break }
    }
    shutdown(input, Int32(SHUT_RDWR))
    shutdown(output, Int32(SHUT_RDWR))
  }
}
