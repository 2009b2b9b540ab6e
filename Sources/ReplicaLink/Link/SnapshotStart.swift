// What a source says of the snapshot that it is about to send.

/// The identity and place of a full resynchronisation, and how its snapshot is framed.
public struct SnapshotStart: Sendable, Equatable {
  /// How the end of the snapshot is known.
  public enum Framing: Sendable, Equatable {
    /// So many bytes, then the stream.
    case length(UInt64)
    /// The snapshot, then these 40 bytes; nothing more until the first acknowledgement. The mark may
    /// also occur inside the data.
    case mark([UInt8])
  }

  /// The source's replication id; empty for a source too old to have one.
  public var replicationID: String
  /// The offset of the last byte before the first of the stream.
  public var offset: UInt64
  /// How the snapshot is framed.
  public var framing: Framing
}
