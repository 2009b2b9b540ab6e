// RepairBook: which keys of one destination are being put right, and when. Logic without I/O.
//
// Some commands cannot be carried over: they read what the destination does not have. What they
// wrote is then fetched from the source as it is at an exact offset X (RepairFetcher), and written
// when the stream has come to X. Until then the destination's value of the key means nothing, and
// the router passes over the commands on it.
//
//   request ─▶ needed ── takeNeeded ─▶ asked ── fetched(X) ─▶ held ── boundary ≥ X ── takeDue ─▶ done
//                 ▲                                            │
//                 └──── a command on the key was passed over behind X: too old, ask again
//
// A key that a busy source changes faster than it is fetched would be asked for again and again:
// from the second time on `isBlocking` tells the lane to wait for the answer before it goes on.
// Then no command can come in between.

import RDBParser

/// What a key was at one point of the stream.
struct RepairValue: Sendable, Equatable {
  var name: KeyName
  /// The value as DUMP gives it; `nil` when there is no such key.
  var payload: [UInt8]?
  /// When the key expires, in milliseconds since 1970.
  var expiryMilliseconds: Int64?
  /// The replication offset at which this is the value: after everything up to it.
  var offset: UInt64

  /// Whether the key, or a field of it, has a time to live.
  var mayExpire: Bool {
    expiryMilliseconds != nil
      || payload?.first.map { RDBType(rawValue: $0).holdsFieldExpiries } ?? false
  }
}

extension RDBType {
  /// Whether it is a hash whose fields may expire by themselves.
  var holdsFieldExpiries: Bool {
    switch self {
    case .hashTTL, .hashTTLPreRelease, .hashListpackTTL, .hashListpackTTLPreRelease, .valkeyHash2:
      true
    default: false
    }
  }
}

/// The keys under repair at one destination. Owned by its router.
struct RepairBook: Sendable {
  /// Bounds of memory and of the checkpoint.
  struct Limits: Sendable {
    /// Keys under repair at once. At the limit a new snapshot is asked for instead.
    var keysMax = 300_000
    /// Their names, in bytes.
    var nameBytesMax = 32 << 20
    /// Fetched values that wait for their offset, in bytes; no more are asked for beyond it.
    var heldBytesMax = 64 << 20
  }

  /// How often a key is asked for before the lane waits for the answer.
  static let patientAttempts = 1

  private enum Phase {
    case needed
    case asked
    case held(RepairValue)
  }

  private struct Entry {
    var phase = Phase.needed
    /// The least offset of a value that is of use: one that lies behind the beginning of every
    /// command on the key that was passed over, and so behind its end.
    var offsetMin: UInt64
    var attempts = 0
  }

  /// What has changed since the last checkpoint.
  struct Changes: Sendable, Equatable {
    var added: Set<KeyName> = []
    var removed: Set<KeyName> = []

    var isEmpty: Bool { added.isEmpty && removed.isEmpty }
  }

  private let limits: Limits
  private var entries: [KeyName: Entry] = [:]
  private var nameBytes = 0
  private var heldBytes = 0
  /// Names to ask for at once, because the lane waits for them.
  private var urgent: [KeyName] = []
  /// Names to ask for, oldest first, from `queueStart` on.
  private var queue: [KeyName] = []
  private var queueStart = 0
  /// The values that wait, by rising offset.
  private var held: [(offset: UInt64, name: KeyName)] = []
  private var blockingCount = 0
  private var changes = Changes()
  /// Values that came too late and were asked for again, ever.
  private(set) var lateValues: UInt64 = 0

  /// Makes an empty book.
  init(limits: Limits = Limits()) {
    self.limits = limits
  }

  /// Takes up what a checkpoint says was under repair at `boundary`.
  init(resuming names: [KeyName], atBoundary boundary: UInt64, limits: Limits = Limits()) {
    self.limits = limits
    for name in names where entries[name] == nil { enter(name, offsetMin: boundary) }
  }

  var isEmpty: Bool { entries.isEmpty }
  /// How many keys are under repair.
  var count: Int { entries.count }
  /// All keys under repair, in no order: what a whole checkpoint holds.
  var names: [KeyName] { Array(entries.keys) }
  /// Whether the next command of the stream must wait for an answer of the source.
  var isBlocking: Bool { blockingCount > 0 }

  // MARK: - What the stream says

  /// Whether a key is under repair. Copies the key, but only when any key is.
  func contains(_ key: Span<UInt8>, database: Int) -> Bool {
    if entries.isEmpty { return false }
    return entries[KeyName(database: database, key: key)] != nil
  }

  /// Enters a key whose value at the destination is found to mean nothing at `boundary`, which the
  /// stream has come to: the destination refused a command on it, or a comparison found it different.
  ///
  /// - Returns: false when there is no room; nothing was entered then.
  mutating func request(_ name: KeyName, atBoundary boundary: UInt64) -> Bool {
    // What is under repair already will be written as the source has it.
    entries[name] != nil || request(name, offsetMin: boundary)
  }

  /// Enters a key whose value at the destination means nothing from here on.
  ///
  /// - Parameter offset: where the command begins that did it.
  /// - Returns: false when there is no room; nothing was entered then.
  mutating func request(_ name: KeyName, at offset: UInt64) -> Bool {
    request(name, offsetMin: offset + 1)
  }

  private mutating func request(_ name: KeyName, offsetMin: UInt64) -> Bool {
    if entries[name] != nil {
      raise(name, to: offsetMin)
      return true
    }
    guard entries.count < limits.keysMax, nameBytes + name.key.count <= limits.nameBytesMax else {
      return false
    }
    enter(name, offsetMin: offsetMin)
    if changes.removed.remove(name) == nil { changes.added.insert(name) }
    return true
  }

