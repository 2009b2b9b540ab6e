// What an operator says about TLS: whom to trust, who we are, which name to expect.

/// How a connection over TLS proves who the server is, and to the server who we are.
public struct TLSOptions: Sendable, Equatable {
  /// The certificates to trust, in PEM; `nil` trusts those that the system trusts.
  public var authoritiesFile: String?
  /// Our certificate and its chain, in PEM, for servers that ask for one.
  public var certificateFile: String?
  /// The private key of that certificate, in PEM; `nil` looks for it in the same file.
  public var keyFile: String?
  /// The name to ask for (SNI) and to expect in the certificate; `nil` takes the URL's host.
  public var serverName: String?
  /// Whether the server's certificate is checked at all.
  public var verifiesServer = true

  /// Trusts what the system trusts, and shows no certificate.
  public init() {}

  /// Whether this build can speak TLS.
  public static var isAvailable: Bool {
    #if canImport(COpenSSL)
      true
    #else
      false
    #endif
  }

  /// Reads the files and throws them away, so that a mistake is found before anything is begun.
  ///
  /// - Throws: what is wrong with which of them; also that this build has no TLS.
  public func check() throws(TLSOptionsError) {
    #if canImport(COpenSSL)
      _ = try TLSContext(self)
    #else
      throw .unavailable
    #endif
  }
}

/// Why `TLSOptions` cannot be used. Holds no path and nothing of a file's content.
public struct TLSOptionsError: Error, Sendable, Equatable {
  /// The part of the options that is wrong.
  public enum Part: Sendable, Equatable {
    /// `authoritiesFile`.
    case authorities
    /// `certificateFile`.
    case certificate
    /// `keyFile`.
    case key
    /// Nothing of them: TLS itself does not work here.
    case library
  }

  /// What is wrong.
  public let part: Part
  /// What is wrong with it, and what would be right.
  public let problem: String

  static let unavailable = TLSOptionsError(
    part: .library,
    problem: "this program was built without OpenSSL (install libssl-dev, or openssl-devel, then "
      + "'swift package purge-cache', 'swift package clean', and build it again)")
}
