// The one wrapper around socket system calls: EINTR is retried here, "would block" is a value, and
// everything else becomes a LinkError that names the peer. Whether the bytes go over TLS is nobody
// else's business.

import Glibc

/// A connected, non-blocking stream socket, plain or with TLS, closed when it goes out of scope. One
/// thread at a time may use it.
public struct Socket: ~Copyable, Sendable {
  let descriptor: Int32
  /// The peer as the operator wrote it, for error messages.
  public let peer: String
  /// Set once, right after connecting; `nil` for a plain connection.
  var session: TLSSession?

  init(descriptor: Int32, peer: String) {
    self.descriptor = descriptor
    self.peer = peer
  }

  deinit {
    // First: the descriptor's number may belong to somebody else a moment after it is closed.
    session?.close()
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

  /// Whether the connection is over TLS.
  public var usesTLS: Bool { session != nil }

  /// Reads what is there, up to the size of `buffer`.
  ///
  /// - Throws: `.closed` when the connection broke, `.tls` when the server did not like us.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(LinkError) -> Transfer {
    if let session { return try session.receive(into: buffer) }
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
  /// What was not taken must be the beginning of the next call's bytes, wherever in memory, perhaps
  /// with more behind it: TLS may have encrypted some of it already.
  ///
  /// - Throws: `.closed` when the connection broke, `.tls` when the server did not like us.
  public func send(_ bytes: UnsafeRawBufferPointer) throws(LinkError) -> Transfer {
    if let session { return try session.send(bytes) }
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

  private func broken(_ action: String) -> LinkError {
    let reason = String(cString: strerror(errno)).lowercased()
    return LinkError(.closed, "\(action) \(peer)", reason)
  }
}
