// ExtractFormat: what a format of extract does with the entries of a file. Called in file order, on the
// reading thread.

import RDBParser

/// A form in which entries are written.
protocol ExtractFormat: ~Copyable {
  /// The file's header; before everything else.
  mutating func begin(_ header: RDBHeader) throws(ReplayError)
  /// A name and value about the file, lent by the reader's `withAuxiliary`.
  mutating func takeAuxiliary(from snapshot: borrowing SnapshotReader) throws(ReplayError)
  /// A function library, lent by the reader's `withFunction`.
  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError)
  /// An entry under the name and in the database that it gets; reads its value as it likes, or not.
  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError)
  /// Takes back what was written of an entry whose value is damaged.
  mutating func takeBack() throws(ReplayError)
  /// Completes the output; a file waits beside its name.
  mutating func end() throws(ReplayError)
  /// Makes the complete output appear under its name.
  mutating func publish() throws(ReplayError)
  /// Removes what was written.
  mutating func abandon()
  /// What was not said in full, for the operator.
  var losses: [String] { get }
}

extension ExtractFormat where Self: ~Copyable {
  mutating func begin(_ header: RDBHeader) throws(ReplayError) {}
  mutating func takeAuxiliary(from snapshot: borrowing SnapshotReader) throws(ReplayError) {}
  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError) {}
  mutating func publish() throws(ReplayError) {}
  var losses: [String] { [] }
}

/// The formats by their names on the command line.
enum ExtractFormatName: String, Sendable, CaseIterable {
  case rdb
  case resp
  case jsonl
  case json
  case csv
  case keys
  case count
}

/// What to do with a value that the target does not know.
enum UnsupportedPolicy: String, Sendable, CaseIterable {
  case stop
  case skip
}
