// The format resp: commands as a client sends them, for redis-cli --pipe and whatever else takes them.
// Every key is deleted or overwritten first, so the same file can be sent twice.

import RDBParser
import ReplicaLink

/// Writes commands.
struct CommandFormat: ExtractFormat, ~Copyable {
  private var output: OutputStream
  private let target: TargetVersion?
  private let restores: Bool
  private let policy: UnsupportedPolicy
  private let isWhole: Bool
  private var header = RDBHeader(family: .redis, version: 6)
  private var encoder = EntryEncoder(
    mapping: .identity, conflicts: .replace, setTakesExpiry: false)
  private var features = RDBCommandFeatures()
  /// The database of the last SELECT; none yet.
  private var database = -1
  private var skipped: UInt64 = 0
  private var functionsLeftOut: UInt64 = 0
  private var droppedFieldExpiries: UInt64 = 0
  private var droppedReturned: UInt64 = 0

  /// - Parameters:
  ///   - target: nil for the version that wrote the file.
  ///   - restores: whether values go as RESTORE where the target knows their type.
  init(
    _ output: consuming OutputStream, for target: TargetVersion?, restores: Bool,
    policy: UnsupportedPolicy, isWhole: Bool
  ) {
    self.output = output
    self.target = target
    self.restores = restores
    self.policy = policy
    self.isWhole = isWhole
  }

  mutating func begin(_ header: RDBHeader) throws(ReplayError) {
    let version = target ?? TargetVersion(writerOf: header)
    self.header = target?.header ?? header
    features = version.features
    // Names are mapped already.
    encoder = EntryEncoder(
      mapping: .identity, conflicts: .replace, setTakesExpiry: version.setTakesExpiry)
  }

  mutating func takeFunction(from snapshot: borrowing SnapshotReader) throws(ReplayError) {
    guard isWhole && header.version >= 10 else {
      functionsLeftOut += 1
      return
    }
    try output.beginEntry()
    output.write { buffer in
      buffer.append("*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n")
      snapshot.withFunction { buffer.appendBulk($0) }
    }
  }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    try output.beginEntry()
    if entry.database != database {
      database = entry.database
      output.write { buffer in
        buffer.append("*2\r\n$6\r\nSELECT\r\n")
        buffer.appendBulk(decimal: Int64(entry.database))
      }
      // A damaged entry does not take it back.
      try output.beginEntry()
    }
    if restores, header.canHold(entry.type) {
      if try snapshot.readValue() == .whole {
        return try output.write { (buffer) throws(ReplayError) in
          try snapshot.withValue { (value) throws(ReplayError) in
            try encoder.append(entry, key: key, value: value, to: &buffer)
          }
        }
      }
      snapshot.rereadValue()
    }
    try takeAsCommands(entry, key, &snapshot)
  }

  private mutating func takeAsCommands(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    guard ![.module, .array].contains(entry.type.kind) else {
      return try leaveOut(entry, key)
    }
    snapshot.commandOptions.features = features
    snapshot.commandOptions.deletesFirst = entry.type != .string
    snapshot.setCommandKey(key)
    while true {
      switch try snapshot.nextCommands() {
      case .needsInput: break
      case .commands:
        output.write { buffer in snapshot.withCommands { buffer.append($0) } }
        try output.spill()
      case .end(let report):
        droppedFieldExpiries += UInt64(report.droppedFieldExpiries)
        droppedReturned += UInt64(report.droppedReturned)
        return
      }
    }
  }

  private mutating func leaveOut(_ entry: RDBEntry, _ key: Span<UInt8>) throws(ReplayError) {
    guard policy == .skip else {
      throw ReplayError(
        "key \(Printable.key(key)) at byte \(entry.offset) is of type \(entry.type), which cannot be said in"
          + " plain commands (--restore, leave the key out, or --on-unsupported skip)")
    }
    skipped += 1
  }

  mutating func takeBack() throws(ReplayError) { try output.rewindEntry() }

  mutating func end() throws(ReplayError) { try output.finish() }

  mutating func publish() throws(ReplayError) { try output.publish() }

  mutating func abandon() { output.abandon() }

  var losses: [String] {
    let counts = [
      (skipped, "keys that cannot be said in plain commands"),
      (droppedFieldExpiries, "expiries of hash fields, which the target does not know"),
      (droppedReturned, "pending entries without a consumer"),
      (functionsLeftOut, "function libraries"),
    ]
    return counts.filter { $0.0 > 0 }.map { "\(HumanNumber.count($0.0)) \($0.1)" }
  }
}
