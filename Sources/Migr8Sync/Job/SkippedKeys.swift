// The keys that a job leaves alone, kept in sets at the destination, so that a later run leaves the same
// keys alone: those that the destination had before the job, with --on-conflict skip, and those of other
// types when the snapshot was taken, with --type. Their names are the source's.

import ReplicaLink

/// A set of keys at the destination.
enum SkippedKeys {
  /// Members added by one command.
  static let chunk = 1_000

  /// Adds members. The connection is on the record's db.
  static func add(
    _ members: [KeyName], to set: [UInt8], _ connection: inout RedisConnection
  ) throws(ReplayError) {
    var rest = members[...]
    while !rest.isEmpty {
      let command = [Array("SADD".utf8), set]
      _ = try DestinationReplay.ask(
        &connection, command + rest.prefix(chunk).map(\.encoded))
      rest = rest.dropFirst(chunk)
    }
  }

  /// Reads all of them. The connection is on the record's db.
  static func read(
    _ set: [UInt8], _ connection: inout RedisConnection
  ) throws(ReplayError) -> KeyHashSet {
    var keys = KeyHashSet()
    var cursor = Array("0".utf8)
    repeat {
      let reply = try DestinationReplay.ask(
        &connection,
        [
          Array("SSCAN".utf8), set, cursor, Array("COUNT".utf8),
          Array("\(chunk)".utf8),
        ])
      guard let parts = reply.array, parts.count == 2, case .bulk(let next) = parts[0],
        let members = parts[1].array
      else {
        throw ReplayError("reading \(connection.peer): the answer to SSCAN makes no sense")
      }
      for case .bulk(let member) in members {
        guard let name = KeyName(encoded: member) else { continue }
        keys.insert(name.key.span, database: name.database)
      }
      cursor = next
    } while cursor != Array("0".utf8)
    return keys
  }
}
