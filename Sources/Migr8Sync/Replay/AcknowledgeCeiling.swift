// What lies between "applied" and "as at the source": commands of the stream that the destination refused
// or carried out too late, and the keys that are read again because of them. Logic without I/O.
//
//   a reply says so ──▶ noted ──▶ its keys are under repair ──▶ written, and answered
//        │                                                              │
//        └───────────── the ceiling is down all that time ──────────────┘
//
// The lane's thread notes a command before its transaction counts as applied. So whoever sees the offset
// sees that the ceiling is down, too: the source's ACK and a cutover need not wait for the replay thread.

/// How far may be acknowledged, whatever is applied. Guarded by `ReplayProgress`.
struct AcknowledgeCeiling: Sendable {
  /// Commands that nobody has dealt with yet, oldest first.
  private(set) var refusals: [RefusedCommand] = []
  /// `.max` where all that is applied is as the source has it.
  private(set) var offset = UInt64.max

  /// A command behind `applied` was refused, or came too late.
  mutating func note(_ command: RefusedCommand, behind applied: UInt64) {
    refusals.append(command)
    lower(to: applied)
  }

  /// Keys are under repair; up to `boundary` they count as good.
  mutating func lower(to boundary: UInt64) { offset = min(offset, boundary) }

  /// The keys of the oldest `count` commands are under repair.
  mutating func dealtWith(_ count: Int) { refusals.removeFirst(min(count, refusals.count)) }

  /// No key is under repair. What was noted meanwhile keeps it down.
  mutating func raise() { if refusals.isEmpty { offset = .max } }

  /// A session begins. What the one before has left behind, the record knows: it calls nothing confirmed
  /// behind a command that was not dealt with.
  mutating func begin(at offset: UInt64) {
    refusals = []
    self.offset = offset
  }
}
