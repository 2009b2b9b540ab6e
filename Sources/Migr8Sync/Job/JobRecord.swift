// The record of a job: a hash at the destination that says how far the job has come there. It is
// written in the same transaction as the data it speaks of, so it is never wrong about it.
//
//   migr8sync:job:NAME   phase stream · replid … · offset … · db 0 · confirmed … · confirmed-db 0
//                        · origin … · rules … · source … · version … · time … · handover …
//
// `replid`, `offset` and `db` are the checkpoint: everything up to that offset of the source's
// history is applied here, and the next command acts on that db of the source. Up to `confirmed` the
// replies to it were read, too (CheckpointTrail.swift). `origin` is the place of
// the snapshot that it all began with: a destination that has lost its last writes may have gone back to
// a checkpoint of another history, with the same numbers. `handover` is there while a cutover hands the
// application over: nobody but the operator knows what became of it when the process died then. With
// --reverse, `reverse-replid` and `reverse-offset` stand beside it: the place in the destination's own
// stream up to which all of it is the job's. Once the reverse has a record of its own at the source,
// `phase` is `reversed`, and this one only says where to look.

import ReplicaLink

/// What a destination knows about a job.
struct JobRecord: Sendable, Equatable {
  /// How far a job can be.
  enum Phase: String, Sendable {
    /// A snapshot is being written: some of its keys may be there. It has to be begun again.
    case snapshot
    /// The snapshot is there, and the stream up to the checkpoint.
    case stream
    /// The application was handed over: the record of the job's reverse, at the source, goes on.
    case reversed
  }

  var phase: Phase
  /// What is applied.
  var place: ReplicationPlace
  /// The snapshot that it goes back to; nil where the record does not say.
  var origin: String?
  /// The source's db that the command behind it acts on.
  var database: Int
  /// Up to where the replies of the destination were read and dealt with: where to go on.
  var confirmed: StreamPoint
  /// The rules the job was begun with.
  var rules: String
  /// The source it was begun with, by its address.
  var source: String
  /// The version of the program that wrote the record.
  var version: String
  /// The end offset of a hand-over that had begun; nil where none has.
  var handOver: String?
  /// Where the reverse begins in the destination's own stream; nil where there is none.
  var reversePlace: ReplicationPlace?

  /// Reads the record of a job, in the db that the connection has selected; nil when there is none.
  ///
  /// - Throws: when the connection fails, or the key holds something else.
  static func read(
    _ identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) -> JobRecord? {
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command([Array("HGETALL".utf8), identity.recordKey])
    }
    if let line = reply.errorLine {
      throw DestinationRefusal.error(
        line, command: "HGETALL", key: identity.recordKey, place: "", peer: connection.peer)
    }
    guard let elements = reply.array, !elements.isEmpty else { return nil }
    var fields: [String: String] = [:]
    for index in stride(from: 0, to: elements.count - 1, by: 2) {
      fields[elements[index].text ?? ""] = elements[index + 1].text
    }
    guard let record = JobRecord(fields) else {
      throw ReplayError(
        "reading the record of job \(identity.name) at \(connection.peer): it makes no sense"
          + " (look at HGETALL \(Printable.key(identity.recordKey)); with that key removed the job"
          + " begins anew)")
    }
    return record
  }

  /// Whether there is a record that somebody wrote whole, and not only a checkpoint that came after its
  /// removal.
  static func exists(
    _ identity: JobIdentity, _ connection: inout RedisConnection
  ) throws(ReplayError) -> Bool {
    let command = [Array("HEXISTS".utf8), identity.recordKey, Array("phase".utf8)]
    return try DestinationReplay.ask(&connection, command).integer == 1
  }

  private init?(_ fields: [String: String]) {
    // Where somebody has emptied the destination the next checkpoint writes only what moves: then
    // there is nothing behind it.
    guard let phase = Phase(rawValue: fields["phase"] ?? "snapshot"), let id = fields["replid"],
      let offset = fields["offset"].flatMap(UInt64.init), offset <= UInt64(Int64.max),
      let database = fields["db"].flatMap(Int.init), database >= 0
    else { return nil }
    self.phase = phase
    place = ReplicationPlace(replicationID: id, offset: offset)
    self.database = database
    let point = StreamPoint(offset: offset, database: database)
    confirmed = Self.confirmed(fields).map { $0.offset < offset ? $0 : point } ?? point
    origin = fields["origin"]
    rules = fields["rules"] ?? ""
    source = fields["source"] ?? ""
    version = fields["version"] ?? ""
    handOver = fields["handover"]
    if let id = fields["reverse-replid"],
      let offset = fields["reverse-offset"].flatMap(UInt64.init), offset <= UInt64(Int64.max)
    {
      reversePlace = ReplicationPlace(replicationID: id, offset: offset)
    }
  }

  /// The fields of a hand-over that has begun, and may not have happened.
  static let handOverFields = ["handover", "reverse-replid", "reverse-offset"]

  /// The record with which the reverse of a job begins.
  ///
  /// - Parameters:
  ///   - job: as its destination knows it.
  ///   - place: in that server's stream: nothing of the application lies before it.
  ///   - rules: the reverse's.
  ///   - source: the address of that server.
  init(reversing job: JobIdentity, at place: ReplicationPlace, rules: String, source: String) {
    self.init(
      phase: .stream, place: place, origin: "\(place.replicationID):\(place.offset)",
      database: job.database, rules: rules, source: source)
  }

  init(
    phase: Phase, place: ReplicationPlace, origin: String, database: Int, rules: String,
    source: String
  ) {
    self.phase = phase
    self.place = place
    self.origin = origin
    self.database = database
    confirmed = StreamPoint(offset: place.offset, database: database)
    self.rules = rules
    self.source = source
    version = HelpText.versionNumber
  }

  /// Nil where the record does not say: versions before this one read every reply as late.
  private static func confirmed(_ fields: [String: String]) -> StreamPoint? {
    guard let offset = fields["confirmed"].flatMap(UInt64.init),
      let database = fields["confirmed-db"].flatMap(Int.init), database >= 0
    else { return nil }
    return StreamPoint(offset: offset, database: database)
  }

  /// Whether all that is applied is known to be as at the source, but for keys under repair.
  var isConfirmed: Bool { confirmed.offset >= place.offset }

  /// The place in the source's history from which the job goes on.
  var resumePlace: ReplicationPlace {
    ReplicationPlace(replicationID: place.replicationID, offset: confirmed.offset)
  }

  /// The command that writes all of it.
  func command(_ identity: JobIdentity) -> [[UInt8]] {
    let fields = [
      ("phase", phase.rawValue), ("replid", place.replicationID), ("offset", "\(place.offset)"),
      ("origin", origin ?? ""), ("db", "\(database)"), ("confirmed", "\(confirmed.offset)"),
      ("confirmed-db", "\(confirmed.database)"), ("rules", rules), ("source", source),
      ("version", version),
      ("time", "\(Clock.wallMilliseconds())"),
    ]
    return [Array("HSET".utf8), identity.recordKey]
      + fields.flatMap { [Array($0.0.utf8), Array($0.1.utf8)] }
  }
}

