// The parser fed from the link or from a file: the same events and values, but a call waits for the
// bytes it needs instead of asking for them.

import RDBParser
import ReplicaLink

/// Where the bytes of a snapshot come from.
protocol SnapshotBytes: AnyObject {
  /// The next bytes: how many, 0 when none came in time, nil behind the last.
  func snapshotBytes(into room: UnsafeMutableRawBufferPointer) throws(ReplayError) -> Int?
}

extension Feed: SnapshotBytes {}

/// Behind a value that is there already.
private final class NothingMore: SnapshotBytes, Sendable {
  static let shared = NothingMore()

  func snapshotBytes(into room: UnsafeMutableRawBufferPointer) -> Int? { nil }
}

/// Reads the snapshot of a link, on the replay thread, or a file.
struct SnapshotReader: ValueCommands, ~Copyable {
  private let feed: any SnapshotBytes
  private let counters: SnapshotCounters
  /// Throws when the run is over for another reason.
  private let checkpoint: () throws(ReplayError) -> Void
  /// The reader, for what it lends.
  private(set) var reader: RDBReader
  /// What is being read and, where it is damaged, what that means: for the operator.
  private let wording: (doing: String, advice: String)
  /// How much room a read has at least, in bytes.
  private let readBytesMin: Int
  /// The damage that ended the reading.
  private(set) var damage: RDBError?

  init(
    feed: Feed, counters: SnapshotCounters,
    features: RDBCommandFeatures, checkpoint: @escaping () throws(ReplayError) -> Void
  ) {
    self.feed = feed
    self.counters = counters
    self.checkpoint = checkpoint
    reader = RDBReader()
    wording = (
      "the snapshot",
      " (the source's data or the link is damaged; keys before this point were moved)"
    )
    readBytesMin = 1 << 16
    reader.commandOptions.features = features
    reader.commandOptions.appliesExpiry = false
  }

  /// Reads a file.
  ///
  /// - Parameter name: what to call it.
  init(
    file: any SnapshotBytes, name: String, options: RDBReaderOptions = RDBReaderOptions(),
    counters: SnapshotCounters, checkpoint: @escaping () throws(ReplayError) -> Void
  ) {
    feed = file
    self.counters = counters
    self.checkpoint = checkpoint
    reader = RDBReader(options: options)
    wording = (name, "")
    // Small enough to stay in the processor's cache between the read and the parser.
    readBytesMin = 1 << 18
  }

  /// Reads one value that is there already, as if its entry had just been announced.
  ///
  /// - Parameter name: what to call it.
  init(
    value: Span<UInt8>, of entry: RDBEntry, key: [UInt8], name: String,
    counters: SnapshotCounters, features: RDBCommandFeatures
  ) throws(ReplayError) {
    feed = NothingMore.shared
    self.counters = counters
    checkpoint = {}
    do {
      reader = try RDBReader(
        valueOf: entry.type, key: key.span, expiryMilliseconds: entry.expiryMilliseconds)
    } catch {
      throw ReplayError("reading \(name): \(error)")
    }
    wording = (name, "")
    readBytesMin = 1
    reader.append(value)
    reader.finishInput()
    reader.commandOptions.features = features
    reader.commandOptions.appliesExpiry = false
  }

  /// How values become commands; for those that are begun from now on.
  var commandOptions: RDBCommandOptions {
    get { reader.commandOptions }
    set { reader.commandOptions = newValue }
  }

  /// The next event; never `.needsInput`.
  mutating func next() throws(ReplayError) -> RDBEvent {
    while true {
      let event = try wrap { (reader: inout RDBReader) throws(RDBError) in try reader.next() }
      if case .needsInput = event {
        try fill()
      } else {
        return event
      }
    }
  }

  /// The next element of the last entry's value; never `.needsInput`.
  mutating func nextElement() throws(ReplayError) -> RDBElement {
    while true {
      let element = try wrap { (reader: inout RDBReader) throws(RDBError) in
        try reader.nextElement()
      }
      if case .needsInput = element {
        try fill()
      } else {
        return element
      }
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

  /// Reads the last entry's value to its end: what it means.
  mutating func readMeaning() throws(ReplayError) -> RDBMeaning {
    while true {
      let meaning = try wrap { (reader: inout RDBReader) throws(RDBError) in
        try reader.readMeaning()
      }
      if let meaning { return meaning }
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

  /// Makes the commands of the last entry's value be for `key`.
  mutating func setCommandKey(_ key: Span<UInt8>) {
    reader.setCommandKey(key)
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
  func withCommands(_ body: (Span<UInt8>) -> Void) {
    reader.withCommands(body)
  }

  /// What is being read.
  var place: String { "reading \(wording.doing)" }

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
      damage = error
      throw ReplayError("reading \(wording.doing): \(error)\(wording.advice)")
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
    _ = try reader.fill(minimum: readBytesMin) { room throws(ReplayError) -> Int in
      let count = try feed.snapshotBytes(into: room)
      isAtEnd = count == nil
      return count ?? 0
    }
    return isAtEnd
  }

  /// Checks that nothing stands behind the end of the file.
  mutating func finish(_ trailer: RDBTrailer) throws(ReplayError) {
    counters.bytesRead.store(trailer.length, ordering: .relaxed)
    if try !hasRemainder() { return }
    throw ReplayError(
      "reading \(wording.doing): it ends after \(trailer.length) bytes, and more follow"
        + wording.advice)
  }

  /// Whether anything stands behind the end of the file.
  mutating func hasRemainder() throws(ReplayError) -> Bool {
    while reader.unreadCount == 0 {
      if try take() { return false }
    }
    return true
  }
}
