// What a source tells of the replicas attached to it, and a native replica to hold results against.

import Glibc
import Testing

/// One `slaveN` line of INFO replication.
struct AttachedReplica {
  let port: Int
  let state: String
  let offset: Int

  init?(line: String) {
    var fields: [Substring: Substring] = [:]
    for part in line.split(separator: ",") {
      let halves = part.split(separator: "=", maxSplits: 1)
      if halves.count == 2 { fields[halves[0]] = halves[1] }
    }
    guard let port = fields["port"], let state = fields["state"], let offset = fields["offset"]
    else { return nil }
    self.port = Int(port) ?? 0
    self.state = String(state)
    self.offset = Int(offset) ?? -1
  }
}

extension TestServer {
  /// The attached replicas that are not the native ones at the given ports: the tool.
  func attachedTools(besides native: [Int] = []) throws -> [AttachedReplica] {
    try client().info("replication")
      .filter { $0.key.hasPrefix("slave") }
      .compactMap { AttachedReplica(line: $0.value) }
      .filter { !native.contains($0.port) }
  }

  /// Waits until the tool has its snapshot and has acknowledged something of the stream. A message
  /// that nobody hears gives an idle source something to send.
  func awaitToolFollowing(_ tool: Subprocess, besides native: [Int] = []) throws {
    var isNudged = false
    try awaitTool(tool, "the tool to follow the stream") {
      let attached = try attachedTools(besides: native).filter { $0.state == "online" }
      if !attached.isEmpty && !isNudged {
        try client()("PUBLISH", "nobody", "listens")
        isNudged = true
      }
      return attached.contains { $0.offset > 0 }
    }
  }

  /// Waits until the tool has acknowledged everything, or all but the last byte, which no command ends
  /// before. Nobody may write meanwhile.
  func awaitToolInSync(_ tool: Subprocess, besides native: [Int] = []) throws {
    try awaitTool(tool, "the tool to be in sync") {
      guard let end = Int(try client().info("replication")["master_repl_offset"] ?? "") else {
        return false
      }
      return try attachedTools(besides: native).contains {
        $0.state == "online" && end - $0.offset <= 1
      }
    }
  }

  private func awaitTool(_ tool: Subprocess, _ what: String, _ condition: () throws -> Bool) throws
  {
    try awaitCondition(what, seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else {
        throw TestFailure("the tool ended: \(try Tool.finish(tool))")
      }
      return try condition()
    }
  }

  /// Full resynchronisations this source has done, and partial ones.
  func resynchronisations() throws -> [String?] {
    let stats = try client().info("stats")
    return [stats["sync_full"], stats["sync_partial_ok"]]
  }
}

/// A real replica of a source: the independent truth about what its replicas should hold.
final class NativeReplica {
  let server: TestServer
  private let source: TestServer

  /// Attaches, and waits for the snapshot.
  init(of source: TestServer) throws {
    self.source = source
    server = try TestServer(source.kind)
    let client = try server.client()
    try client("REPLICAOF", "127.0.0.1", source.port)
    try awaitCondition("the native replica") {
      try client.info("replication")["master_link_status"] == "up"
    }
  }

  /// Waits until it has everything, and detaches it.
  func promote() throws {
    let client = try server.client()
    try awaitCondition("the native replica to catch up") {
      let offset = try source.client().info("replication")["master_repl_offset"]
      return try client.info("replication")["slave_repl_offset"] == offset
    }
    try client("REPLICAOF", "NO", "ONE")
  }

  /// Ends the application, waits for the tool to have everything, interrupts it, and holds what it wrote
  /// against this replica.
  ///
  /// - fulls: the full resynchronisations the source has made, this replica's among them; nil for any.
  @discardableResult
  func conclude(
    _ application: Application, _ tool: Subprocess, _ destination: TestServer, fulls: Int?,
    prefixes: [String] = [Application.inside], sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> ToolResult {
    try application.stop()
    try source.awaitToolInSync(tool, besides: [server.port])
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)", sourceLocation: sourceLocation)
    try promote()
    try expectEqual(
      destination, to: server, prefixes: prefixes, afterStream: true,
      sourceLocation: sourceLocation)
    if let fulls {
      #expect(
        try source.resynchronisations()[0] == "\(fulls)", "\(result)",
        sourceLocation: sourceLocation)
    }
    return result
  }
}

/// Compares what arrived with what should have. Keys at or past their expiry are left out on both
/// sides.
///
/// - `afterStream`: true when a part of it came through the stream. Redis 6.2's carries relative times
///   to live, so a replica's expiry times differ by its lag; and no 7.0 replica knows `entries-read`.
func expectEqual(
  _ destination: TestServer, to truth: TestServer, prefixes: [String] = [],
  afterStream: Bool = false, expiryTolerance: Int? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  var detail = min(StreamDetail(destination.kind), StreamDetail(truth.kind))
  if afterStream { detail = min(detail, .replicated) }
  let tolerance = expiryTolerance ?? (afterStream && truth.kind == .redis62 ? 10_000 : 0)
  func selected(_ server: TestServer) throws -> Keyspace {
    let all = try Keyspace(of: server, streams: detail)
    guard !prefixes.isEmpty else { return all }
    return all.filter { name in prefixes.contains { name.key.starts(with: $0.utf8) } }
  }
  let expected = try selected(truth)
  let found = try Keyspace(of: destination, streams: detail)
  #expect(!expected.keys.isEmpty, sourceLocation: sourceLocation)
  let differences = found.differences(
    from: expected, ignoringExpiredAt: wallClockMilliseconds(), expiryTolerance: tolerance)
  #expect(differences == [], sourceLocation: sourceLocation)
}
