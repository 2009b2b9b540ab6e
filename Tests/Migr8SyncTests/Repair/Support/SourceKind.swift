// The servers of several versions that scripts/servers provides.

import Glibc
import ReplicaLink

@testable import Migr8Sync

enum SourceKind: String, CaseIterable, CustomStringConvertible, Sendable {
  case redis62 = "redis-6.2/redis-server"
  case redis70 = "redis-7.0/redis-server"
  case redis82 = "redis-8.2/redis-server"
  case valkey81 = "valkey-8.1/valkey-server"

  var description: String { String(rawValue.prefix { $0 != "/" }) }

  private static let folder =
    String(
      #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(5).joined(
        separator: "/")) + "/.servers/"

  static let arePresent = allCases.allSatisfy { access(folder + $0.rawValue, X_OK) == 0 }
  static let absence = "no servers: run scripts/servers"

  /// Starts one that may be debugged, and whose snapshots come with a length.
  func start(_ arguments: [String] = []) throws -> RedisServer {
    var all = ["--repl-diskless-sync", "no", "--databases", "4"]
    if self != .redis62 { all += ["--enable-debug-command", "yes"] }
    return try RedisServer(executable: Self.folder + rawValue, arguments: all + arguments)
  }

  /// One that does not expire keys by its own clock, for a client that asks for it: what DESIGN calls
  /// import mode.
  static func startDestination() throws -> (RedisServer, TestConnection) {
    let server = try valkey81.start(["--import-mode", "yes"])
    let connection = try TestConnection(server)
    try connection("CLIENT", "IMPORT-SOURCE", "ON")
    return (server, connection)
  }

  var hasExpireTime: Bool { self != .redis62 }
}

/// A TCP port that was free a moment ago.
func freeLoopbackPort() throws -> Int {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let status = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
    }
  }
  guard status == 0 else { throw RedisServer.Failure(reason: "bind: errno \(errno)") }
  return Int(UInt16(bigEndian: address.sin_port))
}

extension SourceKind {
  /// Starts one that a replica can reach; `--port` is in the arguments, at the returned number.
  func startMaster() throws -> (server: RedisServer, port: Int) {
    for _ in 0..<10 {
      // Somebody else may take the port in between.
      let port = try freeLoopbackPort()
      if let server = try? start(["--port", "\(port)"]) { return (server, port) }
    }
    throw RedisServer.Failure(reason: "no free port")
  }
}

/// One more connection to a test's server, through the program's own client.
final class TestConnection {
  private var connection: RedisConnection

  init(_ server: RedisServer) throws {
    connection = try RedisConnection.open(try RedisURL(server.url), timeouts: Timeouts())
  }

  @discardableResult
  func callAsFunction(_ words: String...) throws -> RESPValue {
    try send(words.map { Array($0.utf8) })
  }

  @discardableResult
  func send(_ arguments: [[UInt8]]) throws -> RESPValue {
    try connection.command(arguments)
  }

  /// Puts a command on its way with the next `receive()`.
  func enqueue(_ arguments: [[UInt8]]) { connection.enqueue(arguments) }
  func receive() throws -> RESPValue { try connection.receive() }
}
