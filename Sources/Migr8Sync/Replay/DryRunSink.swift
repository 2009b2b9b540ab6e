// The sink of a dry run: matching snapshot entries are counted and measured, nothing else.

import RDBParser

/// Fills a report.
struct DryRunSink: ScanSink {
  var report = DryRunReport()

  mutating func take(
    _ entry: RDBEntry, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    var bytes = UInt64(entry.keyLength)
    var step = RDBValueStep.chunk
    while step == .chunk {
      step = try snapshot.readValue()
      bytes += UInt64(snapshot.withValue { $0.count })
    }
    snapshot.withKey { key in
      report.add(
        key: key, database: entry.database, type: entry.type.logicalName, bytes: bytes)
    }
  }

  mutating func take(
    _ entry: RDBEntry, key: [UInt8], bytes: UInt64, inPieces pieces: inout PieceReader
  ) {
    report.add(
      key: key.span, database: entry.database, type: entry.type.logicalName, bytes: bytes)
  }

  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError) {}
}
