// Values as plain commands: for types the destination cannot RESTORE, and for values too large to be
// held. They are built under another name and renamed when complete, so nobody ever sees a part of
// one under its own name.
//
//   HSET key:partial … ; PEXPIRE key:partial … ;            any number of batches, one loader
//   PEXPIRE key:partial … ; HSET … ; PEXPIRE … ;            where the first says that there is no such key any
//                                                           more, all of it begins anew (but for hashes whose
//                                                           fields expire: with the last of them they go)
//   PERSIST or PEXPIREAT key:partial ; RENAMENX key:partial key ; UNLINK key:partial
//
// The name begins with the key's own, so that a user confined to the filter's keys may write it. It
// expires by itself if the run dies.

import RDBParser
import ReplicaLink

extension LoaderSink {
  /// What is appended to a key while its value is being built.
  static let partialSuffix = Array(":migr8sync-partial".utf8)
  /// How long an abandoned part stays at the destination.
  static let partialMilliseconds: Int64 = 3_600_000

  /// Reads the value of `entry` as commands and sends them.
  ///
  /// - Parameter name: its key, as the source calls it.
  mutating func takeAsCommands<Value: ValueCommands & ~Copyable>(
    _ entry: RDBEntry, named name: [UInt8], from value: inout Value
  ) throws(ReplayError) {
    let key = encoder.mapping.destinationKey(of: name)
    let partial = key + Self.partialSuffix
    let pipeline = try loaders.leastBusy()
    var batch = try orderedBatch(entry)
    batch.beginsValue = true
    // What an earlier run may have left there must not be added to.
    note(batch) { $0.appendCommand([Array("UNLINK".utf8), partial]) }
    value.setCommandKey(partial)
    while true {
      switch try value.nextCommands() {
      case .needsInput: break
      case .commands(let count):
        value.withCommands { batch.bytes.append($0) }
        batch.stringLength = value.commandStringLength
        batch.commandCount += count
        guard batch.isFull else { continue }
        note(batch) { $0.appendCommand(Self.keepForAWhile(partial)) }
        try loaders.pace(batch)
        try pipeline.submit(batch)
        batch = try orderedBatch(entry)
        if !value.mayVanish(entry) {
          batch.continuesValue = true
          note(batch) { $0.appendCommand(Self.keepForAWhile(partial)) }
        }
      case .end(let report):
        try checkComplete(
          report, "\(value.place)\(entry.offset > 0 ? " at byte \(entry.offset)" : "")", key)
        if !value.isGone {
          finish(batch, value.expiryMilliseconds(of: entry), key: key, partial: partial)
        }
        try loaders.pace(batch)
        return try pipeline.submit(batch)
      }
    }
  }

  private func orderedBatch(_ entry: RDBEntry) throws(ReplayError) -> Batch {
    let batch = try loaders.freshBatch(database: entry.database)
    batch.isOrdered = true
    return batch
  }

  private func finish(_ batch: Batch, _ expiry: Int64?, key: [UInt8], partial: [UInt8]) {
    let expiry = expiry.map { max(1, $0) }
    note(batch) { bytes in
      if let expiry {
        bytes.appendCommand([Array("PEXPIREAT".utf8), partial, Array("\(expiry)".utf8)])
      } else {
        bytes.appendCommand([Array("PERSIST".utf8), partial])
      }
    }
    if case .replace = encoder.conflicts {
      // Where the value has expired meanwhile there is nothing to rename, and the old one must go.
      note(batch) { $0.appendCommand([Array("UNLINK".utf8), key]) }
    }
    batch.move = (index: batch.commandCount, key: key)
    note(batch) { $0.appendCommand([Array("RENAMENX".utf8), partial, key]) }
    note(batch) { $0.appendCommand([Array("UNLINK".utf8), partial]) }
    batch.keyCount = 1
  }

  private func note(_ batch: Batch, _ append: (inout ByteBuffer) -> Void) {
    append(&batch.bytes)
    batch.commandCount += 1
  }

  private static func keepForAWhile(_ partial: [UInt8]) -> [[UInt8]] {
    [Array("PEXPIRE".utf8), partial, Array("\(partialMilliseconds)".utf8)]
  }

  /// Consumers without pending entries are no loss: they appear again with their first read.
  private func checkComplete(
    _ report: RDBCommandReport, _ place: String, _ key: [UInt8]
  ) throws(ReplayError) {
    guard report.droppedFieldExpiries > 0 || report.droppedReturned > 0 else { return }
    let loss =
      report.droppedFieldExpiries > 0
      ? "\(report.droppedFieldExpiries) fields expire by themselves"
      : "\(report.droppedReturned) pending entries have no owner"
    throw ReplayError(
      "\(place): key \(encoder.mapping.shown(there: key)): \(loss), which the"
        + " destination's version cannot hold (use a newer destination, or leave the key out of the"
        + " filter)")
  }
}
