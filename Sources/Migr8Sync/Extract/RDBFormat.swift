// The format rdb: an RDB file with just the entries that are in. Values are copied as they stand; only
// those of a type that the target does not know are taken apart and written in a form that it does.

import RDBParser

/// Writes an RDB file.
struct RDBFormat: ExtractFormat, ~Copyable {
  private var output: OutputStream
  private var writer = RDBWriter(header: RDBHeader(family: .redis, version: 6))
  private let target: TargetVersion?
  private let policy: UnsupportedPolicy
  /// Whether functions and what is said about the file are passed on: where nothing is left out.
  private let isWhole: Bool
  private var plain = PlainValue()
  private var skipped: UInt64 = 0
  private var functionsLeftOut: UInt64 = 0

  /// Bytes that are gathered before they are copied on.
  private static let gatheredBytesMax = 64 << 10

  /// What a server may be told about the file. Everything else is about the whole of it: with the
  /// replication id and offset a server that loads the file would pass for the one that wrote it.
  private static let passedOn = ["redis-ver", "valkey-ver", "redis-bits", "ctime", "used-mem"]

  /// - Parameter target: nil for the version of the file that is read.
  init(
    _ output: consuming OutputStream, for target: TargetVersion?, policy: UnsupportedPolicy,
    isWhole: Bool
  ) {
    self.output = output
    self.target = target
    self.policy = policy
    self.isWhole = isWhole
  }

  mutating func begin(_ header: RDBHeader) throws(ReplayError) {
    var header = target?.header ?? header
    // Files without a checksum nobody writes any more; every server that is about reads this version.
    header.version = max(header.version, 6)
    writer = RDBWriter(header: header, leavesChecksum: true)
  }

  mutating func takeAuxiliary(from snapshot: borrowing SnapshotReader) throws(ReplayError) {
    // Source: rdb-format.md §1: since version 7.
    guard writer.header.version >= 7 else { return }
    snapshot.reader.withAuxiliary { name, value in
      let text = name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      if Self.passedOn.contains(text) || (isWhole && text == "lua") {
        writer.auxiliary(name, value)
      }
    }
  }

  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError) {
    // Source: rdb-format.md §1: since version 10.
    guard isWhole && writer.header.version >= 10 else {
      functionsLeftOut += 1
      return
    }
    snapshot.withFunction { writer.function($0) }
  }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    guard writer.header.canHold(entry.type) else {
      return try takeApart(entry, key, &snapshot)
    }
    var step = try snapshot.readValue()
    if step == .whole {
      try begin(entry, key)
      snapshot.withValue { writer.value($0) }
      if writer.outputCount >= Self.gatheredBytesMax { try handOn() }
      return
    }
    try handOn()
    try begin(entry, key)
    while true {
      snapshot.withValue { writer.value($0) }
      pass()
      try output.spill()
      if step == .lastChunk { return try output.beginEntry() }
      step = try snapshot.readValue()
    }
  }

  /// Writes a value of a type that the target does not know in another form, where there is one.
  private mutating func takeApart(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    let isRead = try plain.read(entry, from: &snapshot)
    var entry = entry
    if isRead {
      entry.type = plain.type
      try begin(entry, key)
      plain.withBytes { writer.value($0) }
      return try handOn()
    }
    guard policy == .skip else {
      throw ReplayError(
        "key \(Printable.key(key)) at byte \(entry.offset) is of type \(entry.type), which RDB version"
          + " \(writer.header.version) cannot hold (choose another --target-version, leave the key out,"
          + " or --on-unsupported skip)")
    }
    skipped += 1
  }

  private mutating func begin(_ entry: RDBEntry, _ key: Span<UInt8>) throws(ReplayError) {
    do {
      try writer.entry(entry, key: key)
    } catch {
      throw ReplayError("\(error)")
    }
  }

  /// Copies on what has been gathered, as complete.
  private mutating func handOn() throws(ReplayError) {
    pass()
    try output.beginEntry()
  }

  private mutating func pass() {
    writer.withOutput { bytes in output.write { $0.append(bytes) } }
    writer.removeOutput()
  }

  mutating func takeBack() throws(ReplayError) {
    // Only values in pieces are handed on before they are read to their end.
    try output.rewindEntry()
  }

  mutating func end() throws(ReplayError) {
    try handOn()
    writer.end()
    pass()
    try output.finish()
  }

  mutating func publish() throws(ReplayError) { try output.publish() }

  mutating func abandon() { output.abandon() }

  var losses: [String] {
    var losses: [String] = []
    if skipped > 0 {
      losses.append("\(HumanNumber.count(skipped)) keys of types that the target does not know")
    }
    if plain.droppedFieldExpiries > 0 {
      losses.append("the expiry of \(HumanNumber.count(plain.droppedFieldExpiries)) hash fields")
    }
    if functionsLeftOut > 0 {
      losses.append("\(HumanNumber.count(functionsLeftOut)) function libraries")
    }
    return losses
  }
}
