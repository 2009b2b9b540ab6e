// Keys that seemed to differ and are read again, each when its time has come. Logic without I/O.

import ReplicaLink

/// A key that seemed to differ.
struct Suspect: Sendable {
  let name: KeyName
  /// The memory its value takes, roughly, in bytes.
  let bytes: UInt64
  /// Whether its value is compared in pieces.
  let isLarge: Bool
  /// How often it was read again.
  var attempts = 0
  /// When to read it again, in milliseconds on the monotonic clock.
  var dueMilliseconds: Int64 = 0

  init(_ name: KeyName, bytes: UInt64, isLarge: Bool = false) {
    self.name = name
    self.bytes = bytes
    self.isLarge = isLarge
  }
}

/// The keys to be read again.
struct SuspectBook: Sendable {
  /// So many keys are waiting at most; then no others are looked at until some are decided.
  static let countMax = 4_096
  /// So many are read at once, at most, and so many bytes of theirs. Many, because a group waits for the
  /// destination's checkpoint, which at rest moves once a second.
  static let groupMax = 1_024
  static let groupBytesMax: UInt64 = 8 << 20
  /// So often a key is read again before it counts as undecided.
  static let attemptsMax = 24

  private var suspects: [Suspect] = []

  var count: Int { suspects.count }
  var isEmpty: Bool { suspects.isEmpty }
  var isFull: Bool { suspects.count >= Self.countMax }
  /// When the first is due.
  var firstDueMilliseconds: Int64? { suspects.map(\.dueMilliseconds).min() }

  mutating func add(_ suspect: Suspect) {
    suspects.append(suspect)
  }

  /// Takes keys that are due: one large one, or several of one db.
  mutating func takeDue(now: Int64) -> [Suspect] {
    guard let start = suspects.firstIndex(where: { $0.dueMilliseconds <= now }) else { return [] }
    let first = suspects[start]
    var taken: [Suspect] = []
    var bytes: UInt64 = 0
    var kept = Array(suspects[..<start])
    for suspect in suspects[start...] {
      let fits =
        taken.isEmpty
        || (suspect.dueMilliseconds <= now && !suspect.isLarge && !first.isLarge
          && suspect.name.database == first.name.database && taken.count < Self.groupMax
          && bytes.saturatingAdd(suspect.bytes) <= Self.groupBytesMax)
      if fits {
        taken.append(suspect)
        bytes = bytes.saturatingAdd(suspect.bytes)
      } else {
        kept.append(suspect)
      }
    }
    suspects = kept
    return taken
  }

  /// Puts a key back that could not be decided.
  ///
  /// - Returns: false when it was tried often enough; it is not put back then.
  mutating func putBack(_ suspect: Suspect, now: Int64) -> Bool {
    var again = suspect
    again.attempts += 1
    guard again.attempts < Self.attemptsMax else { return false }
    // 10 ms, doubled up to a second or so, and never in step with an application's own rhythm.
    let longest = Int64(10) << Int64(min(again.attempts, 7))
    again.dueMilliseconds = now + Int64.random(in: longest / 2...longest)
    suspects.append(again)
    return true
  }
}
