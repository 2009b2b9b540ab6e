// One destination's view of the link. What the link announces in between the bytes, a new snapshot
// or a step back, ends whatever was being done with the bytes before: it becomes an error of kind
// `restart`, and the replay begins again where the announcement says.

import ReplicaLink

/// Reads the link for one destination. Used by its replay thread alone.
final class Feed {
  /// How long one wait for bytes may last before the run's other threads are asked how they are.
  static let patienceMilliseconds: Int64 = 100

  private let reader: LinkReader
  /// A full resynchronisation that was announced and not taken yet, and what made it necessary.
  private(set) var announced: (start: SnapshotStart, reason: String?)?
  /// Where the stream last began, for all destinations.
  private(set) var streamStart: ReplicationPlace?
  /// Whether stream bytes are what comes next.
  private(set) var isStreaming = false

  init(_ reader: LinkReader) {
    self.reader = reader
  }

  /// Waits a moment for the snapshot or the stream to begin; what comes before that is void.
  func awaitBeginning() throws(ReplayError) {
    var void = ByteBuffer()
    _ = try void.fill(minimum: 1 << 12) { room throws(ReplayError) -> Int in
      _ = try read(into: room)
      return 0
    }
  }

  /// The beginning that this destination was last told of.
  var generation: Int { reader.generation }

  /// Takes the announced snapshot: its bytes come next.
  func takeSnapshot() -> SnapshotStart? {
    defer { announced = nil }
    return announced?.start
  }

  /// The next bytes of the snapshot: how many, 0 when none came in time, nil behind the last.
  func snapshotBytes(into room: UnsafeMutableRawBufferPointer) throws(ReplayError) -> Int? {
    switch try read(into: room) {
    case .bytes(let count): return count
    case .timedOut: return 0
    default: return nil
    }
  }

  /// The next bytes of the stream: how many, 0 when none came in time.
  func streamBytes(into room: UnsafeMutableRawBufferPointer) throws(ReplayError) -> Int {
    if case .bytes(let count) = try read(into: room) { return count }
    return 0
  }

  /// Everything up to `offset` is safe at the destination.
  func release(upTo offset: UInt64) {
    reader.release(upTo: offset)
  }

  /// Goes to the byte behind `offset`; false when it is not held any more.
  func rewind(to offset: UInt64) -> Bool {
    reader.rewind(to: offset)
  }

  /// What is held does not serve the destination: a new snapshot is to come.
  func requestSnapshot(_ reason: String) {
    reader.requestSnapshot(reason)
  }

  /// What is held does not reach back to `place`: the source may.
  func requestStream(from place: ReplicationPlace) {
    isStreaming = false
    reader.requestStream(from: place)
  }

  private func read(into room: UnsafeMutableRawBufferPointer) throws(ReplayError) -> LinkEvent {
    let event: LinkEvent
    do {
      event = try reader.read(
        into: room, untilMilliseconds: Clock.monotonicMilliseconds() + Self.patienceMilliseconds)
    } catch {
      // The link tries again by itself where that helps: when it gives up, the run is over.
      var ending = ReplayError(
        error.description, error.code == .stopped ? .interruption : .failure)
      ending.isOfSource = true
      throw ending
    }
    switch event {
    case .snapshot(let start, let reason):
      announced = (start, reason)
      isStreaming = false
      throw ReplayError("a new snapshot begins", .restart)
    case .rewound(let offset):
      throw ReplayError("the link has gone back to offset \(offset)", .restart)
    case .stream(let place):
      streamStart = place
      // What another destination needed goes for all: the place where it begins is not where this one is.
      let isAnew = isStreaming
      isStreaming = true
      if isAnew { throw ReplayError("the stream begins anew", .restart) }
    case .snapshotEnd, .bytes, .timedOut: break
    }
    return event
  }
}
