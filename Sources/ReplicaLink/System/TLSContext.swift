// OpenSSL's context: what TLSOptions mean to it. One is made for every connection, so a certificate
// that was renewed on the disk counts from the next reconnection on.

#if canImport(COpenSSL)
  import COpenSSL
  import Glibc

  /// An `SSL_CTX` for clients, with the files of the options read.
  final class TLSContext {
    /// The largest record is 16 KB and a little: several of them are read at once.
    private static let readBytes = 1 << 17

    let pointer: OpaquePointer

    /// Cost: reads the files, for the system's authorities some ten milliseconds.
    init(_ options: TLSOptions) throws(TLSOptionsError) {
      guard let pointer = SSL_CTX_new(TLS_client_method()) else {
        throw TLSOptionsError(part: .library, problem: "OpenSSL does not start: \(Self.reason())")
      }
      self.pointer = pointer
      _ = migr8sync_require_tls12(pointer)
      migr8sync_refuse_renegotiation(pointer)
      migr8sync_set_mode(
        pointer, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
      migr8sync_read_ahead(pointer, Self.readBytes)
      SSL_CTX_set_verify(pointer, options.verifiesServer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
      try trust(options)
      try identify(options)
    }

    deinit {
      SSL_CTX_free(pointer)
    }

    private func trust(_ options: TLSOptions) throws(TLSOptionsError) {
      guard options.verifiesServer else { return }
      guard let file = options.authoritiesFile else {
        _ = SSL_CTX_set_default_verify_paths(pointer)
        return
      }
      try Self.requireReadable(file, .authorities)
      guard SSL_CTX_load_verify_locations(pointer, file, nil) == 1 else {
        throw TLSOptionsError(
          part: .authorities, problem: "the file holds no certificate in PEM (\(Self.reason()))")
      }
    }

    private func identify(_ options: TLSOptions) throws(TLSOptionsError) {
      guard let certificate = options.certificateFile else { return }
      try Self.requireReadable(certificate, .certificate)
      guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1 else {
        throw TLSOptionsError(
          part: .certificate, problem: "the file holds no certificate in PEM (\(Self.reason()))")
      }
      let key = options.keyFile ?? certificate
      let part = options.keyFile == nil ? TLSOptionsError.Part.certificate : .key
      try Self.requireReadable(key, part)
      // Without a callback of ours, OpenSSL would ask for the key's password on the terminal.
      var isProtected = false
      let status = withUnsafeMutablePointer(to: &isProtected) { flag in
        SSL_CTX_set_default_passwd_cb_userdata(pointer, flag)
        SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, flag in
          flag?.assumingMemoryBound(to: Bool.self).pointee = true
          return -1
        }
        return SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM)
      }
      SSL_CTX_set_default_passwd_cb_userdata(pointer, nil)
      if isProtected {
        throw TLSOptionsError(
          part: part,
          problem: "the private key is protected by a password, which cannot be given here "
            + "(write it without one, readable by you alone: openssl pkey -in KEY -out NEW)")
      }
      guard status == 1 else {
        let reason = Self.reason()
        throw TLSOptionsError(
          part: part,
          problem: reason.contains("mismatch")
            ? "the private key is not that of the certificate"
            : "the file holds no private key in PEM (\(reason))")
      }
    }

    private static func requireReadable(
      _ path: String, _ part: TLSOptionsError.Part
    ) throws(TLSOptionsError) {
      guard access(path, R_OK) == 0 else {
        let reason = String(cString: strerror(errno)).lowercased()
        throw TLSOptionsError(part: part, problem: "the file cannot be read: \(reason)")
      }
    }

    /// OpenSSL's words for the first error of this thread, which they empty.
    private static func reason() -> String {
      let code = ERR_get_error()
      ERR_clear_error()
      return ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }
  }
#endif
