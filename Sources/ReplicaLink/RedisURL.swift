// RedisURL: where a server is and how to log in, as an operator writes it.
//
// The text comes from a command line, where a password may stand in it. A malformed URL often
// has its parts in the wrong place (`redis://:secret/x@host` reads "secret" as a port), so an
// error here names the part and its position and never quotes a single byte of the text.

/// The address of a server: what a socket connects to.
public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
  /// A host name, an IPv4 address, or an IPv6 address without its brackets.
  case tcp(host: String, port: UInt16)
  /// The absolute path of a unix socket.
  case unix(path: String)
  /// A master that Sentinel knows by name. Not an address yet: `ServerLocator` finds it.
  case sentinel(SentinelGroup)

  /// `host:port`, `[ipv6]:port`, `unix:/path` or `host:port,host:port/master`.
  public var description: String {
    switch self {
    case .tcp(let host, let port):
      host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    case .sentinel(let group): group.description
    }
  }
}

/// What `AUTH` sends. Prints as a mask, also under reflection, so that no log can show it.
public struct Credentials: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// The ACL user (Redis 6.0 and later); `nil` logs in with the password alone.
  public var user: String?
  /// The password; empty where a URL names only a user and the password comes from elsewhere.
  public var password: String

  /// Keeps a user and a password together.
  public init(user: String?, password: String) {
    self.user = user
    self.password = password
  }

  /// The user and a mask. A user without a password is masked too: redis-cli reads that place
  /// as a password, so it may be one.
  public var description: String {
    guard let user, !password.isEmpty else { return "***" }
    return "\(user):***"
  }

  /// The same mask.
  public var debugDescription: String { description }

  /// A mirror without children.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A server's URL: `redis://[user[:password]@]host[:port][/db]`, `rediss://` for the same over
/// TLS, `unix:///path[?db=n]`, or `redis+sentinel://` (see `SentinelGroup`).
///
/// The host defaults to 127.0.0.1 and the port to 6379; an IPv6 address stands in brackets; user,
/// password and path are percent-decoded. The last `@` of the authority ends the password.
public struct RedisURL: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
  /// What to connect to.
  public var endpoint: Endpoint
  /// How to log in; `nil` without a user or password in the URL.
  public var credentials: Credentials?
  /// The database the URL names; `nil` when it names none.
  public var database: Int?
  /// How to speak TLS; `nil` unless the URL asks for it (`rediss://`).
  public var tls: TLSOptions?
  /// How to log in to the sentinels themselves; `credentials` are for the servers they watch.
  public var sentinelCredentials: Credentials?

  /// Parses a URL. Cost: linear in its length.
  ///
  /// - Throws: `RedisURLError`, which never holds a part of the text.
  public init(_ text: String) throws(RedisURLError) {
    let parser = RedisURLParser(bytes: Array(text.utf8))
    self = try parser.parse()
  }

  init(endpoint: Endpoint, credentials: Credentials?, database: Int?, usesTLS: Bool) {
    self.endpoint = endpoint
    self.credentials = credentials
    self.database = database
    tls = usesTLS ? TLSOptions() : nil
  }

  /// Whether the URL asks for TLS (`rediss://`).
  public var usesTLS: Bool { tls != nil }

  /// The same login, database and transport at another address.
  func at(_ endpoint: Endpoint) -> RedisURL {
    var copy = self
    copy.endpoint = endpoint
    copy.sentinelCredentials = nil
    return copy
  }

  /// The URL with its password masked.
  public var description: String {
    let login = credentials.map { "\($0)@" } ?? ""
    switch endpoint {
    case .tcp:
      let scheme = usesTLS ? "rediss" : "redis"
      return "\(scheme)://\(login)\(endpoint)" + (database.map { "/\($0)" } ?? "")
    case .unix(let path):
      return "unix://\(path)" + (database.map { "?db=\($0)" } ?? "")
    case .sentinel:
      let scheme = usesTLS ? "rediss" : "redis"
      return "\(scheme)+sentinel://\(login)\(endpoint)" + (database.map { "/\($0)" } ?? "")
    }
  }

  /// The same text as `description`.
  public var debugDescription: String { description }
}

/// Why a text is not a `RedisURL`: what is wrong, at which byte, and what is expected there.
public struct RedisURLError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The part of the URL that is wrong.
  public enum Part: String, Sendable {
    /// What stands before `://`.
    case scheme
    /// The user name.
    case user
    /// The password.
    case password
    /// The host name or address.
    case host
    /// The TCP port.
    case port
    /// The database number.
    case database
    /// The path of a unix socket.
    case path
    /// The name of a master that Sentinel watches.
    case master
    /// What follows a `?`.
    case option
  }

  /// The part that is wrong.
  public var part: Part
  /// The position of the first byte that is wrong, counted from 1.
  public var position: Int
  /// What is wrong with it.
  public var problem: String
  /// What would be right.
  public var expected: String

  /// One line for an operator, without any part of the URL.
  public var description: String {
    "malformed URL: \(problem) (\(part.rawValue), position \(position)); expected \(expected)"
  }
}
