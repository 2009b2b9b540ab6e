// A key of somebody else that a job's first snapshot met at the destination, and did not overwrite. The job
// remembers it there: the next run, which repeats the snapshot, overwrites and removes whatever matches, so
// the same command must not begin before somebody has looked.

import ReplicaLink

/// The key at which a run ended, by its name at the destination, in a field of the job's record.
enum StrangersKey {
  private static let field = Array("stranger".utf8)

  /// Keeps it. The connection is on the record's db.
  static func remember(
    _ name: KeyName, of identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) {
    _ = try DestinationReplay.ask(
      &connection, [Array("HSET".utf8), identity.recordKey, field, name.encoded])
  }

  /// Forgets it.
  static func forget(
    of identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) {
    _ = try DestinationReplay.ask(&connection, [Array("HDEL".utf8), identity.recordKey, field])
  }

  /// Why the job cannot go on: the key is still there. Leaves the connection on the record's db.
  static func objection(
    _ identity: JobIdentity, at address: String, _ connection: inout RedisConnection
  ) throws(ReplayError) -> PreflightRefusal? {
    let value = try DestinationReplay.ask(
      &connection, [Array("HGET".utf8), identity.recordKey, field])
    guard case .bulk(let bytes) = value, let name = KeyName(encoded: bytes) else { return nil }
    func select(_ database: Int) throws(ReplayError) {
      _ = try DestinationReplay.ask(
        &connection, [Array("SELECT".utf8), Array("\(database)".utf8)])
    }
    try select(name.database)
    let count = try DestinationReplay.ask(&connection, [Array("EXISTS".utf8), name.key])
    try select(identity.database)
    if count.integer == 0 { return nil }
    return PreflightRefusal(
      "job \(identity.name) has met the key \(name) at \(address), which is somebody else's and is"
        + " still there (find who writes it, then remove or rename it: after that the same command"
        + " begins the snapshot again, and overwrites or removes whatever else matches there)")
  }
}
