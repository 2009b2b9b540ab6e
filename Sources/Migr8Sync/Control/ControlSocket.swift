// The system calls of the control socket, on both its ends: one small type that owns a descriptor.

import Glibc
import ReplicaLink

/// A unix socket: one that listens, or one end of a conversation.
struct ControlSocket: ~Copyable {
  /// What an attempt to move bytes came to.
  enum Transfer: Equatable {
    case bytes(Int)
    case wouldBlock
    /// The other end has closed, or is gone.
    case ended
  }

  let descriptor: Int32

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    close(descriptor)
  }

  /// Listens at `path`, for this user alone. A socket that a dead process has left there is replaced.
  ///
  /// It is made under another name and gets its own when it listens: so whoever finds one that refuses
  /// a connection knows that nobody is behind it any more.
  static func listen(at path: String) throws(ControlDirectory.Problem) -> ControlSocket {
    if let other = connect(to: path) {
      _ = consume other
      throw ControlDirectory.Problem(description: "\(path) is in use by another process")
    }
    let socket = try make()
    let temporary = path + ".new"
    unlink(temporary)
    guard bound(socket.descriptor, temporary), chmod(temporary, 0o600) == 0,
      Glibc.listen(socket.descriptor, 64) == 0, rename(temporary, path) == 0
    else {
      let reason = String(cString: strerror(errno))
      unlink(temporary)
      throw ControlDirectory.Problem(description: "\(path) cannot be listened at: \(reason)")
    }
    return socket
  }

  /// Connects to the process behind `path`; nil when there is none, or when it has taken no caller for a
  /// second.
  static func connect(to path: String) -> ControlSocket? {
    guard let socket = try? make() else { return nil }
    for _ in 0..<1000 {
      let isThere = withAddress(path) { address, length in
        Glibc.connect(socket.descriptor, address, length) == 0
      }
      if isThere { return socket }
      // Its queue of callers is full: there is nothing to poll for.
      guard errno == EAGAIN else { return nil }
      usleep(1000)
    }
    return nil
  }

  /// Whether nobody is behind `path` any more.
  static func isStale(_ path: String) -> Bool {
    guard let socket = try? make() else { return false }
    return withAddress(path) { address, length in
      Glibc.connect(socket.descriptor, address, length) != 0 && errno == ECONNREFUSED
    }
  }

  /// The next caller; nil when there is none.
  func accept() -> ControlSocket? {
    let caller = Glibc.accept(descriptor, nil, nil)
    guard caller >= 0 else { return nil }
    let socket = ControlSocket(caller)
    Self.configure(caller)
    return socket
  }

  /// Reads what is there, at most what fits.
  func receive(into buffer: inout [UInt8]) -> Transfer {
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 { return .bytes(count) }
      if count < 0, errno == EINTR { continue }
      return count < 0 && errno == EAGAIN ? .wouldBlock : .ended
    }
  }

  /// Sends as much as the other end's buffer takes.
  func send(_ bytes: [UInt8]) -> Transfer {
    while true {
      let count = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      if count >= 0 { return .bytes(count) }
      if errno == EINTR { continue }
      return errno == EAGAIN ? .wouldBlock : .ended
    }
  }

  /// Waits for bytes or for room; false when the deadline has passed.
  func wait(for events: Int32, untilMilliseconds deadline: Int64) -> Bool {
    while true {
      let left = deadline - Clock.monotonicMilliseconds()
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let count = poll(&entry, 1, Int32(clamping: max(0, left)))
      if count > 0 { return true }
      if count == 0, left <= 0 { return false }
    }
  }

  private static func make() throws(ControlDirectory.Problem) -> ControlSocket {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else {
      throw ControlDirectory.Problem(
        description: "no socket can be made: \(String(cString: strerror(errno)))")
    }
    configure(descriptor)
    return ControlSocket(descriptor)
  }

  private static func configure(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  private static func bound(_ descriptor: Int32, _ path: String) -> Bool {
    withAddress(path) { address, length in bind(descriptor, address, length) == 0 }
  }

  private static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool
  ) -> Bool {
    guard path.utf8.count <= ControlDirectory.pathBytesMax else { return false }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
