// A small blocking RESP client for tests. It is not the program's own client on purpose: what checks
// the program must not share its mistakes.

import Glibc

/// One argument of a command.
protocol Word {
  var wordBytes: [UInt8] { get }
}

extension String: Word {
  var wordBytes: [UInt8] { Array(utf8) }
}

extension Int: Word {
  var wordBytes: [UInt8] { Array(String(self).utf8) }
}

extension [UInt8]: Word {
  var wordBytes: [UInt8] { self }
}

/// A reply as RESP 2 has it.
enum Reply: Equatable {
  case status(String)
  case error(String)
  case integer(Int)
  case bulk([UInt8])
  case array([Reply])
  case null

  /// The bytes of a bulk or status reply; of an integer, its decimal text; else nothing.
  var bytes: [UInt8]? {
    switch self {
    case .bulk(let bytes): bytes
    case .status(let text): Array(text.utf8)
    case .integer(let number): Array(String(number).utf8)
    case .error, .array, .null: nil
    }
  }

  var text: String { String(decoding: bytes ?? [], as: UTF8.self) }
  var elements: [Reply] { if case .array(let elements) = self { elements } else { [] } }
  var number: Int? { if case .integer(let number) = self { number } else { nil } }

  /// This reply, unless it is an error.
  func orThrow() throws -> Reply {
    if case .error(let message) = self { throw TestFailure("the server says: \(message)") }
    return self
  }
}

/// A connection to a server. Use it from one thread at a time.
final class TestClient {
  private let descriptor: Int32
  private var received: [UInt8] = []
  private var position = 0

  init(port: Int, timeoutSeconds: Int = 60) throws {
    descriptor = try connectToLoopback(port: port)
    var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, Int32(SO_RCVTIMEO), &timeout, socklen_t(MemoryLayout<timeval>.size))
    // Closed at once, without minutes in TIME_WAIT: the tests open thousands of connections.
    var lingering = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, Int32(SO_LINGER), &lingering, socklen_t(MemoryLayout<linger>.size))
  }

  deinit {
    close(descriptor)
  }

  /// Sends a command; its reply, or a thrown error reply.
  @discardableResult
  func callAsFunction(_ words: any Word...) throws -> Reply {
    try send([words])
    return try readReply().orThrow()
  }

  /// Sends a command; its reply, whatever it is.
  func reply(to words: any Word...) throws -> Reply {
    try send([words])
    return try readReply()
  }

  /// Sends all commands at once; their replies in order, error replies included.
  func pipeline(_ commands: [[any Word]]) throws -> [Reply] {
    try send(commands)
    return try commands.map { _ in try readReply() }
  }

  /// The fields of an INFO section.
  func info(_ section: String) throws -> [String: String] {
    var fields: [String: String] = [:]
    for line in try self("INFO", section).text.split(whereSeparator: \.isNewline) {
      let halves = line.split(separator: ":", maxSplits: 1)
      if halves.count == 2 { fields[String(halves[0])] = String(halves[1]) }
    }
    return fields
  }

  /// Ends every other connection of a type: `normal` or `replica`.
  func endConnections(ofType type: String) throws {
    try self("CLIENT", "KILL", "TYPE", type)
  }

  /// Ends every connection of the tool but the one that renews the lease; says how many.
  func endToolConnections() throws -> Int {
    var count = 0
    for line in try self("CLIENT", "LIST").text.split(separator: "\n") {
      guard line.contains(" name=migr8sync:"), !line.contains(":lease "),
        let id = line.split(separator: " ").first(where: { $0.hasPrefix("id=") })
      else { continue }
      _ = try reply(to: "CLIENT", "KILL", "ID", String(id.dropFirst(3)))
      count += 1
    }
    return count
  }

  private func send(_ commands: [[any Word]]) throws {
    var bytes: [UInt8] = []
    for words in commands {
      bytes += Array("*\(words.count)\r\n".utf8)
      for word in words.map(\.wordBytes) {
        bytes += Array("$\(word.count)\r\n".utf8)
        bytes += word
        bytes += [13, 10]
      }
    }
    try sendAll(descriptor, bytes)
  }

  private func readReply() throws -> Reply {
    let line = try readLine()
    let rest = String(decoding: line.dropFirst(), as: UTF8.self)
    switch line.first {
    case UInt8(ascii: "+"): return .status(rest)
    case UInt8(ascii: "-"): return .error(rest)
    case UInt8(ascii: ":"): return .integer(Int(rest) ?? 0)
    case UInt8(ascii: "$"):
      guard let length = Int(rest), length >= 0 else { return .null }
      return .bulk(try readBytes(length + 2).dropLast(2))
    case UInt8(ascii: "*"):
      guard let count = Int(rest), count >= 0 else { return .null }
      return .array(try (0..<count).map { _ in try readReply() })
    default: throw TestFailure("not a RESP reply: \(rest)")
    }
  }

  private func readLine() throws -> [UInt8] {
    while true {
      if let end = received[position...].firstIndex(of: 10) {
        defer { position = end + 1 }
        return Array(received[position..<(end - 1)])
      }
      try receive()
    }
  }

  private func readBytes(_ count: Int) throws -> [UInt8] {
    while received.count - position < count { try receive() }
    defer { position += count }
    return Array(received[position..<(position + count)])
  }

  private func receive() throws {
    if position > 1 << 16 {
      received.removeFirst(position)
      position = 0
    }
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &chunk, chunk.count)
    if count < 0 && errno == EINTR { return }
    guard count > 0 else {
      throw TestFailure(
        count == 0 ? "the server closed the connection" : String(cString: strerror(errno)))
    }
    received += chunk[..<count]
  }
}

/// A connected TCP socket to a port of 127.0.0.1.
func connectToLoopback(port: Int) throws -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  var address = loopbackAddress(port: port)
  let status = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard status == 0 else {
    let reason = String(cString: strerror(errno))
    close(descriptor)
    throw TestFailure("connect to port \(port): \(reason)")
  }
  var yes: Int32 = 1
  setsockopt(
    descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
  return descriptor
}

func loopbackAddress(port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(UInt16(port).bigEndian)
  address.sin_addr.s_addr = in_addr_t(UInt32(0x7f00_0001).bigEndian)
  return address
}

/// Sends everything, or throws. A peer that went away is an error, never a signal.
func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) throws {
  var sent = 0
  while sent < bytes.count {
    let count = bytes.withUnsafeBytes {
      Glibc.send(
        descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent,
        Int32(MSG_NOSIGNAL))
    }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { throw TestFailure("send: \(String(cString: strerror(errno)))") }
    sent += count
  }
}
