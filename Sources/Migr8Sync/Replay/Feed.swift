// One destination's view of the link. What the link announces in between the bytes, a new snapshot
// or a step back, ends whatever was being done with the bytes before: it becomes an error of kind
// `restart`, and the replay begins again where the announcement says.

import ReplicaLink

/// Reads the link for one destination. Used by its replay thread alone.
final class Feed {
  /// How long one wait for bytes may last before the run's other threads are asked how they are.
  static let patienceMilliseconds: Int64 = 100
  /// The same while keys are being read again from the source, whose answers do not end the wait.
  static let repairPatienceMilliseconds: Int64 = 5

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

  /// Waits for a snapshot, whatever comes before it, and takes it.
  ///
  /// - Parameter checkpoint: throws when the run is over; called now and then.
  func awaitSnapshot(
    _ checkpoint: () throws(ReplayError) -> Void
  ) throws(ReplayError) -> SnapshotStart {
    while true {
      if let start = takeSnapshot() { return start }
      try checkpoint()
      do throws(ReplayError) {
        try awaitBeginning()
      } catch {
        if error.kind != .restart { throw error }
      }
    }
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
  func streamBytes(
    into room: UnsafeMutableRawBufferPointer, patienceMilliseconds: Int64 = patienceMilliseconds
  ) throws(ReplayError) -> Int {
    if case .bytes(let count) = try read(into: room, patienceMilliseconds) { return count }
    return 0
  }

  /// Everything up to `offset` is safe at the destination.
  func release(upTo offset: UInt64) {
    reader.release(upTo: offset)
  }

  /// Nothing more is read: what the link receives need not be kept for this destination.
  func close() {
    reader.close()
  }

  /// Goes to the byte behind `offset`, for a destination that has everything up to `applied`.
  func rewind(to offset: UInt64, applied: UInt64) -> LinkRewind {
    reader.rewind(to: offset, applied: applied)
  }

  /// The history that the bytes read so far belong to.
  var replicationID: String { reader.replicationID }

  /// What is held does not serve the destination: a new snapshot is to come.
  func requestSnapshot(_ reason: String) {
    reader.requestSnapshot(reason)
  }

  /// What is held does not reach back to `place`: the source may.
  func requestStream(from place: ReplicationPlace) {
    isStreaming = false
    reader.requestStream(from: place)
  }

  private func read(
    into room: UnsafeMutableRawBufferPointer, _ patience: Int64 = patienceMilliseconds
  ) throws(ReplayError) -> LinkEvent {
    let event: LinkEvent
    do {
      event = try reader.read(
        into: room, untilMilliseconds: Clock.monotonicMilliseconds() + patience)
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
