// The sink of a real run: matching snapshot entries become commands in the loaders' batches.

import RDBParser
import ReplicaLink

/// Encodes entries and hands them to the loaders.
///
/// What the destination can RESTORE and what fits into one piece goes whole. What it does not know,
/// and what is large, goes as plain commands of bounded size: see `LoaderSink+Commands.swift`.
struct LoaderSink: SnapshotSink, ~Copyable {
  var loaders: LoaderPool
  let encoder: EntryEncoder
  let types: RestorableTypes
  private let movesFunctions: Bool
  private let counters: SnapshotCounters

  init(
    loaders: consuming LoaderPool, encoder: EntryEncoder, types: RestorableTypes,
    movesFunctions: Bool, counters: SnapshotCounters
  ) {
    self.loaders = loaders
    self.encoder = encoder
    self.types = types
    self.movesFunctions = movesFunctions
    self.counters = counters
  }

  mutating func take(
    _ entry: RDBEntry, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    guard types.contains(entry.type) else { return try takeAsCommands(entry, from: &snapshot) }
    guard try snapshot.readValue() == .whole else {
      // A module's value has no other form than its payload: it goes in one piece all the same.
      if entry.type == .module { return try takeInOnePiece(entry, from: &snapshot) }
      snapshot.rereadValue()
      return try takeAsCommands(entry, from: &snapshot)
    }
    if entry.type == .string, entry.expiryMilliseconds == nil, try joinOthers(entry, snapshot) {
      return
    }
    let batch = try loaders.batch(database: entry.database)
    try snapshot.withKey { (key) throws(ReplayError) in
      try snapshot.withValue { (value) throws(ReplayError) in
        try encoder.append(entry, key: key, value: value, to: &batch.bytes)
      }
    }
    try loaders.commitKey(batch)
  }

  /// Writes a short string together with others. False: it goes by itself.
  private mutating func joinOthers(
    _ entry: RDBEntry, _ snapshot: borrowing SnapshotReader
  ) throws(ReplayError) -> Bool {
    let encoder = encoder
    return try loaders.join(encoder.runKind, database: entry.database) { operands in
      snapshot.withKey { key in
        snapshot.withValue { value in
          encoder.appendOperands(key: key, value: value, to: &operands)
        }
      }
    }
  }

  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError) {
    guard movesFunctions else {
      counters.functionsLeftOut.add(1, ordering: .relaxed)
      return
    }
    let batch = try loaders.batch(database: 0)
    batch.bytes.append("*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n")
    snapshot.withFunction { batch.bytes.appendBulk($0) }
    batch.commandCount += 1
  }

  /// Waits until the destination has everything.
  mutating func drain() throws(ReplayError) {
    try loaders.drain()
  }

  /// Ends the loaders.
  func close() {
    loaders.close()
  }

  /// Collects the chunks of a value of which the first was just read.
  private mutating func takeInOnePiece(
    _ entry: RDBEntry, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    snapshot.rereadValue()
    var value = ByteBuffer()
    var step = RDBValueStep.chunk
    while step == .chunk {
      step = try snapshot.readValue()
      snapshot.withValue { value.append($0) }
      guard value.count <= Self.restoreBytesMax else {
        throw ReplayError(
          "reading the snapshot at byte \(entry.offset): the module value of"
            + " \(encoder.mapping.shown(snapshot.withKey { $0.copy })) is larger than"
            + " \(Self.restoreBytesMax >> 20) MB, more than one RESTORE can carry (leave it out of"
            + " the filter and move it by hand)")
      }
    }
    let batch = try loaders.batch(database: entry.database)
    try snapshot.withKey { (key) throws(ReplayError) in
      try value.withBytes { bytes throws(ReplayError) in
        try encoder.append(
          entry, key: key, value: Span(_unsafeBytes: bytes), to: &batch.bytes)
      }
    }
    try loaders.commitKey(batch)
  }

  /// The longest value that one RESTORE may carry: the servers' default proto-max-bulk-len, in bytes.
  static let restoreBytesMax = 512 << 20
}
