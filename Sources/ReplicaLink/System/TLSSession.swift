// A TLS session on a connected socket: the handshake, and reading and writing that never block and
// look like those of a plain socket. Which poll event each of them waits for is kept here too,
// because with TLS a read may have to wait until it can write.

#if canImport(COpenSSL)
  import COpenSSL
  import Glibc

  /// One session, after its handshake.
  ///
  /// `@unchecked Sendable`: it belongs to one `Socket`, which one thread uses at a time.
  final class TLSSession: @unchecked Sendable {
    private let session: OpaquePointer
    private let transport: TLSTransport
    private let identity: TLSIdentity
    private var isEstablished = false
    private var failure: LinkError?

    /// What to poll for when reading would block.
    private(set) var readEvents = Int32(POLLIN)
    /// What to poll for when writing would block.
    private(set) var writeEvents = Int32(POLLOUT)
    /// Whether bytes that came may be read without the socket's becoming readable again.
    private(set) var hasPendingInput = false

    /// Prepares a session. The descriptor stays the caller's.
    ///
    /// - Throws: `.tls` when the options cannot be used.
    init(
      descriptor: Int32, options: TLSOptions, identity: TLSIdentity
    ) throws(LinkError) {
      let context: TLSContext
      do {
        context = try TLSContext(options)
      } catch {
        throw LinkError(.tls, identity.action, "TLS cannot be prepared: \(error.problem)")
      }
      let transport = TLSTransport(descriptor: descriptor)
      guard let bio = transport.makeBIO(), let session = SSL_new(context.pointer) else {
        throw LinkError(.localResource, identity.action, "OpenSSL has no memory for a session")
      }
      SSL_set_bio(session, bio, bio)
      identity.configure(session)
      self.session = session
      self.transport = transport
      self.identity = identity
    }

    deinit {
      SSL_free(session)
    }

    /// Shakes hands.
    ///
    /// - Parameter wait: waits for events on the socket; false when time is up.
    /// - Throws: `.tls`, `.closed`, `.timedOut`, and what `wait` throws.
    func shakeHands(
      wait: (_ events: Int32) throws(LinkError) -> Bool
    ) throws(LinkError) {
      while true {
        ERR_clear_error()
        let status = SSL_connect(session)
        if status == 1 {
          isEstablished = true
          return
        }
        let events: Int32
        switch outcome(status) {
        case .wants(let wanted): events = wanted
        case .ended: throw identity.handshakeEnded(reason: "the server closed the connection")
        case .failed(let error): throw error
        }
        if transport.writeError != 0 {
          throw identity.handshakeEnded(reason: Self.text(transport.writeError))
        }
        guard try wait(events) else { throw identity.handshakeTimedOut() }
      }
    }

    /// Reads what is there, as `Socket.receive`.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(LinkError) -> Socket.Transfer {
      var filled = 0
      while let start = buffer.baseAddress, filled < buffer.count, failure == nil {
        ERR_clear_error()
        let room = Int32(clamping: buffer.count - filled)
        let count = SSL_read(session, start + filled, room)
        if count > 0 {
          filled += Int(count)
          hasPendingInput = SSL_has_pending(session) == 1
          continue
        }
        hasPendingInput = false
        switch outcome(count) {
        case .wants(let events):
          readEvents = events
          return filled > 0 ? .bytes(filled) : .wouldBlock
        case .ended:
          // A session that ends without saying so is a connection lost, and so is every other.
          return filled > 0 ? .bytes(filled) : .endOfStream
        case .failed(let error): failure = error
        }
      }
      if filled > 0 {
        // The failure is thrown by the next call, which must come without waiting.
        if failure != nil { hasPendingInput = true }
        return .bytes(filled)
      }
      if let failure { throw failure }
      return .wouldBlock
    }

    /// Writes what the socket takes, as `Socket.send`.
    func send(_ bytes: UnsafeRawBufferPointer) throws(LinkError) -> Socket.Transfer {
      if let failure { throw failure }
      var sent = 0
      while let start = bytes.baseAddress, sent < bytes.count {
        ERR_clear_error()
        let count = SSL_write(session, start + sent, Int32(clamping: bytes.count - sent))
        if count > 0 {
          sent += Int(count)
          continue
        }
        let result = outcome(count)
        if transport.writeError != 0 { throw brokenWrite() }
        switch result {
        case .wants(let events):
          writeEvents = events
          return sent > 0 ? .bytes(sent) : .wouldBlock
        case .ended:
          throw LinkError(.closed, "writing to \(identity.peer)", "it closed the session")
        case .failed(let error):
          failure = error
          throw error
        }
      }
      return .bytes(sent)
    }

    /// Says goodbye if that is possible now. The socket may be closed afterwards.
    func close() {
      guard failure == nil, isEstablished else { return }
      ERR_clear_error()
      SSL_shutdown(session)
      ERR_clear_error()
    }

    /// The server takes nothing any more. Where it said why in an alert, that is the reason.
    private func brokenWrite() -> LinkError {
      var byte: UInt8 = 0
      ERR_clear_error()
      let count = SSL_peek(session, &byte, 1)
      if count <= 0, case .failed(let error) = outcome(count), error.code == .tls {
        failure = error
        return error
      }
      return LinkError(.closed, "writing to \(identity.peer)", Self.text(transport.writeError))
    }

    private enum Outcome {
      case wants(Int32)
      case ended
      case failed(LinkError)
    }

    /// What a call came to that has returned `status`, which is not success.
    private func outcome(_ status: Int32) -> Outcome {
      switch SSL_get_error(session, status) {
      case SSL_ERROR_WANT_READ: return .wants(Int32(POLLIN))
      case SSL_ERROR_WANT_WRITE: return .wants(Int32(POLLOUT))
      case SSL_ERROR_ZERO_RETURN: return .ended
      case SSL_ERROR_SSL where !transport.hasEnded && transport.readError == 0:
        let code = ERR_get_error()
        guard isEstablished else {
          let verification = SSL_get_verify_result(session)
          return .failed(identity.handshakeFailed(code: code, verification: verification))
        }
        return .failed(identity.sessionFailed(code: code))
      default:
        guard transport.readError != 0 else { return .ended }
        return .failed(
          LinkError(.closed, "reading from \(identity.peer)", Self.text(transport.readError)))
      }
    }

    private static func text(_ error: Int32) -> String {
      String(cString: strerror(error)).lowercased()
    }
  }
#endif
