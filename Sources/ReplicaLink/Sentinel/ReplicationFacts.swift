// What a server says in INFO replication about its role and its replicas. The same facts as ROLE
// gives, by the command that a tool's user may already run.

/// A server's place in replication.
struct ReplicationFacts: Sendable {
  /// A replica as its master sees it.
  struct Replica: Sendable, Equatable {
    var endpoint: Endpoint
    /// The offset it has acknowledged.
    var offset: UInt64
    /// Seconds since it did.
    var lagSeconds: UInt64
  }

  private let fields: InfoFields

  init(info: String) {
    fields = InfoFields(info)
  }

  var isMaster: Bool { fields["role"] == "master" }
  /// Whether a replica follows its master at this moment.
  var isMasterLinkUp: Bool { fields["master_link_status"] == "up" }
  var replicationID: String? { fields["master_replid"] }
  var offset: UInt64? { fields.number("master_repl_offset") }

  /// The replicas that are in sync and say where they are, the one with the smallest lag first.
  var replicas: [Replica] {
    let found = fields.values.compactMap { name, value in
      name.hasPrefix("slave") && Int(name.dropFirst(5)) != nil ? Self.replica(value) : nil
    }
    return found.sorted { one, other in
      if one.offset != other.offset { return one.offset > other.offset }
      if one.lagSeconds != other.lagSeconds { return one.lagSeconds < other.lagSeconds }
      return one.endpoint.description < other.endpoint.description
    }
  }

  /// Reads `ip=10.0.0.7,port=6379,state=online,offset=12345,lag=0`. A tool that listens nowhere has
  /// port 0.
  private static func replica(_ line: String) -> Replica? {
    var parts: [Substring: Substring] = [:]
    for part in line.split(separator: ",") {
      guard let equals = part.firstIndex(of: "=") else { continue }
      parts[part[..<equals]] = part[part.index(after: equals)...]
    }
    guard let host = parts["ip"], let port = parts["port"].flatMap({ UInt16($0) }), port > 0,
      parts["state"] == "online"
    else { return nil }
    return Replica(
      endpoint: .tcp(host: String(host), port: port),
      offset: parts["offset"].flatMap { UInt64($0) } ?? 0,
      lagSeconds: parts["lag"].flatMap { UInt64($0) } ?? .max)
  }
}
