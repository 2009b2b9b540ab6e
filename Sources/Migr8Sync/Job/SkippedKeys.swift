// The keys that --on-conflict skip leaves alone, as the destination had them before the job: kept
// there in a set, so that a later run of the job leaves the same keys alone.

import ReplicaLink

/// The set of a job's skipped keys at the destination.
enum SkippedKeys {
  /// A key, with the source's db that it would have come from.
  struct Member: Sendable, Equatable {
    var database: Int
    var key: [UInt8]

    /// `db:key`.
    var encoded: [UInt8] { Array("\(database):".utf8) + key }
  }

  /// Members added by one command.
  private static let chunk = 1_000

  /// Adds members. The connection is on the record's db.
  static func add(
    _ members: [Member], to identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) {
    var rest = members[...]
    while !rest.isEmpty {
      let command = [Array("SADD".utf8), identity.skippedKey]
      _ = try DestinationReplay.ask(
        &connection, command + rest.prefix(chunk).map(\.encoded))
      rest = rest.dropFirst(chunk)
    }
  }

  /// Reads all of them.
  static func read(
    _ identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) -> KeyHashSet {
    var keys = KeyHashSet()
    var cursor = Array("0".utf8)
    repeat {
      let reply = try DestinationReplay.ask(
        &connection,
        [
          Array("SSCAN".utf8), identity.skippedKey, cursor, Array("COUNT".utf8),
          Array("\(chunk)".utf8),
        ])
      guard let parts = reply.array, parts.count == 2, case .bulk(let next) = parts[0],
        let members = parts[1].array
      else {
        throw ReplayError("reading \(connection.peer): the answer to SSCAN makes no sense")
      }
      for case .bulk(let member) in members {
        guard let colon = member.firstIndex(of: UInt8(ascii: ":")),
          let database = Int(String(decoding: member[..<colon], as: UTF8.self))
        else { continue }
        keys.insert(Array(member[(colon + 1)...]).span, database: database)
      }
      cursor = next
    } while cursor != Array("0".utf8)
    return keys
  }
}
