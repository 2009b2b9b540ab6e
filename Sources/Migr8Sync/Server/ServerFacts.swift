// What a server says about itself in INFO, as far as a run depends on it.

import ReplicaLink

/// The version of a server, comparable.
struct ServerVersion: Sendable, Comparable, CustomStringConvertible {
  var major: Int
  var minor: Int
  var patch: Int

  init(_ major: Int, _ minor: Int = 0, _ patch: Int = 0) {
    self.major = major
    self.minor = minor
    self.patch = patch
  }

  /// Reads `7.0.15`; parts that are missing or no numbers count as 0.
  init(parsing text: String) {
    let parts = text.split(separator: ".").map { Int($0) ?? 0 }
    self.init(
      parts.count > 0 ? parts[0] : 0, parts.count > 1 ? parts[1] : 0,
      parts.count > 2 ? parts[2] : 0)
  }

  static func < (one: ServerVersion, other: ServerVersion) -> Bool {
    (one.major, one.minor, one.patch) < (other.major, other.minor, other.patch)
  }

  var description: String { "\(major).\(minor).\(patch)" }
}

/// A server's own account of itself.
struct ServerFacts: Sendable {
  /// Every line of the answer.
  let fields: InfoFields

  /// Parses the text of INFO.
  init(info: String) {
    fields = InfoFields(info)
  }

  /// Asks a server; nil when the user may not run INFO.
  ///
  /// - Throws: when the connection fails or the server refuses for another reason.
  static func read(_ connection: inout RedisConnection) throws(LinkError) -> ServerFacts? {
    let reply = try connection.command("INFO")
    if let line = reply.errorLine {
      let error = ServerRefusal.error(line, action: "asking \(connection.peer) for INFO")
      if error.code == .permission { return nil }
      throw error
    }
    return ServerFacts(info: reply.text ?? "")
  }

  /// The Redis version it is compatible with.
  var version: ServerVersion { ServerVersion(parsing: fields["redis_version"] ?? "") }
  /// The version of a Valkey; nil for Redis.
  var valkeyVersion: ServerVersion? { fields["valkey_version"].map { ServerVersion(parsing: $0) } }
  var isValkey: Bool { valkeyVersion != nil }
  /// Whether it can be told to expire nothing by itself.
  var knowsImportMode: Bool { valkeyVersion.map { $0 >= ServerVersion(8, 1) } ?? false }
  /// Such as `Redis 7.0.15` or `Valkey 8.1.1`.
  var product: String {
    if let valkey = fields["valkey_version"] { return "Valkey \(valkey)" }
    return "Redis \(fields["redis_version"] ?? "of unknown version")"
  }
  /// The identity of the running process.
  var runID: String? { fields["run_id"] }
  /// The identity of its replication history, shared by a master and its replicas.
  var replicationID: String? { fields["master_replid"] }
  /// Whether a history is this server's, under its present name or its last.
  func knowsHistory(_ id: String) -> Bool {
    fields["master_replid"] == id || fields["master_replid2"] == id
  }
  /// The offset of the last byte of that history.
  var replicationOffset: UInt64? { fields.number("master_repl_offset") }
  /// Up to where a replica has applied its master's stream.
  var appliedOffset: UInt64? { fields.number("slave_repl_offset") }
  var isReplica: Bool { fields["role"] == "slave" }
  var isMasterLinkUp: Bool { fields["master_link_status"] == "up" }
  var masterAddress: String { "\(fields["master_host"] ?? "?"):\(fields["master_port"] ?? "?")" }
  var isReadOnlyReplica: Bool { isReplica && fields["slave_read_only"] != "0" }
  /// The hosts of those that follow it and listen on no port: tools, and no replicas.
  var followersWithoutPort: [String] { fields.followersWithoutPort }
  var isLoading: Bool { fields["loading"] == "1" }
  var isCluster: Bool { fields["cluster_enabled"] == "1" }

  /// The number of keys in each db that has any.
  var keyCounts: [Int: UInt64] {
    var counts: [Int: UInt64] = [:]
    for (name, value) in fields.values {
      guard name.hasPrefix("db"), let database = Int(name.dropFirst(2)), database >= 0 else {
        continue
      }
      let keys = value.split(separator: ",").first { $0.hasPrefix("keys=") }
      counts[database] = keys.flatMap { UInt64($0.dropFirst(5)) }
    }
    return counts
  }

  /// The number of keys in all dbs.
  var keyCount: UInt64 { keyCounts.values.reduce(0) { $0.saturatingAdd($1) } }
}

extension InfoFields {
  /// The hosts of a server's followers that listen on no port.
  var followersWithoutPort: [String] {
    values.filter { name, value in
      name.hasPrefix("slave") && value.split(separator: ",").contains("port=0")
    }.map { _, value in
      value.split(separator: ",").first { $0.hasPrefix("ip=") }.map { String($0.dropFirst(3)) }
        ?? "?"
    }.sorted()
  }
}
