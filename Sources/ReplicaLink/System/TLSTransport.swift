// What OpenSSL reads from and writes to: the socket, through the calls that Socket itself uses.
// OpenSSL's own transport writes with write(2), which would raise SIGPIPE in a process that has not
// ignored it.

#if canImport(COpenSSL)
  import COpenSSL
  import Glibc

  /// The bytes below one TLS session. It notes how the connection failed, which OpenSSL would not
  /// pass on.
  ///
  /// A socket that takes no bytes any more looks full to OpenSSL: the session stays usable, and what
  /// the server sent before it closed, such as the alert that says why, can still be read.
  final class TLSTransport {
    private let descriptor: Int32
    /// Whether the peer has closed its side.
    private(set) var hasEnded = false
    /// The `errno` that ended reading; 0 while it works.
    private(set) var readError: Int32 = 0
    /// The `errno` that ended writing; 0 while it works.
    private(set) var writeError: Int32 = 0

    init(descriptor: Int32) {
      self.descriptor = descriptor
    }

    /// A BIO on this transport, which must outlive it. Its one reference is the caller's.
    func makeBIO() -> OpaquePointer? {
      guard let method = Self.method.pointer, let bio = BIO_new(method) else { return nil }
      BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
      BIO_set_init(bio, 1)
      return bio
    }

    private func read(_ bytes: UnsafeMutablePointer<CChar>, _ room: Int32, _ bio: OpaquePointer)
      -> Int32
    {
      BIO_clear_flags(bio, Self.retryFlags)
      while true {
        let count = recv(descriptor, bytes, Int(room), 0)
        if count > 0 { return Int32(count) }
        if count == 0 {
          hasEnded = true
          return 0
        }
        switch errno {
        case EINTR: continue
        case EAGAIN:
          BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
          return -1
        default:
          readError = errno
          return -1
        }
      }
    }

    private func write(_ bytes: UnsafePointer<CChar>, _ size: Int32, _ bio: OpaquePointer) -> Int32
    {
      BIO_clear_flags(bio, Self.retryFlags)
      while true {
        let count = Glibc.send(descriptor, bytes, Int(size), Int32(MSG_NOSIGNAL))
        if count > 0 { return Int32(count) }
        if count < 0, errno == EINTR { continue }
        if count < 0, errno != EAGAIN { writeError = errno }
        BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
        return -1
      }
    }

    private static let retryFlags =
      BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

    private static func transport(of bio: OpaquePointer) -> TLSTransport? {
      BIO_get_data(bio).map { Unmanaged<TLSTransport>.fromOpaque($0).takeUnretainedValue() }
    }

    /// The table of functions that every BIO of ours has, made once and kept.
    private struct Method: @unchecked Sendable {
      // Sendable: OpenSSL only reads it once it is made.
      let pointer: OpaquePointer?
    }

    private static let method: Method = {
      let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
      guard let method = BIO_meth_new(type, "migr8sync socket") else { return Method(pointer: nil) }
      BIO_meth_set_read(method) { bio, bytes, room in
        guard let bio, let bytes, let transport = TLSTransport.transport(of: bio) else { return -1 }
        return transport.read(bytes, room, bio)
      }
      BIO_meth_set_write(method) { bio, bytes, size in
        guard let bio, let bytes, let transport = TLSTransport.transport(of: bio) else { return -1 }
        return transport.write(bytes, size, bio)
      }
      BIO_meth_set_ctrl(method) { bio, command, _, _ in
        switch command {
        case BIO_CTRL_FLUSH: return 1
        case BIO_CTRL_EOF:
          return bio.flatMap { TLSTransport.transport(of: $0) }?.hasEnded == true ? 1 : 0
        default: return 0
        }
      }
      return Method(pointer: method)
    }()
  }
#endif
