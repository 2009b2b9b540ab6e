// The format of --dest: entries as commands of the loaders of sync.

import RDBParser

/// Writes into a server.
struct LoaderFormat: ExtractFormat, ~Copyable {
  private var sink: LoaderSink
  private let counters: SnapshotCounters

  /// - Parameter sink: the loaders; they map names and databases.
  init(_ sink: consuming LoaderSink, _ counters: SnapshotCounters) {
    self.sink = sink
    self.counters = counters
  }

  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError) {
    try sink.takeFunction(from: snapshot)
  }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    try sink.take(entry, from: &snapshot)
  }

  /// What was sent of a value in parts lies under another name, where it expires.
  mutating func takeBack() throws(ReplayError) {}

  mutating func end() throws(ReplayError) {
    try sink.drain()
    sink.close()
  }

  /// What was handed over is finished, unless that is what failed, so that the numbers are true.
  mutating func abandon() {
    try? sink.drain()
    sink.close()
  }

  var losses: [String] {
    let functions = counters.functionsLeftOut.load(ordering: .relaxed)
    return functions > 0 ? ["\(HumanNumber.count(functions)) function libraries"] : []
  }
}
