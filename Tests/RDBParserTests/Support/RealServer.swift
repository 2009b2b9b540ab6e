// A real server for tests that take its word as truth: started on a free port, asked over one
// connection, stopped when let go. The programs come from scripts/servers.

import Foundation
import RDBParser
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// The four servers, with the RDB version each writes.
enum ServerKind: Int, CaseIterable, Sendable, CustomTestStringConvertible {
  case redis62 = 9
  case redis70 = 10
  case valkey81 = 11
  case redis82 = 12

  var program: String {
    let path =
      switch self {
      case .redis62: "redis-6.2/redis-server"
      case .redis70: "redis-7.0/redis-server"
      case .valkey81: "valkey-8.1/valkey-server"
      case .redis82: "redis-8.2/redis-server"
      }
    return Fixtures.packageRoot.appending(path: ".servers/\(path)").path
  }

  var features: RDBCommandFeatures {
    switch self {
    case .redis62: .redis(major: 6, minor: 2)
    case .redis70: .redis(major: 7, minor: 0)
    case .valkey81: .valkey(major: 8, minor: 1)
    case .redis82: .redis(major: 8, minor: 2)
    }
  }

  var header: RDBHeader {
    switch self {
    case .redis62: .redis(major: 6, minor: 2)
    case .redis70: .redis(major: 7, minor: 0)
    case .valkey81: .valkey(major: 8, minor: 1)
    case .redis82: .redis(major: 8, minor: 2)
    }
  }

  static let arePresent = allCases.allSatisfy {
    FileManager.default.isExecutableFile(atPath: $0.program)
  }
  static let absence = "no servers: run scripts/servers"

  var testDescription: String { "RDB \(rawValue)" }
}

struct RealServerError: Error, CustomStringConvertible {
  var description: String
}

/// A reply of a server.
indirect enum Reply: Equatable {
  case text([UInt8])
  case number(Int64)
  case error(String)
  case none
  case array([Reply])

  var bytes: [UInt8]? {
    if case .text(let bytes) = self { return bytes }
    return nil
  }

  var string: String { bytes.map { String(decoding: $0, as: UTF8.self) } ?? "\(self)" }
}

/// A running server with one connection. Not for use from several threads at once.
final class RealServer {
  let folder: URL
  private var process: pid_t = 0
  private var connection: Int32 = -1
  private var received: [UInt8] = []
  private var position = 0

