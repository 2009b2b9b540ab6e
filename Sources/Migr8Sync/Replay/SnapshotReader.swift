// The parser fed from the link: the same events and values, but a call waits for the bytes it needs
// instead of asking for them.

import RDBParser
import ReplicaLink

/// Reads the snapshot of a link, on the replay thread.
struct SnapshotReader: ~Copyable {
  private let feed: Feed
  private let counters: SnapshotCounters
  /// Throws when the run is over for another reason.
  private let checkpoint: () throws(ReplayError) -> Void
  private var reader = RDBReader()

  init(
    feed: Feed, counters: SnapshotCounters,
    features: RDBCommandFeatures, checkpoint: @escaping () throws(ReplayError) -> Void
  ) {
    self.feed = feed
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
    if try take() { reader.finishInput() }
  }

  /// Takes what has arrived; true when the snapshot's last byte was taken before.
  private mutating func take() throws(ReplayError) -> Bool {
    try checkpoint()
    var isAtEnd = false
    _ = try reader.fill(minimum: 1 << 16) { room throws(ReplayError) -> Int in
      let count = try feed.snapshotBytes(into: room)
      isAtEnd = count == nil
      return count ?? 0
    }
    return isAtEnd
  }

  /// Checks that nothing stands behind the end of the file.
  mutating func finish(_ trailer: RDBTrailer) throws(ReplayError) {
    counters.bytesRead.store(trailer.length, ordering: .relaxed)
    while reader.unreadCount == 0 {
      if try take() { return }
    }
    throw ReplayError(
      "reading the snapshot: it ends after \(trailer.length) bytes, and more follow"
        + " (the source's data or the link is damaged)")
  }
}
