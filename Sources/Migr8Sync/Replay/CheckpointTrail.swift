// Which checkpoints are on their way, and up to where the replies were read. Logic without I/O.
//
// A checkpoint commits with its data, before anybody has read what became of each command. A command
// that was refused inside the transaction is made good later, by a repair that the next checkpoint
// records. So each checkpoint also says up to where all replies had been read and dealt with when it was
// sent: what lies between is applied, and may have been refused. Whoever goes on from there
// looks at it again.
//
//   ─────── confirmed ─────────── checkpoint ──────▶ stream
//     applied, replies read   applied, replies not read   not applied

/// A point of the stream, and the source's db that the command behind it acts on.
struct StreamPoint: Sendable, Equatable {
  var offset: UInt64
  var database: Int
}

/// The checkpoints of a lane. Lives on the replay thread.
struct CheckpointTrail: Sendable {
  /// A checkpoint that is sent and not known to be answered.
  private struct Sent {
    var number: UInt64
    var point: StreamPoint
    /// What it said was confirmed.
    var confirmed: UInt64
    /// Keys whose repair it carried.
    var repaired: Set<KeyName>
  }

  /// Of the last checkpoint that was sent, from 1 on: several may have one offset.
  private(set) var lastNumber: UInt64 = 0
  private var sent: ContiguousArray<Sent> = []
  /// Whether the replies up to the point where the lane begins are unread.
  private var isBeginningOpen: Bool
  /// The replies up to here were read and dealt with.
  private(set) var confirmed: StreamPoint
  /// What the last checkpoint said was confirmed.
  private var stated: UInt64
  /// No record that the destination may hold asks for what lies before.
  private(set) var neededOffset: UInt64
  /// Keys whose repair is known to be done, and which a checkpoint still names.
  private var repaired: Set<KeyName> = []

  /// Begins at a checkpoint, with what it says was confirmed.
  init(at point: StreamPoint, confirmed: StreamPoint) {
    isBeginningOpen = confirmed.offset < point.offset
    self.confirmed = confirmed
    stated = confirmed.offset
    neededOffset = confirmed.offset
  }

  /// Whether every reply was read.
  var isSettled: Bool { sent.isEmpty && !isBeginningOpen }

  /// Whether the next checkpoint has more to say than the last one.
  var hasNews: Bool { confirmed.offset > stated || !repaired.isEmpty }

  /// All up to `point` is dealt with: nothing is on its way.
  mutating func confirm(_ point: StreamPoint) {
    isBeginningOpen = false
    confirmed = point
  }

  /// Checkpoint `number` is answered, and what its replies say was dealt with.
  mutating func answered(_ number: UInt64) {
    if isBeginningOpen { return }
    var count = 0
    while count < sent.count, sent[count].number <= number {
      confirmed = sent[count].point
      neededOffset = sent[count].confirmed
      repaired.formUnion(sent[count].repaired)
      count += 1
    }
    if count > 0 { sent.removeFirst(count) }
  }

  /// Keys came under repair: what was done to them before counts no more.
  mutating func reopen(_ names: Set<KeyName>) {
    if names.isEmpty { return }
    repaired.subtract(names)
    for index in sent.indices { sent[index].repaired.subtract(names) }
  }

  /// A checkpoint is sent, with the repair of some keys.
  ///
  /// - Returns: the keys that it can cease to name: their repair is known to be done.
  mutating func send(_ point: StreamPoint, repairing names: Set<KeyName>) -> Set<KeyName> {
    lastNumber += 1
    sent.append(
      Sent(number: lastNumber, point: point, confirmed: confirmed.offset, repaired: names))
    stated = confirmed.offset
    defer { repaired = [] }
    return repaired
  }
}
