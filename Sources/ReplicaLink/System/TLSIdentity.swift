// Who the server must be, and what to say when the two ends do not come together over TLS: one line
// that tells an operator which end is wrong and what to do.

#if canImport(COpenSSL)
  import COpenSSL
  import Glibc

  /// The server's name, for the handshake and for messages.
  struct TLSIdentity: Sendable {
    /// The peer as the operator wrote it.
    let peer: String
    /// The host name or address that its certificate must name, without an IPv6 zone.
    let name: String
    private let verifies: Bool
    private let timeoutMilliseconds: Int64

    init(peer: String, host: String, options: TLSOptions, timeoutMilliseconds: Int64) {
      self.peer = peer
      let wanted = options.serverName ?? host
      var name = wanted.contains(":") ? String(wanted.prefix { $0 != "%" }) : wanted
      if name.hasSuffix(".") { name.removeLast() }
      self.name = name
      verifies = options.verifiesServer
      self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// What is being done, for messages.
    var action: String { "connecting to \(peer)" }

    private var isAddress: Bool {
      var address = in6_addr()
      return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1
    }

    /// Tells a session which name to ask for and to expect.
    func configure(_ session: OpaquePointer) {
      let parameters = SSL_get0_param(session)
      X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
      if isAddress {
        // The extension carries names only (RFC 6066, section 3).
        if verifies { X509_VERIFY_PARAM_set1_ip_asc(parameters, name) }
      } else {
        _ = migr8sync_set_server_name(session, name)
        if verifies { SSL_set1_host(session, name) }
      }
    }

    // MARK: - What went wrong

    func handshakeTimedOut() -> LinkError {
      LinkError(
        .timedOut, action, "no answer to the TLS handshake within \(timeoutMilliseconds) ms",
        advice: "does the server speak TLS on this port? if not, use redis://")
    }

    func handshakeEnded(reason: String) -> LinkError {
      LinkError(
        .closed, action, "\(reason) during the TLS handshake",
        advice: "does the server speak TLS on this port? if not, use redis://")
    }

    /// The error for a handshake that failed for a reason that OpenSSL names.
    ///
    /// - Parameters:
    ///   - code: the first of OpenSSL's error queue.
    ///   - verification: the result of checking the server's certificate.
    func handshakeFailed(code: UInt, verification: Int) -> LinkError {
      switch Self.reason(code) {
      case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return rejection(Int32(truncatingIfNeeded: verification))
      case SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNEXPECTED_MESSAGE, SSL_R_PACKET_LENGTH_TOO_LONG:
        return LinkError(
          .tls, action, "what answers there does not speak TLS",
          advice: "use redis://, or the port on which the server speaks TLS")
      case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return LinkError(
          .tls, action, "the server speaks no TLS version that is safe",
          advice: "it needs TLS 1.2 or newer: see tls-protocols in its configuration")
      default:
        return alert(code)
          ?? LinkError(.tls, action, "the TLS handshake failed: \(Self.text(code))")
      }
    }

    /// The error for an established session that failed. With TLS 1.3 a server looks at the client's
    /// certificate only after the client's handshake is over, so that may be the reason too.
    func sessionFailed(code: UInt) -> LinkError {
      alert(code) ?? LinkError(.closed, "talking to \(peer) over TLS", Self.text(code))
    }

    private static func reason(_ code: UInt) -> Int32 {
      migr8sync_error_is_ssl(code) == 1 ? migr8sync_error_reason(code) : 0
    }

    private static func text(_ code: UInt) -> String {
      ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// OpenSSL numbers the alerts that a peer sends from here on, by their number in TLS.
    private static let alertBase: Int32 = 1000

    /// The error when the server has ended the session with an alert (RFC 8446, section 6.2).
    private func alert(_ code: UInt) -> LinkError? {
      let number = Self.reason(code) - Self.alertBase
      guard (0...255).contains(number) else { return nil }
      switch number {
      // A server of TLS 1.2 says "handshake failure" when it misses the client's certificate.
      case 116, 40:
        let reason =
          number == 116
          ? "the server wants a client certificate"
          : "the server ended the TLS handshake; it may want a client certificate"
        return LinkError(.tls, action, reason, advice: "give one with --tls-cert and --tls-key")
      case 42...46, 48, 49:
        return LinkError(
          .tls, action,
          "the server does not accept the client certificate (\(Self.words[number] ?? Self.text(code)))",
          advice: "check --tls-cert and --tls-key, and the server's tls-ca-cert-file")
      case 112:
        return LinkError(
          .tls, action, "the server does not know the name \(name)",
          advice: "give the one it has with --tls-sni")
      default:
        return LinkError(.tls, action, "the server ended the TLS session: \(Self.text(code))")
      }
    }

    private static let words: [Int32: String] = [
      42: "bad certificate", 43: "unsupported certificate", 44: "it is revoked",
      45: "it has expired", 46: "unknown problem", 48: "its authority is unknown there",
      49: "access denied",
    ]

    /// The server's certificate was not good enough for us.
    private func rejection(_ verification: Int32) -> LinkError {
      func error(_ reason: String, _ advice: String?) -> LinkError {
        LinkError(.tls, action, reason, advice: advice)
      }
      switch verification {
      case X509_V_ERR_CERT_HAS_EXPIRED:
        return error(
          "the server's certificate, or one that it rests on, has expired",
          "renew it, and check this machine's clock")
      case X509_V_ERR_CERT_NOT_YET_VALID:
        return error(
          "the server's certificate, or one that it rests on, is not valid yet",
          "check this machine's clock")
      case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
        return error(
          "the server's certificate is not for \(name)",
          "use a name that it is for in the URL, or say it with --tls-sni")
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
        X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return error(
          "the server's certificate is signed by an authority that is not trusted here",
          "give that authority's certificate with --tls-ca")
      case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return error(
          "the server's certificate is signed by itself and not trusted here",
          "give that very certificate with --tls-ca")
      default:
        let text = X509_verify_cert_error_string(Int(verification)).map { String(cString: $0) }
        return error("the server's certificate is not accepted: \(text ?? "\(verification)")", nil)
      }
    }
  }
#endif