  init(_ kind: ServerKind) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "rdb-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // Between finding a free port and using it somebody else may take it.
    for _ in 0..<5 {
      let port = try Self.freePort()
      try start(kind, port)
      if try isAnswering(port) { return }
    }
    throw RealServerError(description: "\(kind) found no free port")
  }

  private func start(_ kind: ServerKind, _ port: UInt16) throws {
    var arguments = [
      kind.program, "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", folder.path,
      "--proto-max-bulk-len", "1gb", "--logfile", folder.appending(path: "log").path,
    ]
    if kind != .redis62 { arguments += ["--enable-debug-command", "local"] }
    // Not through Foundation's Process: its wait needs a run loop, which test threads do not have.
    var words = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    guard posix_spawn(&process, kind.program, nil, nil, &words, environ) == 0 else {
      throw RealServerError(description: "\(kind.program) does not start")
    }
  }

  /// Waits until the process answers; false when it has ended instead, because the port is somebody else's.
  private func isAnswering(_ port: UInt16) throws -> Bool {
    for _ in 0..<2000 {
      if waitpid(process, nil, WNOHANG) == process {
        process = 0
        return false
      }
      connection = Self.connect(port)
      if connection >= 0 {
        // No reply of a test takes longer; a mistake shows as an error instead of a hang.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(
          connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if try ask("INFO", "server").string.contains("process_id:\(process)\r\n") { return true }
        close(connection)
        connection = -1
      }
      usleep(5000)
    }
    throw RealServerError(description: "the server does not answer")
  }

  deinit {
    if connection >= 0 { close(connection) }
    if process > 0 {
      kill(process, SIGKILL)
      waitpid(process, nil, 0)
    }
    try? FileManager.default.removeItem(at: folder)
  }

  /// Sends one command and returns its reply.
  @discardableResult
  func ask(_ words: [UInt8]...) throws -> Reply {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + Array("\r\n".utf8) }
    try send(bytes)
    return try read()
  }

  @discardableResult
  func ask(_ words: String...) throws -> Reply {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    try send(bytes)
    return try read()
  }

  /// Sends ready-made commands and returns the errors among the replies.
  func run(_ commands: [UInt8], count: Int) throws -> [String] {
    try send(commands)
    return try (0..<count).compactMap { _ in
      if case .error(let message) = try read() { return message }
      return nil
    }
  }

  /// Makes the server forget its data and load this file.
  func load(_ file: [UInt8]) throws {
    try Data(file).write(to: folder.appending(path: "dump.rdb"))
    let reply = try ask("DEBUG", "RELOAD", "NOSAVE")
    guard reply.string == "OK" else { throw RealServerError(description: "load: \(reply)") }
  }

  /// The file the server writes now.
  func save() throws -> [UInt8] {
    guard try ask("SAVE").string == "OK" else { throw RealServerError(description: "SAVE") }
    return [UInt8](try Data(contentsOf: folder.appending(path: "dump.rdb")))
  }

  func digest(_ key: [UInt8]) throws -> String {
    let reply = try ask(Array("DEBUG".utf8), Array("DIGEST-VALUE".utf8), key)
    if case .array(let items) = reply, let first = items.first { return first.string }
    return reply.string
  }

  // MARK: Wire

  private func send(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let sent = bytes[offset...].withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
      guard sent > 0 else { throw RealServerError(description: "write: \(errno)") }
      offset += sent
    }
  }

  private func read() throws -> Reply {
    let line = try line()
    let rest = String(decoding: line.dropFirst(), as: UTF8.self)
    switch line.first {
    case UInt8(ascii: "+"): return .text(Array(line.dropFirst()))
    case UInt8(ascii: "-"): return .error(rest)
    case UInt8(ascii: ":"): return .number(Int64(rest) ?? 0)
    case UInt8(ascii: "$"):
      guard let length = Int(rest), length >= 0 else { return .none }
      return .text(Array(try take(length + 2).dropLast(2)))
    case UInt8(ascii: "*"):
      guard let count = Int(rest), count >= 0 else { return .none }
      return .array(try (0..<count).map { _ in try read() })
    default: throw RealServerError(description: "not a reply: \(rest)")
    }
  }

  private func line() throws -> [UInt8] {
    var length = 0
    while true {
      while position + length + 1 < received.count {
        let end = position + length
        if received[end] == 13 && received[end + 1] == 10 {
          defer { position = end + 2 }
          return Array(received[position..<end])
        }
        length += 1
      }
      try more()
    }
  }

  private func take(_ count: Int) throws -> [UInt8] {
    while received.count - position < count { try more() }
    defer { position += count }
    return Array(received[position..<(position + count)])
  }

  private func more() throws {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    if position == received.count {
      received.removeAll(keepingCapacity: true)
      position = 0
    }
    let count = Glibc.read(connection, &chunk, chunk.count)
    guard count > 0 else { throw RealServerError(description: "the server hung up") }
    received += chunk[..<count]
  }

  private static func address(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }

  private static func withAddress<R>(
    _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> R
  ) -> R {
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private static func connect(_ port: UInt16) -> Int32 {
    let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = address(port)
    if withAddress(&address, { Glibc.connect(handle, $0, $1) }) == 0 { return handle }
    close(handle)
    return -1
  }

  private static func freePort() throws -> UInt16 {
    let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(handle) }
    var address = address(0)
    guard withAddress(&address, { bind(handle, $0, $1) }) == 0 else {
      throw RealServerError(description: "bind: \(errno)")
    }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withAddress(&address) { pointer, _ in getsockname(handle, pointer, &length) }
    return UInt16(bigEndian: address.sin_port)
  }
}
