// Keys that seemed to differ and are read again, each when its time has come. Logic without I/O.

import ReplicaLink

/// A key that seemed to differ.
struct Suspect: Sendable {
  let name: KeyName
  /// Which of the pages that were looked at it was in.
  let page: UInt64
  /// How often it was read again.
  var attempts = 0
  /// When to read it again, in milliseconds on the monotonic clock.
  var dueMilliseconds: Int64 = 0

  init(_ name: KeyName, page: UInt64) {
    self.name = name
    self.page = page
  }
}

/// The keys to be read again.
struct SuspectBook: Sendable {
  /// So many keys are waiting at most; then no others are looked at until some are decided.
  static let countMax = 4_096
  /// So many are read at once, at most. Many, because a group waits for the destination's checkpoint, which
  /// at rest moves once a second.
  static let groupMax = 1_024
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

  /// The first page that has a key here; nil when there is none.
  var firstPage: UInt64? { suspects.map(\.page).min() }

  /// Takes keys of one db that are due.
  mutating func takeDue(now: Int64) -> [Suspect] {
    guard let start = suspects.firstIndex(where: { $0.dueMilliseconds <= now }) else { return [] }
    let database = suspects[start].name.database
    var taken: [Suspect] = []
    var kept = Array(suspects[..<start])
    for suspect in suspects[start...] {
      let fits =
        suspect.dueMilliseconds <= now && suspect.name.database == database
        && taken.count < Self.groupMax
      if fits {
        taken.append(suspect)
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
