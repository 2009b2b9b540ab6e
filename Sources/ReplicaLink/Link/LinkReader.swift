// What a destination sees of the link: its own cursor through snapshot and stream, and word of
// everything that makes what it has read void.

/// A point in a source's history: everything up to `offset` of the history `replicationID`.
public struct ReplicationPlace: Sendable, Equatable {
  /// The source's replication id; empty for a source too old to have one.
  public var replicationID: String
  /// The offset of the last byte before the next.
  public var offset: UInt64

  /// Names a place.
  public init(replicationID: String, offset: UInt64) {
    self.replicationID = replicationID
    self.offset = offset
  }
}

/// What `LinkReader.read` gives.
public enum LinkEvent: Sendable, Equatable {
  /// A full resynchronisation begins: all earlier bytes are void, also unread ones. The reason is nil
  /// for the first.
  case snapshot(SnapshotStart, reason: String?)
  /// All of the snapshot's bytes were read; its mark was none of them.
  case snapshotEnd
  /// Stream bytes follow, the first of them behind `offset`.
  case stream(ReplicationPlace)
  /// So many bytes are in the buffer.
  case bytes(Int)
  /// The link was made anew: stream bytes read beyond this offset are void, they or others come again.
  case rewound(to: UInt64)
  /// Nothing came before the deadline.
  case timedOut
}

/// One destination's way through what the link receives. For one thread, but for `close`.
public final class LinkReader: Sendable {
  private let spool: Spool
  private let control: LinkControl
  private let index: Int

  init(_ spool: Spool, _ control: LinkControl, _ index: Int) {
    self.spool = spool
    self.control = control
    self.index = index
  }

  /// The next event; bytes go to the front of `buffer`, which must have room.
  ///
  /// - Parameter deadline: on `Clock.monotonicMilliseconds()`; one in the past asks without waiting.
  /// - Throws: why the link is over for good, after the last byte; `.localResource` when the spool
  ///   cannot be read back.
  public func read(
    into buffer: UnsafeMutableRawBufferPointer, untilMilliseconds deadline: Int64
  ) throws(LinkError) -> LinkEvent {
    precondition(buffer.count > 0, "a buffer without room")
    return try spool.read(index, into: buffer, untilMilliseconds: deadline)
  }

  /// Everything up to `offset` is applied and safe. The spool may let it go, but for a history of
  /// `SpoolLimits.historyBytes`. Without this nothing of the stream is ever let go.
  public func release(upTo offset: UInt64) {
    spool.release(index, upTo: offset)
  }

  /// Makes the next bytes be those behind `offset`: as after a destination's loss of its last writes, or
  /// where one is ahead of the others with which it goes on.
  ///
  /// - Returns: false when they are no longer held, or are not there and the source has not said that it
  ///   had written so far when it was asked to go on; then nothing has changed.
  public func rewind(to offset: UInt64) -> Bool {
    spool.rewind(index, to: offset)
  }

  /// Asks for a snapshot, unless one has begun that this reader has not been told of yet.
  public func requestSnapshot(_ reason: String) {
    control.ask(.snapshot(reason: reason), insteadOf: spool.generation(of: index))
  }

  /// Asks for the stream behind `place`, which `rewind` cannot go back to: the source may still have it.
  /// Then it begins with `.stream`, for every reader, otherwise with a snapshot.
  public func requestStream(from place: ReplicationPlace) {
    control.ask(.stream(from: place), insteadOf: spool.generation(of: index))
  }

  /// Which beginning the reader was last told of: counts every snapshot, and every time the stream
  /// begins anew for all readers. What was read of an earlier one is void. From any thread.
  public var generation: Int { spool.generation(of: index) }

  /// Ends the reader: nothing is kept for it any more. From any thread.
  public func close() {
    spool.close(index)
  }
}
