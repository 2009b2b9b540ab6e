// A server that answers one connection as a test says: for what happens between two commands of a client,
// which no real server can be made to do at the right moment.

import Glibc
import ReplicaLink

/// Alive until the client has gone.
final class ScriptedServer {
  private let directory: String
  private let thread: NamedThread

  /// - Parameter answer: the reply to a command, as it stands on the wire.
  init(_ answer: @escaping @Sendable ([String]) -> String) throws {
    var template = Array("/tmp/migr8sync-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw RedisServer.Failure(reason: "mkdtemp") }
    let directory = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    self.directory = directory
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: "\(directory)/s".utf8) }
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0, listen(listener, 1) == 0 else {
      throw RedisServer.Failure(reason: "listen: errno \(errno)")
    }
    thread = NamedThread("scripted") {
      let connection = accept(listener, nil, nil)
      close(listener)
      Self.serve(connection, answer)
      close(connection)
    }
  }

  deinit {
    thread.join()
    unlink("\(directory)/s")
    rmdir(directory)
  }

  var url: String { "unix://\(directory)/s" }

  private static func serve(_ connection: Int32, _ answer: ([String]) -> String) {
    var bytes: [UInt8] = []
    var position = 0
    while true {
      while let command = RESP.decode(bytes, at: position) {
        position = command.range.upperBound
        let reply = Array(
          answer(command.arguments.map { String(decoding: bytes[$0], as: UTF8.self) }).utf8)
        guard write(connection, reply, reply.count) == reply.count else { return }
      }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = read(connection, &chunk, chunk.count)
      guard count > 0 else { return }
      bytes += chunk[..<count]
    }
  }
}
