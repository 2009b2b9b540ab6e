// How much the spool may take of this machine, and what it holds right now.

/// The bounds of a spool.
public struct SpoolLimits: Sendable {
  /// Memory for bytes not yet consumed, in bytes. At least two chunks are always used.
  public var memoryBytes: Int
  /// Disk for bytes that do not fit into that memory, in bytes; 0 keeps off the disk.
  public var diskBytes: UInt64
  /// Where disk segments go. They are unlinked at once, so nothing survives the process.
  public var directory: String

  /// Makes a set of bounds.
  public init(memoryBytes: Int, diskBytes: UInt64, directory: String) {
    self.memoryBytes = memoryBytes
    self.diskBytes = diskBytes
    self.directory = directory
  }
}

/// What a spool holds at one moment.
public struct SpoolStatus: Sendable {
  /// Bytes in memory that wait to be consumed.
  public var memoryBytes: UInt64 = 0
  /// Bytes on disk that wait to be consumed.
  public var diskBytes: UInt64 = 0
  /// All bytes that ever came in.
  public var receivedBytes: UInt64 = 0
  /// All bytes that ever went out.
  public var consumedBytes: UInt64 = 0
  /// Why the producer has to wait, while it has to.
  public var fullReason: String?
}
