// The question about one key: what is it, and at which offset? Commands and their replies, no I/O.
//
//   MULTI · DUMP key · PEXPIRETIME key · INFO replication · EXEC            Redis 7.0, Valkey
//   MULTI · DUMP key · PTTL key · TIME · INFO replication · EXEC            before
//
// Nothing runs between MULTI and EXEC, so the value is the key's state at exactly the offset that
// INFO reports. Where DUMP itself finds the key expired the source adds a DEL to its stream: since
// 7.0 behind that offset, before 7.0 around it, as a transaction inside of which the offset lies. Both
// are harmless: the value is "no such key", a second DEL does nothing, and nothing else is in there.

import ReplicaLink

/// What the source says of one key.
struct RepairAnswer: Sendable, Equatable {
  /// The value and its offset.
  var value: RepairValue
  /// The replication history in which the offset counts.
  var replicationID: String
}

/// The commands that ask for a key, and the reading of the replies.
struct RepairQuestion: Sendable {
  /// Whether the source knows PEXPIRETIME (7.0).
  let knowsExpireTime: Bool

  /// The commands between MULTI and EXEC, and those two.
  func commands(for key: [UInt8]) -> [[[UInt8]]] {
    let multi = [Array("MULTI".utf8)]
    let dump = [Array("DUMP".utf8), key]
    let offset = [Array("INFO".utf8), Array("replication".utf8)]
    let exec = [Array("EXEC".utf8)]
    if knowsExpireTime {
      return [multi, dump, [Array("PEXPIRETIME".utf8), key], offset, exec]
    }
    return [multi, dump, [Array("PTTL".utf8), key], [Array("TIME".utf8)], offset, exec]
  }

  /// Reads what EXEC answered; `nil` when it makes no sense.
  func answer(_ reply: RESPValue, for name: KeyName) -> RepairAnswer? {
    guard let parts = reply.array, parts.count == (knowsExpireTime ? 3 : 4),
      let time = parts[1].integer, let text = parts[parts.count - 1].text
    else { return nil }
    let facts = ServerFacts(info: text)
    // A replica's place is what it has applied of its master's stream, which it passes on unchanged.
    guard let offset = facts.isReplica ? facts.appliedOffset : facts.replicationOffset,
      let identity = facts.replicationID
    else { return nil }
    var value = RepairValue(name: name, payload: nil, expiryMilliseconds: nil, offset: offset)
    switch parts[0] {
    case .null: break
    case .bulk(let payload):
      // -2: the key expired between the two commands, and is gone.
      if time == -2 { break }
      value.payload = payload
      if time >= 0 {
        guard let expiry = knowsExpireTime ? time : Self.deadline(time, parts[2]) else { return nil }
        value.expiryMilliseconds = expiry
      }
    default: return nil
    }
    return RepairAnswer(value: value, replicationID: identity)
  }

  /// The source's own clock plus the time to live, so that no clock but the source's counts.
  private static func deadline(_ timeToLive: Int64, _ clock: RESPValue) -> Int64? {
    guard let parts = clock.array, parts.count == 2, let seconds = parts[0].integer,
      let microseconds = parts[1].integer
    else { return nil }
    let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    let (now, carry) = milliseconds.addingReportingOverflow(microseconds / 1000)
    let (deadline, excess) = now.addingReportingOverflow(timeToLive)
    return overflow || carry || excess ? nil : deadline
  }
}
