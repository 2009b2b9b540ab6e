// The one wrapper around socket system calls: EINTR is retried here, "would block" is a value, and
// everything else becomes a LinkError that names the peer.

import Glibc

/// A connected, non-blocking stream socket, closed when it goes out of scope.
public struct Socket: ~Copyable, Sendable {
  /// The file descriptor, for `poll`.
  public let descriptor: Int32
  /// The peer as the operator wrote it, for error messages.
  public let peer: String

  init(descriptor: Int32, peer: String) {
    self.descriptor = descriptor
    self.peer = peer
  }

  deinit {
    close(descriptor)
  }

  /// What a read or write that may not block came to.
  public enum Transfer: Sendable, Equatable {
    /// So many bytes went over, at least one.
    case bytes(Int)
    /// Nothing now; poll first.
    case wouldBlock
    /// The peer has closed its side.
    case endOfStream
  }

  /// Reads what is there, up to the size of `buffer`.
  ///
  /// - Throws: `.closed` when the connection broke.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(LinkError) -> Transfer {
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .endOfStream }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      default: throw broken("reading from")
      }
    }
  }

  /// Writes as much of `bytes` as the system takes now.
  ///
  /// - Throws: `.closed` when the connection broke.
  public func send(_ bytes: UnsafeRawBufferPointer) throws(LinkError) -> Transfer {
    while true {
      let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count >= 0 { return .bytes(count) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      default: throw broken("writing to")
      }
    }
  }

  /// Waits until the socket is readable or writable.
  ///
  /// - Parameter deadline: on `Clock.monotonicMilliseconds()`; nil waits for ever.
  /// - Returns: false when the deadline passed first.
  public func wait(for events: Int32, untilMilliseconds deadline: Int64?) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while true {
      var timeout: Int32 = -1
      if let deadline {
        let left = max(0, deadline - Clock.monotonicMilliseconds())
        timeout = Int32(clamping: left)
      }
      let count = poll(&request, 1, timeout)
      if count > 0 { return true }
      if count == 0 { return false }
    }
  }

  private func broken(_ action: String) -> LinkError {
    let reason = String(cString: strerror(errno)).lowercased()
    return LinkError(.closed, "\(action) \(peer)", reason)
  }
}
