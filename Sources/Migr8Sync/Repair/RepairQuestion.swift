// The question about keys: what are they, and at which offset? Commands and their replies, no I/O.
//
//   MULTI · (DUMP key · PEXPIRETIME key) … · INFO replication · EXEC          Redis 7.0, Valkey
//   MULTI · (DUMP key · PTTL key · TIME) … · INFO replication · EXEC          before
//
// Nothing runs between MULTI and EXEC, so the value is the key's state at exactly the offset that
// INFO reports. Where DUMP itself finds the key expired the source adds a DEL to its stream: since
// 7.0 behind that offset, before 7.0 around it, as a transaction inside of which the offset lies. Both
// are harmless: the value is "no such key", a second DEL does nothing, and nothing else is in there.
//
// A replica as the source hides a key that has expired by the clock and waits for its master's DEL;
// but its master may have renewed the key in time, in a command still under way. MEMORY USAGE, which
// looks at what is there whatever the clock says, tells the two apart: such an answer is not settled.

import ReplicaLink

/// What the source says of one key.
struct RepairAnswer: Sendable, Equatable {
  /// The value and its offset.
  var value: RepairValue
  /// The replication history in which the offset counts.
  var replicationID: String
  /// Whether the value is known. If not, the key is about to expire at a replica: ask again.
  var isSettled = true
}

/// The commands that ask for a key, and the reading of the replies.
struct RepairQuestion: Sendable {
  /// Whether the source knows PEXPIRETIME (7.0).
  let knowsExpireTime: Bool
  /// Whether the source knows MEMORY USAGE (4.0).
  let knowsPresence: Bool
  /// Whether it is asked for: the source is a replica.
  let asksPresence: Bool

  /// Makes the question for a server.
  init(_ facts: ServerFacts) {
    knowsExpireTime = facts.version >= ServerVersion(7)
    knowsPresence = facts.version >= ServerVersion(4)
    asksPresence = facts.isReplica && knowsPresence
  }

  /// How many commands are asked for each key.
  private var commandsPerKey: Int { 2 + (knowsExpireTime ? 0 : 1) + (asksPresence ? 1 : 0) }

  /// How many commands `commands` gives for so many keys.
  func commandCount(for keyCount: Int) -> Int { 3 + keyCount * commandsPerKey }

  /// The commands from MULTI to EXEC.
  func commands(for keys: [[UInt8]]) -> [[[UInt8]]] {
    [[Array("MULTI".utf8)]] + keys.flatMap { commands(about: $0) }
      + [[Array("INFO".utf8), Array("replication".utf8)], [Array("EXEC".utf8)]]
  }

  private func commands(about key: [UInt8]) -> [[[UInt8]]] {
    var commands = [[Array("DUMP".utf8), key]]
    if knowsExpireTime {
      commands.append([Array("PEXPIRETIME".utf8), key])
    } else {
      commands += [[Array("PTTL".utf8), key], [Array("TIME".utf8)]]
    }
    if asksPresence {
      commands.append(
        ["MEMORY", "USAGE"].map { Array($0.utf8) } + [key]
          + ["SAMPLES", "1"].map { Array($0.utf8) })
    }
    return commands
  }

  /// Reads what EXEC answered, in the order of the keys; `nil` when it makes no sense.
  func answers(_ reply: RESPValue, for names: [KeyName]) -> [RepairAnswer]? {
    guard let parts = reply.array, parts.count == names.count * commandsPerKey + 1,
      let text = parts.last?.text
    else { return nil }
    let facts = ServerFacts(info: text)
    var answers: [RepairAnswer] = []
    for (index, name) in names.enumerated() {
      let start = index * commandsPerKey
      guard let answer = answer(parts[start..<start + commandsPerKey], facts, name) else {
        return nil
      }
      answers.append(answer)
    }
    return answers
  }

  private func answer(
    _ slice: ArraySlice<RESPValue>, _ facts: ServerFacts, _ name: KeyName
  ) -> RepairAnswer? {
    let parts = Array(slice)
    guard let time = parts[1].integer else { return nil }
    // A replica's place is what it has applied of its master's stream, which it passes on unchanged.
    guard let offset = facts.isReplica ? facts.appliedOffset : facts.replicationOffset,
      let identity = facts.replicationID
    else { return nil }
    let value = RepairValue(name: name, payload: nil, expiryMilliseconds: nil, offset: offset)
    var answer = RepairAnswer(value: value, replicationID: identity)
    switch parts[0] {
    case .bulk(let payload) where time != -2:
      answer.value.payload = payload
      if time >= 0 {
        guard let expiry = knowsExpireTime ? time : Self.deadline(time, parts[2]) else {
          return nil
        }
        answer.value.expiryMilliseconds = expiry
      }
    case .null, .bulk:
      // -2: it expired between the two commands. A server that became a replica since it was first
      // asked must be asked in another way.
      if facts.isReplica, knowsPresence {
        answer.isSettled = asksPresence && parts[parts.count - 1] == .null
      }
    default: return nil
    }
    return answer
  }

  /// The source's own clock plus the time to live, so that no clock but the source's counts.
  static func deadline(_ timeToLive: Int64, _ clock: RESPValue) -> Int64? {
    guard let now = clock.milliseconds else { return nil }
    let (deadline, excess) = now.addingReportingOverflow(timeToLive)
    return excess ? nil : deadline
  }
}