  private mutating func enter(_ name: KeyName, offsetMin: UInt64) {
    entries[name] = Entry(offsetMin: offsetMin)
    nameBytes += name.key.count
    queue.append(name)
  }

  /// A command on the key, which begins at `offset`, is passed over.
  mutating func touch(_ name: KeyName, at offset: UInt64) {
    raise(name, to: offset + 1)
  }

  private mutating func raise(_ name: KeyName, to offsetMin: UInt64) {
    guard var entry = entries[name], entry.offsetMin < offsetMin else { return }
    entry.offsetMin = offsetMin
    entries[name] = entry
  }

  /// The same for all keys of a database, or of all databases.
  mutating func touchAll(database: Int?, at offset: UInt64) {
    for name in names where database == nil || name.database == database {
      touch(name, at: offset)
    }
  }

  /// Two databases have changed places, at the destination too: what meant nothing in one means
  /// nothing in the other now, and what is fetched may be from before or after.
  ///
  /// - Returns: false when there is no room.
  mutating func swapDatabases(_ one: Int, _ other: Int, at offset: UInt64) -> Bool {
    for name in names where name.database == one || name.database == other {
      touch(name, at: offset)
      let partner = KeyName(database: name.database == one ? other : one, key: name.key)
      guard request(partner, at: offset) else { return false }
    }
    return true
  }

  // MARK: - What the source says

  /// The next keys to ask the source for; they count as asked from now on.
  ///
  /// None while the values that wait take as much memory as they may, except for keys that block.
  mutating func takeNeeded(limit: Int = 64) -> [KeyName] {
    var taken: [KeyName] = []
    while taken.count < limit {
      let name: KeyName
      if let first = urgent.popLast() {
        name = first
      } else if queueStart < queue.count, heldBytes < limits.heldBytesMax {
        name = queue[queueStart]
        queueStart += 1
      } else {
        break
      }
      guard var entry = entries[name], case .needed = entry.phase else { continue }
      entry.phase = .asked
      entry.attempts += 1
      entries[name] = entry
      taken.append(name)
    }
    if queueStart > queue.count / 2 {
      queue.removeFirst(queueStart)
      queueStart = 0
    }
    return taken
  }

  /// An answer of the source.
  ///
  /// - Parameter replicationID: the history that is followed; an answer from another counts for nothing.
  mutating func answered(_ answer: RepairAnswer, following replicationID: String) {
    if answer.replicationID != replicationID {
      unanswered(answer.value.name)
    } else if !answer.isSettled {
      unsettled(answer.value.name)
    } else {
      fetched(answer.value)
    }
  }

  /// The source itself does not know yet: the key is asked for again, and the lane does not wait.
  private mutating func unsettled(_ name: KeyName) {
    guard let entry = entries[name], case .asked = entry.phase else { return }
    if entry.attempts > Self.patientAttempts { blockingCount -= 1 }
    entries[name] = Entry(offsetMin: entry.offsetMin)
    queue.append(name)
  }

  /// The value of a key. One that nobody asked for is ignored.
  mutating func fetched(_ value: RepairValue) {
    guard var entry = entries[value.name], case .asked = entry.phase else { return }
    if entry.attempts > Self.patientAttempts { blockingCount -= 1 }
    entry.phase = .held(value)
    entries[value.name] = entry
    heldBytes += value.payload?.count ?? 0
    var place = held.count
    while place > 0, held[place - 1].offset > value.offset { place -= 1 }
    held.insert((value.offset, value.name), at: place)
  }

  /// The source could not be asked, or it is no longer the one whose stream is followed: the key is
  /// asked for again.
  mutating func unanswered(_ name: KeyName) {
    guard var entry = entries[name], case .asked = entry.phase else { return }
    entry.phase = .needed
    entry.attempts -= 1
    entries[name] = entry
    if entry.attempts >= Self.patientAttempts { urgent.append(name) } else { queue.append(name) }
  }

  // MARK: - What the lane does

  /// Whether `takeDue` has something to do at this boundary. Cheap.
  func hasDue(at boundary: UInt64) -> Bool {
    guard let first = held.first else { return false }
    return first.offset <= boundary
  }

  /// The values to write now, in any order, when the stream has come to `boundary`, outside of a
  /// transaction and before the next command. The keys are no longer under repair.
  mutating func takeDue(at boundary: UInt64) -> [RepairValue] {
    var due: [RepairValue] = []
    let dueCount = held.firstIndex { $0.offset > boundary } ?? held.count
    defer { held.removeFirst(dueCount) }
    for next in held[..<dueCount] {
      guard var entry = entries[next.name], case .held(let value) = entry.phase else { continue }
      heldBytes -= value.payload?.count ?? 0
      if entry.offsetMin <= value.offset {
        remove(next.name)
        due.append(value)
      } else {
        lateValues += 1
        entry.phase = .needed
        entries[next.name] = entry
        blockingCount += 1
        urgent.append(next.name)
      }
    }
    return due
  }

  private mutating func remove(_ name: KeyName) {
    entries[name] = nil
    nameBytes -= name.key.count
    if changes.added.remove(name) == nil { changes.removed.insert(name) }
  }

  /// Whether `takeChanges` has anything to say.
  var hasChanges: Bool { !changes.isEmpty }

  /// What to change in the checkpoint, since the last time this was asked.
  mutating func takeChanges() -> Changes {
    defer { changes = Changes() }
    return changes
  }
}
