// A listener that is not what the operator believes it is: it says one thing to everybody, or nothing.

import Glibc

final class Impostor {
  let port: Int
  private let listener: Listener

  /// Answers the first bytes of every connection with `answer` and closes it; never answers when nil.
  init(answering answer: String?) throws {
    let listener = try Listener()
    self.listener = listener
    port = listener.port
    pthread_detach(
      startThread {
        var silent: [Int32] = []
        while let connection = listener.accept() {
          guard let answer else {
            silent.append(connection)
            continue
          }
          var request = [UInt8](repeating: 0, count: 4096)
          _ = read(connection, &request, request.count)
          _ = try? sendAll(connection, Array(answer.utf8))
          close(connection)
        }
        for connection in silent { close(connection) }
      })
  }

  deinit {
    listener.stop()
  }

  var url: String { "redis://127.0.0.1:\(port)" }
}
