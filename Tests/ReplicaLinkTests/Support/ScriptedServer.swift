// A server that answers every command as the test says: a sentinel, a master or a replica without the
// real thing, so that each of their states can be had at will.

import Foundation
import Synchronization

@testable import ReplicaLink

/// Listens on a free port of 127.0.0.1 and answers on threads of its own, as long as the value lives.
final class ScriptedServer: Sendable {
  let port: UInt16
  private let stopping: Stop

  private final class Stop: Sendable {
    let isSet = Atomic<Bool>(false)
  }

  /// - Parameter answer: the reply to a command, in wire form; nil hangs up.
  init(_ answer: @escaping @Sendable ([String]) -> String?) throws {
    let listener = try FakeMaster()
    port = listener.port
    let stopping = Stop()
    self.stopping = stopping
    Thread.detachNewThread {
      while let peer = try? listener.accept(), !stopping.isSet.load(ordering: .acquiring) {
        while let command = try? peer.hear(), let reply = answer(command) {
          guard (try? peer.say(reply)) != nil else { break }
        }
      }
    }
  }

  deinit {
    stopping.isSet.store(true, ordering: .releasing)
    // Wakes the thread out of its wait.
    if let url = try? RedisURL("redis://127.0.0.1:\(port)") {
      _ = try? Socket.connect(to: url.endpoint, tls: nil, timeoutMilliseconds: 1000)
    }
  }

  var endpoint: Endpoint { .tcp(host: "127.0.0.1", port: port) }

  /// A sentinel that says the master is at `place`, asked anew each time; nil knows no master.
  static func sentinel(
    _ place: @escaping @Sendable () -> ScriptedServer?
  ) throws -> ScriptedServer {
    try ScriptedServer { command in
      switch command.prefix(2).map({ $0.lowercased() }) {
      case ["sentinel", "get-master-addr-by-name"]:
        guard command.last == "main", let server = place() else { return "*-1\r\n" }
        return list(["127.0.0.1", "\(server.port)"])
      case ["sentinel", "masters"]:
        return "*2\r\n" + list(["name", "other"]) + list(["ip", "x", "name", "main"])
      default: return "-ERR unknown command\r\n"
      }
    }
  }

  /// A server whose INFO says these lines.
  static func server(_ lines: @escaping @Sendable () -> [String]) throws -> ScriptedServer {
    try ScriptedServer { command in
      guard command.first == "INFO" else { return "-ERR unknown command '\(command[0])'\r\n" }
      return bulk("# Replication\r\n" + lines().map { $0 + "\r\n" }.joined())
    }
  }

  static func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

  static func list(_ items: [String]) -> String {
    "*\(items.count)\r\n" + items.map(bulk).joined()
  }
}

/// A port of 127.0.0.1 that refuses connections, and that nobody else can take meanwhile.
final class DeadEnd: Sendable {
  let port: UInt16
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) | getsockname(descriptor, $0, &size)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard status == 0 else { throw PlayError(description: "cannot bind") }
  }

  deinit { close(descriptor) }

  var endpoint: Endpoint { .tcp(host: "127.0.0.1", port: port) }
}
