// The parser fed from the spool: the same events and values, but a call waits for the bytes it needs
// instead of asking for them.

import RDBParser
import ReplicaLink

/// Reads the snapshot of a link, on the replay thread.
struct SnapshotReader: ~Copyable {
  /// How long a wait for bytes may last before the run's other threads are asked how they are.
  static let patienceMilliseconds: Int64 = 100

  private let read: (UnsafeMutableRawBufferPointer) throws(LinkError) -> LinkEvent
  private let start: SnapshotStart
  private let counters: SnapshotCounters
  /// Throws when the run is over for another reason.
  private let checkpoint: () throws(ReplayError) -> Void
  private var reader = RDBReader()

  init(
    read: @escaping (UnsafeMutableRawBufferPointer) throws(LinkError) -> LinkEvent,
    start: SnapshotStart, counters: SnapshotCounters,
    features: RDBCommandFeatures, checkpoint: @escaping () throws(ReplayError) -> Void
  ) {
    self.read = read
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
        switch try read(room) {
        case .bytes(let count): return count
        case .snapshotEnd: throw LinkError(.closed, "reading the snapshot", "it ended early")
        default: return 0
        }
      }
    } catch {
      throw ReplayError(error)
    }
  }

  /// Checks that nothing follows the file, and makes the stream's decoder.
  mutating func finish(_ trailer: RDBTrailer) throws(ReplayError) -> CommandDecoder {
    counters.bytesRead.store(trailer.length, ordering: .relaxed)
    var byte: UInt8 = 0
    while true {
      try checkpoint()
      let event = try ReplayError.wrap { () throws(LinkError) in
        try withUnsafeMutableBytes(of: &byte) { room throws(LinkError) in try read(room) }
      }
      guard reader.unreadCount == 0, event == .snapshotEnd || event == .timedOut else {
        throw ReplayError(
          "reading the snapshot: there are bytes behind its end after \(trailer.length) bytes"
            + " (the source's data or the link is damaged)")
      }
      if event == .snapshotEnd { return CommandDecoder(offset: start.offset) }
    }
  }
}
