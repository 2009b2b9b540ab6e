// The snapshot's way from the spool through the parser and the filter into a sink: the loaders in a
// real run, a report in a dry one.

import RDBParser
import ReplicaLink
import Synchronization

/// Where matching snapshot entries go. Called in file order, on the replay thread.
protocol SnapshotSink: ~Copyable {
  /// A key with its whole value.
  mutating func entry(
    _ entry: RDBEntry, key: Span<UInt8>, value: Span<UInt8>
  ) throws(ReplayError)
  /// A part of a value too large for one piece.
  mutating func part(
    of entry: RDBEntry, key: Span<UInt8>, bytes: Span<UInt8>, isLast: Bool
  ) throws(ReplayError)
  /// A function library.
  mutating func function(_ source: Span<UInt8>) throws(ReplayError)
}

/// What reading the snapshot has come to; read by the reports while it goes on.
final class SnapshotCounters: Sendable {
  let keysRead = Atomic<UInt64>(0)
  let keysMatched = Atomic<UInt64>(0)
  let bytesRead = Atomic<UInt64>(0)
  let functionsLeftOut = Atomic<UInt64>(0)
  let modulesLeftOut = Atomic<UInt64>(0)
}

/// Reads one snapshot to its end.
struct SnapshotReplay: ~Copyable {
  /// How long a wait for bytes may last before the run's other threads are asked how they are.
  static let patienceMilliseconds: Int64 = 100

  let spool: Spool
  let filter: KeyFilter
  let start: SnapshotStart
  let counters: SnapshotCounters
  /// Throws when the run is over for another reason.
  let checkpoint: () throws(ReplayError) -> Void
  private var reader = RDBReader()

  init(
    spool: Spool, filter: KeyFilter, start: SnapshotStart, counters: SnapshotCounters,
    checkpoint: @escaping () throws(ReplayError) -> Void
  ) {
    self.spool = spool
    self.filter = filter
    self.start = start
    self.counters = counters
    self.checkpoint = checkpoint
  }

  /// Feeds every matching entry to `sink`; returns the decoder of the stream that follows, already
  /// holding what was read beyond the snapshot.
  mutating func run<Sink: SnapshotSink & ~Copyable>(
    into sink: inout Sink
  ) throws(ReplayError) -> CommandDecoder {
    while true {
      switch try next() {
      case .needsInput: try fill()
      case .entry(let entry): try take(entry, &sink)
      case .function:
        try reader.withFunction { (source) throws(ReplayError) in try sink.function(source) }
      case .moduleAuxiliary: counters.modulesLeftOut.add(1, ordering: .relaxed)
      case .end(let trailer): return try finish(trailer)
      case .header, .auxiliary, .selectDatabase, .resize, .slotInfo, .skipped: break
      }
    }
  }

  private mutating func take<Sink: SnapshotSink & ~Copyable>(
    _ entry: RDBEntry, _ sink: inout Sink
  ) throws(ReplayError) {
    counters.keysRead.add(1, ordering: .relaxed)
    guard filter.matches(database: entry.database),
      reader.withKey({ filter.matches(key: $0) })
    else { return }
    counters.keysMatched.add(1, ordering: .relaxed)
    while true {
      let step = try wrap { (reader: inout RDBReader) throws(RDBError) in try reader.readValue() }
      switch step {
      case .needsInput: try fill()
      case .whole:
        try reader.withKey { (key) throws(ReplayError) in
          try reader.withValue { (value) throws(ReplayError) in
            try sink.entry(entry, key: key, value: value)
          }
        }
        return
      case .chunk, .lastChunk:
        try reader.withKey { (key) throws(ReplayError) in
          try reader.withValue { (bytes) throws(ReplayError) in
            try sink.part(of: entry, key: key, bytes: bytes, isLast: step == .lastChunk)
          }
        }
        if step == .lastChunk { return }
      }
    }
  }

  private mutating func next() throws(ReplayError) -> RDBEvent {
    try wrap { (reader: inout RDBReader) throws(RDBError) in try reader.next() }
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
  private mutating func finish(_ trailer: RDBTrailer) throws(ReplayError) -> CommandDecoder {
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
