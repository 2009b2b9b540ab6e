// A real redis-server on a unix socket of its own, and the smallest client that can ask it: the
// independent truth the unit tests of the filter and the command table compare with.

import Glibc

/// A server without persistence, alive as long as the object.
final class RedisServer {
  static let executable: String? = {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    return path.split(separator: ":").map { "\($0)/redis-server" }
      .first { access($0, X_OK) == 0 }
  }()

  private var process: pid_t = 0
  private let directory: String
  private var descriptor: Int32 = -1
  private var buffer: [UInt8] = []
  private var position = 0

  struct Failure: Error { var reason: String }

  init(executable: String, arguments: [String] = []) throws {
    var template = Array("/tmp/migr8sync-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(reason: "mkdtemp") }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let socket = "\(directory)/s"
    let log = try spawn(
      [executable, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", directory]
        + arguments)
    defer { close(log) }
    try Self.awaitReady(log)
    descriptor = try Self.connect(to: socket)
  }

  /// Where other clients reach it.
  var url: String { "unix://\(directory)/s" }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if process > 0 {
      kill(process, SIGKILL)
      waitpid(process, nil, 0)
    }
    for name in ["s", "dump.rdb"] { unlink("\(directory)/\(name)") }
    rmdir(directory)
  }

  /// Starts the server with its log on a pipe; returns the reading end.
  private func spawn(_ arguments: [String]) throws -> Int32 {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure(reason: "pipe: errno \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[1]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    var pointers = arguments.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    guard posix_spawn(&process, arguments[0], &actions, nil, &pointers, environ) == 0 else {
      throw Failure(reason: "posix_spawn \(arguments[0])")
    }
    return ends[0]
  }

  private static func awaitReady(_ log: Int32) throws {
    var text = ""
    while !text.contains("eady to accept connections") {
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = Glibc.read(log, &chunk, chunk.count)
      guard count > 0 else { throw Failure(reason: text) }
      text += String(decoding: chunk[..<count], as: UTF8.self)
    }
  }

  private static func connect(to path: String) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else { throw Failure(reason: "connect: errno \(errno)") }
    return descriptor
  }

  // MARK: Commands

  indirect enum Reply: Equatable {
    case simple(String)
    case error(String)
    case integer(Int)
    case bulk([UInt8]?)
    case array([Reply])

    var items: [Reply] { if case .array(let items) = self { items } else { [] } }
    var bytes: [UInt8]? { if case .bulk(let bytes) = self { bytes } else { nil } }
    var number: Int? { if case .integer(let number) = self { number } else { nil } }
    var text: String {
      switch self {
      case .simple(let text), .error(let text): text
      case .integer(let number): String(number)
      case .bulk(let bytes): String(decoding: bytes ?? [], as: UTF8.self)
      case .array: ""
      }
    }
  }

  func command(_ arguments: String...) throws -> Reply {
    try send(arguments.map { Array($0.utf8) })
  }

  func send(_ arguments: [[UInt8]]) throws -> Reply {
    try sendRaw(RESP.encode(arguments))
    return try readReply()
  }

  func sendRaw(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw Failure(reason: "write: errno \(errno)") }
      sent += count
    }
  }

  func readReply() throws -> Reply {
    let line = try readLine()
    let rest = String(decoding: line.dropFirst(), as: UTF8.self)
    switch line.first {
    case UInt8(ascii: "+"): return .simple(rest)
    case UInt8(ascii: "-"): return .error(rest)
    case UInt8(ascii: ":"): return .integer(Int(rest) ?? 0)
    case UInt8(ascii: "$"):
      let count = Int(rest) ?? -1
      if count < 0 { return .bulk(nil) }
      let bytes = try read(count)
      _ = try read(2)
      return .bulk(bytes)
    case UInt8(ascii: "*"):
      return .array(try (0..<max(0, Int(rest) ?? 0)).map { _ in try readReply() })
    default: throw Failure(reason: "unexpected reply")
    }
  }

  private func readLine() throws -> [UInt8] {
    while true {
      if let end = buffer[position...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { position = end + 1 }
        return Array(buffer[position..<end - 1])
      }
      try fill()
    }
  }

  private func read(_ count: Int) throws -> [UInt8] {
    while buffer.count - position < count { try fill() }
    defer { position += count }
    return Array(buffer[position..<position + count])
  }

  private func fill() throws {
    buffer.removeFirst(position)
    position = 0
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let received = Glibc.read(descriptor, &chunk, chunk.count)
    guard received > 0 else { throw Failure(reason: "read: errno \(errno)") }
    buffer.append(contentsOf: chunk[..<received])
  }
}
