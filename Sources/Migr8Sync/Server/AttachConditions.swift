// What attaching to a source depends on, read from INFO and CONFIG before it is done. What is made of
// it is in AttachWarning.swift.

import Glibc
import ReplicaLink

/// A source as it is before the tool attaches. A value is nil where the source did not tell.
struct AttachConditions: Sendable {
  /// The limits of `client-output-buffer-limit replica`; 0 is no limit.
  struct OutputLimit: Sendable, Equatable {
    var hardBytes: UInt64
    var softBytes: UInt64
    var softSeconds: UInt64
  }

  /// How long the writes are counted at least, in milliseconds.
  static let measureMilliseconds: Int64 = 200

  var version: ServerVersion?
  var usedMemoryBytes: UInt64?
  var machineMemoryBytes: UInt64?
  /// The source's own limit; nil without one.
  var maxmemoryBytes: UInt64?
  var lastSnapshotFailed = false
  /// How long the last snapshot took.
  var lastSnapshotSeconds: UInt64?
  var attachedReplicas: UInt64?
  var hasBacklog = false
  var backlogBytes: UInt64?
  var backlogTTLSeconds: UInt64?
  var outputLimit: OutputLimit?
  var replicasToWrite: UInt64?
  var disklessDelaySeconds: UInt64?
  /// What the source adds to its replication stream.
  var writeBytesPerSecond: UInt64?
  /// Whether that is all that clients send, because a source without a backlog does not count writes.
  var writesAreUpperBound = false
  /// What the source keeps to itself, by names that an operator knows.
  var untold: [String] = []

  /// Reads them. Takes at least `measureMilliseconds` from `readAt` on.
  ///
  /// - Parameters:
  ///   - first: what the source said of itself a moment ago; nil when it may not be asked.
  ///   - readAt: when that was, on the monotonic clock.
  static func read(
    _ connection: inout RedisConnection, first: ServerFacts?, readAt: Int64
  ) throws(LinkError) -> AttachConditions {
    var conditions = AttachConditions()
    if first == nil { conditions.untold = ["memory", "write rate", "repl-backlog-size"] }
    try conditions.readSettings(&connection)
    guard let first else { return conditions }
    conditions.take(first)
    guard conditions.hasBacklog, let begin = first.replicationOffset else { return conditions }
    let pause = readAt + measureMilliseconds - Clock.monotonicMilliseconds()
    if pause > 0 { usleep(UInt32(pause) * 1000) }
    guard let end = try ServerFacts.read(&connection)?.replicationOffset, end >= begin else {
      return conditions
    }
    let elapsed = UInt64(max(1, Clock.monotonicMilliseconds() - readAt))
    conditions.writeBytesPerSecond = (end - begin).saturatingMultiply(1000) / elapsed
    return conditions
  }

  mutating func take(_ facts: ServerFacts) {
    let fields = facts.fields
    version = facts.version
    usedMemoryBytes = fields.number("used_memory")
    machineMemoryBytes = fields.number("total_system_memory")
    maxmemoryBytes = fields.number("maxmemory").flatMap { $0 > 0 ? $0 : nil }
    lastSnapshotFailed = fields["rdb_last_bgsave_status"] == "err"
    lastSnapshotSeconds = fields.number("rdb_last_bgsave_time_sec")
    attachedReplicas = fields.number("connected_slaves")
    hasBacklog = fields["repl_backlog_active"] == "1"
    backlogBytes = fields.number("repl_backlog_size")
    if !hasBacklog, let rate = Double(fields["instantaneous_input_kbps"] ?? "") {
      writeBytesPerSecond = HumanNumber.whole(rate * 1024)
      writesAreUpperBound = true
    }
  }

  // MARK: - Settings

  private mutating func readSettings(_ connection: inout RedisConnection) throws(LinkError) {
    backlogTTLSeconds = try number("repl-backlog-ttl", &connection)
    // Called min-slaves-to-write before 5.0.
    replicasToWrite = try number("min-*-to-write", as: "min-replicas-to-write", &connection)
    let limits = try setting("client-output-buffer-limit", &connection)
    outputLimit = limits.flatMap(Self.replicaLimit)
    let isDiskless = try setting("repl-diskless-sync", &connection)
    let delay = try number("repl-diskless-sync-delay", &connection)
    if isDiskless == "yes" { disklessDelaySeconds = delay }
  }

  private mutating func number(
    _ pattern: String, as name: String? = nil, _ connection: inout RedisConnection
  ) throws(LinkError) -> UInt64? {
    try setting(pattern, as: name, &connection).flatMap { UInt64($0) }
  }

  /// The value of one setting. One that the server does not have is no news; one that it does not show
  /// is remembered.
  private mutating func setting(
    _ pattern: String, as name: String? = nil, _ connection: inout RedisConnection
  ) throws(LinkError) -> String? {
    let reply = try connection.command("CONFIG", "GET", pattern)
    if reply.errorLine != nil { untold.append(name ?? pattern) }
    guard let values = reply.array, values.count >= 2 else { return nil }
    return values[1].text
  }

  /// Finds the class of replicas in `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 ...`.
  static func replicaLimit(_ setting: String) -> OutputLimit? {
    let words = setting.split(separator: " ")
    guard let start = words.firstIndex(where: { $0 == "slave" || $0 == "replica" }),
      start + 3 < words.count, let hard = UInt64(words[start + 1]),
      let soft = UInt64(words[start + 2]), let seconds = UInt64(words[start + 3])
    else { return nil }
    return OutputLimit(hardBytes: hard, softBytes: soft, softSeconds: seconds)
  }
}

extension UInt64 {
  /// The product, or the greatest number there is.
  func saturatingMultiply(_ other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }

  /// The sum, or the greatest number there is.
  func saturatingAdd(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