extension RepairBook {
  /// The keys that the checkpoint says were under repair. The connection is on the record's db.
  static func read(
    _ identity: JobIdentity, _ connection: inout RedisConnection, atBoundary boundary: UInt64
  ) throws(ReplayError) -> RepairBook {
    let reply = try DestinationReplay.ask(
      &connection, [Array("SMEMBERS".utf8), identity.repairsKey])
    let names = (reply.array ?? []).compactMap { member -> KeyName? in
      guard case .bulk(let encoded) = member else { return nil }
      return KeyName(encoded: encoded)
    }
    return RepairBook(resuming: names, atBoundary: boundary)
  }
}

/// Encodes the checkpoint of each batch.
struct CheckpointEncoder: Sendable {
  private let identity: JobIdentity
  private let key: [UInt8]
  private let record: JobRecord

  init(_ record: JobRecord, _ identity: JobIdentity) {
    self.identity = identity
    self.record = record
    key = identity.recordKey
  }

  /// The destination's db where the record lies.
  var database: Int { identity.database }

  /// Appends the one command that moves the checkpoint. Allocates nothing.
  ///
  /// - Parameters:
  ///   - confirmed: up to where the replies were read.
  ///   - replicationID: the present name of the source's history.
  func append(
    _ point: StreamPoint, confirmed: StreamPoint, replicationID: [UInt8],
    to buffer: inout ByteBuffer
  ) {
    buffer.append("*14\r\n$4\r\nHSET\r\n")
    buffer.appendBulk(key.span)
    buffer.append("$6\r\nreplid\r\n")
    buffer.appendBulk(replicationID.span)
    buffer.append("$6\r\noffset\r\n")
    buffer.appendBulk(decimal: Int64(clamping: point.offset))
    buffer.append("$2\r\ndb\r\n")
    buffer.appendBulk(decimal: Int64(point.database))
    buffer.append("$9\r\nconfirmed\r\n")
    buffer.appendBulk(decimal: Int64(clamping: confirmed.offset))
    buffer.append("$12\r\nconfirmed-db\r\n")
    buffer.appendBulk(decimal: Int64(confirmed.database))
    buffer.append("$4\r\ntime\r\n")
    buffer.appendBulk(decimal: Clock.wallMilliseconds())
  }

  /// Appends the commands that keep the set of keys under repair; says how many there are.
  func append(_ changes: RepairBook.Changes, to buffer: inout ByteBuffer) -> Int {
    var count = 0
    for (name, members) in [("SADD", changes.added), ("SREM", changes.removed)]
    where !members.isEmpty {
      buffer.appendCommand([Array(name.utf8), identity.repairsKey] + members.map(\.encoded))
      count += 1
    }
    return count
  }

  /// Appends the command that writes the whole record anew.
  func appendAll(
    _ point: StreamPoint, confirmed: StreamPoint, replicationID: [UInt8],
    to buffer: inout ByteBuffer
  ) {
    var record = record
    record.place = ReplicationPlace(
      replicationID: String(decoding: replicationID, as: UTF8.self), offset: point.offset)
    record.database = point.database
    record.confirmed = confirmed
    buffer.appendCommand(record.command(identity))
  }

  /// Appends the command that removes what the job keeps in the selected db.
  func appendRemoval(to buffer: inout ByteBuffer) {
    buffer.appendCommand([Array("DEL".utf8), identity.runnerKey] + identity.dataKeys)
  }
}
