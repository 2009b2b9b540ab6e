// SentinelGroup: a master by the name under which sentinels know it, and where to ask them.

/// What a `redis+sentinel://` URL names.
///
/// `redis+sentinel://[user[:password]@]host[:port][,host[:port]...]/master[/db]`. The user and the
/// password are those of the servers that Sentinel watches; its own follow behind a question mark,
/// `?sentinel-user=...&sentinel-password=...`. The port defaults to 26379.
public struct SentinelGroup: Sendable, Hashable, CustomStringConvertible {
  /// The port a sentinel listens on where the URL names none.
  public static let defaultPort: UInt16 = 26_379

  /// The sentinels to ask, in this order; at least one.
  public var sentinels: [Endpoint]
  /// The name of the master.
  public var master: String

  /// Names a master and who knows where it is.
  public init(sentinels: [Endpoint], master: String) {
    self.sentinels = sentinels
    self.master = master
  }

  /// `host:port,host:port/master`.
  public var description: String {
    sentinels.map(\.description).joined(separator: ",") + "/" + ServerRefusal.printable(master)
  }
}
