// A master played by the test: a listener on the loopback interface whose connections say what the
// test tells them to, and nothing else.

import Foundation

@testable import ReplicaLink

/// What went wrong in the play.
struct PlayError: Error, CustomStringConvertible {
  let description: String
}

/// A listening socket.
final class FakeMaster: Sendable {
  /// How long anything expected may take, in milliseconds. Passing tests never wait for it.
  static let patienceMilliseconds: Int64 = 120_000

  let port: UInt16
  private let descriptor: Int32

  /// Listens on a free port of 127.0.0.1, or of ::1, or of every IPv6 address.
  ///
  /// - Parameter receiveBytes: how much its connections take in without being read, about.
  init(
    isIPv6: Bool = false, isOnEveryAddress: Bool = false, backlog: Int32 = 8,
    receiveBytes: Int32? = nil
  ) throws {
    let listener = socket(
      isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard listener >= 0 else { throw PlayError(description: "no socket") }
    descriptor = listener
    if var receiveBytes {
      setsockopt(
        listener, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
    }
    var status: Int32
    if isIPv6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = isOnEveryAddress ? in6addr_any : in6addr_loopback
      status = Self.with(&address) { bind(listener, $0, $1) }
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      status = Self.with(&address) { bind(listener, $0, $1) }
    }
    guard status == 0, listen(listener, backlog) == 0 else {
      close(listener)
      throw PlayError(description: "cannot listen")
    }
    var bound = sockaddr_in6()
    var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
    status = Self.with(&bound) { address, _ in
      getsockname(listener, UnsafeMutablePointer(mutating: address), &size)
    }
    // The port stands at the same place in both families.
    port = UInt16(bigEndian: bound.sin6_port)
  }

  deinit { close(descriptor) }

  func url(_ login: String = "") throws -> RedisURL {
    try RedisURL("redis://\(login)127.0.0.1:\(port)")
  }

  /// The next connection.
  func accept() throws -> FakePeer {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&request, 1, Int32(Self.patienceMilliseconds)) == 1 else {
      throw PlayError(description: "nobody connects")
    }
    // Not for servers that other tests start at this moment: with their copies, closing would end nothing.
    let peer = Glibc.accept(descriptor, nil, nil)
    guard peer >= 0 else { throw PlayError(description: "accept failed") }
    _ = fcntl(peer, F_SETFD, FD_CLOEXEC)
    return FakePeer(peer)
  }

  private static func with<A>(
    _ address: inout A, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    withUnsafeMutableBytes(of: &address) { bytes in
      guard let base = bytes.baseAddress else { return -1 }
      return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
  }
}

/// One connection of a fake master, used by one thread.
final class FakePeer {
  private let descriptor: Int32
  private var isOpen = true
  private var received: [UInt8] = []
  /// Every command read so far, as words.
  private(set) var commands: [[String]] = []

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var enough = Int32(1)
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &enough, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { hangUp() }

  func hangUp() {
    if isOpen { close(descriptor) }
    isOpen = false
  }

  /// Ends the connection as a crashed machine's neighbour sees it: with a reset.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    hangUp()
  }

  func say(_ text: String) throws { try say(Array(text.utf8)) }

  func say(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      sent += try sayNow(bytes[sent...])
    }
  }

  /// Sends what the system takes; waits until it takes something.
  func sayNow(_ bytes: ArraySlice<UInt8>) throws -> Int {
    guard wait(POLLOUT, FakeMaster.patienceMilliseconds) else {
      throw PlayError(description: "the link reads nothing")
    }
    return try takesBytes(bytes)
  }

  /// Whether the link lets any more bytes go out, now or soon.
  func takesMore(_ bytes: [UInt8], withinMilliseconds patience: Int64) throws -> Int {
    guard wait(POLLOUT, patience) else { return 0 }
    return try takesBytes(bytes[...])
  }

  private func takesBytes(_ bytes: ArraySlice<UInt8>) throws -> Int {
    let count = bytes.withUnsafeBytes {
      send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
    if count < 0 && errno == EAGAIN { return 0 }
    guard count >= 0 else { throw PlayError(description: "the link has hung up") }
    return count
  }

  /// The next command; nil when the link hangs up instead.
  func hear() throws -> [String]? {
    while true {
      if let command = takeCommand() {
        commands.append(command)
        return command
      }
      guard wait(POLLIN, FakeMaster.patienceMilliseconds) else {
        throw PlayError(description: "the link says nothing; heard: \(commands.suffix(3))")
      }
      var room = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor, &room, room.count, 0)
      if count <= 0 { return nil }
      received += room[..<count]
    }
  }

  func expect(_ words: String...) throws {
    let heard = try hear()
    guard heard == words else {
      throw PlayError(description: "expected \(words), heard \(heard.map { "\($0)" } ?? "the end")")
    }
  }

  /// Hears acknowledgements until one says `offset`.
  func expectAcknowledgement(of offset: UInt64) throws {
    while let command = try hear() {
      guard command.prefix(2) == ["REPLCONF", "ACK"] else {
        throw PlayError(description: "heard \(command) among acknowledgements")
      }
      if command == ["REPLCONF", "ACK", "\(offset)"] { return }
    }
    throw PlayError(description: "the link hung up without acknowledging \(offset)")
  }

  private func wait(_ events: Int32, _ milliseconds: Int64) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    return poll(&request, 1, Int32(milliseconds)) == 1
  }

  /// The first command received, cut off the front.
  private func takeCommand() -> [String]? {
    var position = 0
    func line() -> String? {
      guard let end = received[position...].firstIndex(of: 13), end + 1 < received.count else {
        return nil
      }
      defer { position = end + 2 }
      return String(decoding: received[position..<end], as: UTF8.self)
    }
    guard let head = line(), let count = Int(head.dropFirst()) else { return nil }
    var words: [String] = []
    for _ in 0..<count {
      guard let head = line(), let length = Int(head.dropFirst()),
        received.count >= position + length + 2
      else { return nil }
      words.append(String(decoding: received[position..<position + length], as: UTF8.self))
      position += length + 2
    }
    received.removeFirst(position)
    return words
  }
}

extension FakePeer {
  static let identity = "0123456789abcdef0123456789abcdef01234567"
  static let mark = "9f07fee9d7dcbfc125a6f29125fb0744b72775b2"

  /// Plays the handshake up to the announcement of a snapshot behind `offset`.
  func acceptReplica(offset: UInt64, framing: String) throws {
    try expect("REPLCONF", "capa", "eof", "capa", "psync2")
    try say("+OK\r\n")
    try expect("PSYNC", "?", "-1")
    try say("+FULLRESYNC \(Self.identity) \(offset)\r\n\(framing)\r\n")
  }

  /// Plays the handshake of a replica that comes back, up to its request.
  func expectReturn(to offset: UInt64) throws {
    try expect("REPLCONF", "capa", "eof", "capa", "psync2")
    try say("+OK\r\n")
    try expect("INFO", "replication")
    try say("-NOPERM no\r\n")
    try expect("PSYNC", Self.identity, "\(offset + 1)")
  }
}
