// The parser fed from the spool: the same events and values, but a call waits for the bytes it needs
// instead of asking for them.

import RDBParser
import ReplicaLink

/// Reads the snapshot of a link, on the replay thread.
struct SnapshotReader: ~Copyable {
  /// How long a wait for bytes may last before the run's other threads are asked how they are.
  static let patienceMilliseconds: Int64 = 100

  private let spool: Spool
  private let start: SnapshotStart
  private let counters: SnapshotCounters
  /// Throws when the run is over for another reason.
  private let checkpoint: () throws(ReplayError) -> Void
  private var reader = RDBReader()

  init(
    spool: Spool, start: SnapshotStart, counters: SnapshotCounters,
    features: RDBCommandFeatures, checkpoint: @escaping () throws(ReplayError) -> Void
  ) {
    self.spool = spool
    self.start = start
    self.counters = counters
    self.checkpoint = checkpoint
    reader.commandOptions.features = features
    reader.commandOptions.appliesExpiry = false
  }

  /// The next event; never `.needsInput`.
  mutating func next() throws(ReplayError) -> RDBEvent {
    while true {
      let event = try wrap { (reader: inout RDBReader) throws(RDBError) in try reader.next() }
      if event != .needsInput { return event }
      try fill()
    }
  }

  /// The next piece of the last entry's value; never `.needsInput`.
  mutating func readValue() throws(ReplayError) -> RDBValueStep {
    while true {
      let step = try wrap { (reader: inout RDBReader) throws(RDBError) in try reader.readValue() }
      if step != .needsInput { return step }
      try fill()
    }
  }

  /// Goes back to the start of a value of which the first chunk was read.
  mutating func rereadValue() {
    reader.rereadValue()
  }

  /// Makes the commands of the last entry's value be for `key`.
  mutating func setCommandKey(_ key: [UInt8]) {
    reader.setCommandKey(key.span)
  }

  /// The next commands that write the last entry's value; never `.needsInput`.
  mutating func nextCommands() throws(ReplayError) -> RDBCommandStep {
    while true {
      let step = try wrap { (reader: inout RDBReader) throws(RDBError) in try reader.nextCommands()
      }
      if step != .needsInput { return step }
      try fill()
    }
  }

  /// Bytes of the string that the commands of the last `nextCommands` write a part of; else 0.
  var commandStringLength: UInt64 { reader.commandStringLength }

  /// Lends the last entry's key.
  @inline(__always)
  func withKey<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try reader.withKey(body)
  }

  /// Lends what the last `readValue` announced.
  @inline(__always)
  func withValue<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try reader.withValue(body)
  }

  /// Lends what the last `nextCommands` announced.
  func withCommands<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try reader.withCommands(body)
  }

  /// Lends a function library's source after `.function`.
  func withFunction<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    try reader.withFunction(body)
  }

  private mutating func wrap<R>(
    _ body: (inout RDBReader) throws(RDBError) -> R
  ) throws(ReplayError) -> R {
    do {
      return try body(&reader)
    } catch {
      throw ReplayError(
        "reading the snapshot: \(error) (the source's data or the link is damaged;"
          + " keys before this point were moved)")
    }
  }

  private mutating func fill() throws(ReplayError) {
    counters.bytesRead.store(reader.position, ordering: .relaxed)
    try checkpoint()
    do {
      _ = try reader.fill(minimum: 1 << 16) { room throws(LinkError) -> Int in
        let deadline = Clock.monotonicMilliseconds() + Self.patienceMilliseconds
        switch try spool.consume(into: room, untilMilliseconds: deadline) {
        case .bytes(let count): return count
        case .timedOut: return 0
        case .end: throw LinkError(.closed, "reading the snapshot", "it ended early")
        }
      }
    } catch {
      throw ReplayError(error)
    }
  }

  /// Checks that the file ends where its framing says, and hands the rest to the stream's decoder.
  mutating func finish(_ trailer: RDBTrailer) throws(ReplayError) -> CommandDecoder {
    counters.bytesRead.store(trailer.length, ordering: .relaxed)
    var decoder = CommandDecoder(offset: start.offset)
    switch start.framing {
    case .length(let length):
      guard length == trailer.length else {
        throw ReplayError(
          "reading the snapshot: it was announced with \(length) bytes and ends after"
            + " \(trailer.length) (the source's data or the link is damaged)")
      }
      reader.withRemainder { bytes in bytes.withUnsafeBytes { decoder.append($0) } }
    case .mark(let mark):
      while reader.unreadCount < mark.count { try fill() }
      let isMarked = reader.withRemainder { bytes in
        bytes.withUnsafeBytes { $0.prefix(mark.count).elementsEqual(mark) }
      }
      guard isMarked else {
        throw ReplayError(
          "reading the snapshot: its end mark is missing after \(trailer.length) bytes"
            + " (the source's data or the link is damaged)")
      }
      reader.withRemainder { bytes in
        bytes.withUnsafeBytes {
          decoder.append(UnsafeRawBufferPointer(rebasing: $0[mark.count...]))
        }
      }
    }
    return decoder
  }
}
