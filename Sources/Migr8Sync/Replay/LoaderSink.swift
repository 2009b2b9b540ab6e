// The sink of a real run: matching snapshot entries become commands in the loaders' batches.

import RDBParser
import ReplicaLink

/// Encodes entries and hands them to the loaders.
struct LoaderSink: SnapshotSink, ~Copyable {
  /// The longest value that one RESTORE may carry: the servers' default proto-max-bulk-len, in bytes.
  static let restoreBytesMax = 512 << 20

  private var loaders: LoaderPool
  private let encoder: EntryEncoder
  private let movesFunctions: Bool
  private let counters: SnapshotCounters
  private var parts = ByteBuffer()

  init(
    loaders: consuming LoaderPool, encoder: EntryEncoder, movesFunctions: Bool,
    counters: SnapshotCounters
  ) {
    self.loaders = loaders
    self.encoder = encoder
    self.movesFunctions = movesFunctions
    self.counters = counters
  }

  mutating func entry(
    _ entry: RDBEntry, key: Span<UInt8>, value: Span<UInt8>
  ) throws(ReplayError) {
    let batch = try loaders.batch(database: entry.database)
    try encoder.append(entry, key: key, value: value, to: &batch.bytes)
    try loaders.commitKey(batch)
  }

  mutating func part(
    of entry: RDBEntry, key: Span<UInt8>, bytes: Span<UInt8>, isLast: Bool
  ) throws(ReplayError) {
    guard parts.count + bytes.count <= Self.restoreBytesMax else {
      throw ReplayError(
        "reading the snapshot at byte \(entry.offset): the value of \(Printable.key(key)) is larger"
          + " than \(Self.restoreBytesMax >> 20) MB, more than one RESTORE can carry (leave it out of"
          + " the filter and move it by hand)")
    }
    parts.append(bytes)
    guard isLast else { return }
    let batch = try loaders.batch(database: entry.database)
    try parts.withBytes { bytes throws(ReplayError) in
      try encoder.append(
        entry, key: key, value: Span(_unsafeBytes: bytes), to: &batch.bytes)
    }
    parts = ByteBuffer()
    try loaders.commitKey(batch)
  }

  mutating func function(_ source: Span<UInt8>) throws(ReplayError) {
    guard movesFunctions else {
      counters.functionsLeftOut.add(1, ordering: .relaxed)
      return
    }
    let batch = try loaders.batch(database: 0)
    batch.bytes.append("*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n")
    batch.bytes.appendBulk(source)
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
}
