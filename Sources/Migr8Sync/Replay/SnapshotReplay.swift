// The snapshot's way through the filter into a sink: the loaders in a real run, a report in a dry one.

import RDBParser
import ReplicaLink
import Synchronization

/// Where matching snapshot entries go. Called in file order, on the replay thread.
protocol SnapshotSink: ~Copyable {
  /// Takes a key; reads its value from `snapshot` as it likes, or not at all.
  mutating func take(_ entry: RDBEntry, from snapshot: inout SnapshotReader) throws(ReplayError)
  /// Takes a function library.
  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError)
}

/// What reading the snapshot has come to; read by the reports while it goes on.
final class SnapshotCounters: Sendable {
  let keysRead = Atomic<UInt64>(0)
  let keysMatched = Atomic<UInt64>(0)
  let keysOfOtherTypes = Atomic<UInt64>(0)
  let bytesRead = Atomic<UInt64>(0)
  /// Of a scan: keys that were gone before they were read, and values that changed while they were read in
  /// pieces.
  let keysVanished = Atomic<UInt64>(0)
  let keysTorn = Atomic<UInt64>(0)
  let functionsLeftOut = Atomic<UInt64>(0)
  let modulesLeftOut = Atomic<UInt64>(0)
  /// Whether any of the matching keys has a time to live.
  let mayExpire = Atomic<Bool>(false)

  /// Begins the count of a snapshot.
  func reset() {
    keysRead.store(0, ordering: .relaxed)
    keysMatched.store(0, ordering: .relaxed)
    keysOfOtherTypes.store(0, ordering: .relaxed)
    keysVanished.store(0, ordering: .relaxed)
    keysTorn.store(0, ordering: .relaxed)
    bytesRead.store(0, ordering: .relaxed)
    functionsLeftOut.store(0, ordering: .relaxed)
    modulesLeftOut.store(0, ordering: .relaxed)
    mayExpire.store(false, ordering: .relaxed)
  }
}

/// Reads one snapshot to its end.
struct SnapshotReplay: ~Copyable {
  private let filter: KeyFilter
  private let counters: SnapshotCounters
  private var snapshot: SnapshotReader
  /// Keys that the destination keeps as it has them.
  private let skipped: KeyHashSet
  /// Keys that are left out for their type: the stream is to leave them alone, too.
  private(set) var otherTypes = KeyHashSet()
  /// The last of them, until somebody has taken note.
  private var unnoted: [KeyName] = []
  /// Every key that went to the sink, where somebody wants to know.
  private(set) var known: KeyHashSet?

  /// - Parameter remembersKeys: whether to fill `known`.
  init(
    _ snapshot: consuming SnapshotReader, filter: KeyFilter, counters: SnapshotCounters,
    skipped: KeyHashSet = KeyHashSet(), remembersKeys: Bool = false
  ) {
    self.snapshot = snapshot
    self.skipped = skipped
    known = remembersKeys ? KeyHashSet() : nil
    self.filter = filter
    self.counters = counters
  }

  /// Feeds every matching entry to `sink`, up to the snapshot's end.
  ///
  /// - Parameter noteOtherTypes: told, some at a time, of the keys that are left out for their type.
  mutating func run<Sink: SnapshotSink & ~Copyable>(
    into sink: inout Sink,
    noteOtherTypes: ([KeyName]) throws(ReplayError) -> Void = { _ in }
  ) throws(ReplayError) {
    // Of a property, each call would take a copy, which counts the references of all it is made of.
    let filter = filter
    while true {
      switch try snapshot.next() {
      case .entry(let entry):
        counters.keysRead.add(1, ordering: .relaxed)
        guard filter.matches(database: entry.database),
          snapshot.withKey({ filter.matches(key: $0) })
        else { continue }
        guard filter.matches(type: entry.type.kind) else {
          try leaveOut(entry, noteOtherTypes)
          continue
        }
        counters.keysMatched.add(1, ordering: .relaxed)
        if entry.expiryMilliseconds != nil || entry.type.holdsFieldExpiries {
          counters.mayExpire.store(true, ordering: .relaxed)
        }
        if isSkipped(entry) { continue }
        if known != nil {
          snapshot.withKey { known?.insert($0, database: entry.database) }
        }
        try sink.take(entry, from: &snapshot)
      case .function: try sink.takeFunction(from: snapshot)
      case .moduleAuxiliary: counters.modulesLeftOut.add(1, ordering: .relaxed)
      case .end(let trailer):
        if !unnoted.isEmpty { try noteOtherTypes(unnoted) }
        return try snapshot.finish(trailer)
      case .needsInput, .header, .auxiliary, .selectDatabase, .resize, .slotInfo, .skipped: break
      }
    }
  }

  private mutating func leaveOut(
    _ entry: RDBEntry, _ note: ([KeyName]) throws(ReplayError) -> Void
  ) throws(ReplayError) {
    counters.keysOfOtherTypes.add(1, ordering: .relaxed)
    let name = snapshot.withKey { KeyName(database: entry.database, key: $0) }
    otherTypes.insert(name.key.span, database: name.database)
    unnoted.append(name)
    guard unnoted.count == SkippedKeys.chunk else { return }
    try note(unnoted)
    unnoted.removeAll(keepingCapacity: true)
  }

  private func isSkipped(_ entry: RDBEntry) -> Bool {
    if skipped.isEmpty { return false }
    return snapshot.withKey { skipped.contains($0, database: entry.database) }
  }
}
