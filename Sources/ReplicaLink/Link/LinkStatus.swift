// What a link says of itself, for progress reports and for tests.

/// The state of a link at one moment.
public struct LinkStatus: Sendable {
  /// What the link is doing.
  public enum Phase: Sendable, Equatable {
    /// Connecting or shaking hands.
    case connecting
    /// Accepted; the source prepares its snapshot.
    case waitingForSnapshot
    /// The snapshot comes in.
    case receivingSnapshot(SnapshotStart)
    /// The stream comes in.
    case following
    /// Waits before the next attempt, which is due then on `Clock.monotonicMilliseconds()`.
    case pausing(untilMilliseconds: Int64)
    /// Over, with the reason.
    case ended(LinkError)
  }

  /// A full resynchronisation.
  public struct FullResync: Sendable, Equatable {
    /// The identity and place of its snapshot.
    public var start: SnapshotStart
    /// Why it was needed; nil for the first, which needs no reason.
    public var reason: String?
  }

  /// The most full resynchronisations that are remembered with their reasons.
  static let fullResyncsMax = 16

  /// What the link is doing.
  public var phase = Phase.connecting
  /// The source that it is, or was last, connected to; nil before the first.
  public var address: String?
  /// The source's present replication id; nil before the first answer.
  public var replicationID: String?
  /// The stream offset of the last byte received.
  public var receivedOffset: UInt64 = 0
  /// The stream offset of the last command received that ends outside a transaction: where the stream
  /// would go on after a lost link.
  public var boundaryOffset: UInt64 = 0
  /// How often a lost link was made anew, with whatever result.
  public var reconnects = 0
  /// How often the source went on where it was asked to.
  public var continuations = 0
  /// Whether the last snapshot came, or comes, over a connection of its own.
  public var hasSnapshotChannel = false
  /// How often a snapshot began.
  public var fullResyncCount = 0
  /// The last of them.
  public var fullResyncs: [FullResync] = []
  /// What is held between source and destinations.
  public var spool = SpoolStatus()
  /// Why the link was last lost, or the last attempt failed.
  public var lastError: LinkError?
}
