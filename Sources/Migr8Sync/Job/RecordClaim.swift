// What this run last knew of the job's record. A process that was asleep, or cut off from the destination,
// while another worked on the job and left finds nobody there when it wakes: the lease has run out, and may
// be taken again. The record tells it that somebody was there.

import ReplicaLink

/// What the record must still say when a connection is made, so that nothing goes over the work of another
/// run. A whole snapshot lies between two such connections, so what each is made for is claimed anew.
struct RecordClaim: Sendable {
  private let names: [String]
  private let values: [String?]
  /// The server that said so. Another one, or one that cannot be told from another, may have lost the
  /// record itself.
  private let server: ServerIdentity?
  private let connectionsSurvive: Bool

  /// For loaders, and for what goes with them.
  init(snapshot: RecordMark, at server: ServerIdentity?, connectionsSurvive: Bool) {
    (names, values) = (RecordMark.fields, [snapshot.phase, snapshot.origin])
    self.server = server
    self.connectionsSurvive = connectionsSurvive
  }

  /// For a lane that goes on from a checkpoint.
  init(stream record: JobRecord) {
    names = RecordMark.fields + ["replid", "offset"]
    values = [
      record.phase.rawValue, record.origin ?? "", record.place.replicationID,
      "\(record.place.offset)",
    ]
    server = nil
    connectionsSurvive = false
  }

  /// Makes sure of it; the connection is on the record's db.
  ///
  /// - Throws: `.failure` where another run has worked on the job; `.restart` where the destination may
  ///   have lost something, and where what the record says is a place to go on from.
  func confirm(
    _ identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) {
    if try RecordMark.read(names, of: identity, &connection) == values { return }
    if let server, ServerIdentity.isSame(try ServerIdentity.read(&connection), server) {
      throw RecordMark.isOfAnotherRun(
        identity, at: connection.peer, hasWritten: connectionsSurvive)
    }
    throw ReplayError(
      "the record of job \(identity.name) at \(connection.peer) is not as this run has left it",
      .restart)
  }
}

/// What a run writes into the record and no checkpoint changes.
struct RecordMark: Sendable, Equatable {
  let phase: String
  let origin: String

  static let fields = ["phase", "origin"]

  init(_ record: JobRecord) {
    phase = record.phase.rawValue
    origin = record.origin ?? ""
  }

  private init(phase: String, origin: String) {
    (self.phase, self.origin) = (phase, origin)
  }

  /// The same snapshot, in another phase.
  func with(_ phase: JobRecord.Phase) -> RecordMark {
    RecordMark(phase: phase.rawValue, origin: origin)
  }

  /// What the record says; nil where nobody has written it whole, and only a checkpoint came after its
  /// removal.
  static func read(
    _ identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) -> RecordMark? {
    let values = try read(fields, of: identity, &connection)
    return values[0].map { RecordMark(phase: $0, origin: values[1] ?? "") }
  }

  /// Fields of the record; an origin that it does not say, as older versions, is empty.
  fileprivate static func read(
    _ names: [String], of identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) -> [String?] {
    let command = [Array("HMGET".utf8), identity.recordKey] + names.map { Array($0.utf8) }
    let values = try DestinationReplay.ask(&connection, command).array ?? []
    return names.indices.map { index in
      let text = index < values.count ? values[index].text : nil
      return text ?? (names[index] == "origin" ? "" : nil)
    }
  }

  /// What ends a run whose job somebody else has worked on.
  ///
  /// - Parameter hasWritten: whether connections of this run may have survived, and carried something.
  static func isOfAnotherRun(
    _ identity: JobIdentity, at peer: String, hasWritten: Bool = false
  ) -> ReplayError {
    ReplayError(
      "another run has worked on job \(identity.name) at \(peer) while this one was away; this run has"
        + " ended"
        + (hasWritten
          ? ", and what it has written before it noticed may lie over newer values ('migr8sync verify"
            + " --fix' finds and mends them)"
          : " and has written nothing since (the same command goes on from where that one has come)")
    )
  }
}
