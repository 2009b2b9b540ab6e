// The sink of a dry run: matching snapshot entries are counted and measured, nothing else.

import RDBParser

/// Fills a report.
struct DryRunSink: SnapshotSink {
  var report = DryRunReport()
  private var partBytes: UInt64 = 0

  mutating func entry(
    _ entry: RDBEntry, key: Span<UInt8>, value: Span<UInt8>
  ) throws(ReplayError) {
    report.add(
      key: key, database: entry.database, type: entry.type.logicalName,
      bytes: UInt64(key.count + value.count))
  }

  mutating func part(
    of entry: RDBEntry, key: Span<UInt8>, bytes: Span<UInt8>, isLast: Bool
  ) throws(ReplayError) {
    partBytes += UInt64(bytes.count)
    guard isLast else { return }
    report.add(
      key: key, database: entry.database, type: entry.type.logicalName,
      bytes: UInt64(key.count) + partBytes)
    partBytes = 0
  }

  mutating func function(_ source: Span<UInt8>) throws(ReplayError) {}
}
