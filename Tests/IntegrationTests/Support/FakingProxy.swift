// Stands between the tool and a destination, and gives a transaction another answer than the server
// would: those that a server alone does not give, and none at all.

import Glibc
import ReplicaLink
import Synchronization

final class FakingProxy: Sendable {
  /// What becomes of a transaction of the tool.
  enum Answer: Sendable {
    /// The server does not see it. The first command is refused with `queued`, where there is one, and the
    /// EXEC with `executed`.
    case refusal(queued: String?, executed: String)
    /// The server carries it out, and the connection is cut before it can say so.
    case silence
  }

  let port: Int
  private let target: Int
  private let listener: Listener
  private let pending = Guarded<[Answer]>([])

  init(to server: TestServer) throws {
    listener = try Listener()
    port = listener.port
    target = server.port
    pthread_detach(startThread { [self] in acceptConnections() })
  }

  var url: String { "redis://127.0.0.1:\(port)" }

  /// Gives the next transactions these answers, and the rest their own.
  func answer(_ answers: [Answer]) { pending.withLock { $0 += answers } }

  /// Whether all of them were given.
  var isDone: Bool { pending.withLock { $0.isEmpty } }

  func stop() { listener.stop() }

  private func acceptConnections() {
    while let near = listener.accept() {
      guard let connection = ProxiedConnection(near, toPort: target) else { continue }
      // What the server says is passed on, until a transaction was answered with silence.
      let isMute = Mute()
      connection.start { self.listen(to: $0.near, $0.far, isMute) }
      connection.start { ends in
        Self.copy(from: ends.far) { bytes in
          if !isMute.value.load(ordering: .acquiring) { try sendAll(ends.near, bytes) }
        }
        shutdown(ends.near, Int32(SHUT_RDWR))
      }
    }
  }

  private final class Mute: Sendable {
    let value = Atomic<Bool>(false)
  }

  private func listen(to near: Int32, _ far: Int32, _ isMute: Mute) {
    Self.copy(from: near) { [self] bytes in
      let commands = Self.commands(in: bytes)
      let isTransaction = commands.first == "MULTI" && commands.last == "EXEC"
      let answer = pending.withLock { isTransaction && !$0.isEmpty ? $0.removeFirst() : nil }
      switch answer {
      case nil: try sendAll(far, bytes)
      case .silence:
        isMute.value.store(true, ordering: .releasing)
        try sendAll(far, bytes)
        // The server has read it all before it sees that nobody is there any more.
        shutdown(far, Int32(SHUT_WR))
        throw TestFailure("cut")
      case .refusal(let queued, let executed):
        var replies = Array(repeating: "+QUEUED\r\n", count: commands.count - 2)
        if let queued { replies[0] = "-\(queued)\r\n" }
        let text = "+OK\r\n" + replies.joined() + "-\(executed)\r\n"
        try sendAll(near, Array(text.utf8))
      }
    }
    if !isMute.value.load(ordering: .acquiring) { shutdown(far, Int32(SHUT_RDWR)) }
    shutdown(near, Int32(SHUT_RDWR))
  }

  /// Hands on what comes until either side ends.
  private static func copy(from input: Int32, _ body: ([UInt8]) throws -> Void) {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(input, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0, (try? body(Array(chunk[..<count]))) != nil else { return }
    }
  }

  /// The names of the commands, when `bytes` are nothing but whole ones; else none.
  private static func commands(in bytes: [UInt8]) -> [String] {
    var names: [String] = []
    var position = 0
    func number() -> Int? {
      guard let end = bytes[position...].firstIndex(of: 13), end > position else { return nil }
      defer { position = end + 2 }
      return Int(String(decoding: bytes[(position + 1)..<end], as: UTF8.self))
    }
    while position < bytes.count {
      guard let count = number(), count > 0 else { return [] }
      for index in 0..<count {
        guard position < bytes.count, let length = number(),
          position + length + 2 <= bytes.count
        else { return [] }
        if index == 0 {
          names.append(String(decoding: bytes[position..<position + length], as: UTF8.self))
        }
        position += length + 2
      }
    }
    return names
  }
}
