// How much the spool may take of this machine, and what it holds right now.

/// The bounds of a spool.
public struct SpoolLimits: Sendable {
  /// Memory for what is held, in bytes. Each of the two queues may always use two chunks.
  public var memoryBytes: Int
  /// Disk for what does not fit into that memory, in bytes; 0 keeps off the disk. Files are counted
  /// whole until their last byte is let go.
  public var diskBytes: UInt64
  /// Where disk segments go. They are unlinked at once, so nothing survives the process.
  public var directory: String
  /// How much of the stream is kept behind what every reader has released, in bytes, while there is
  /// room: what a reader can go back to when its destination has lost its last writes. Never more
  /// than half of the memory.
  public var historyBytes: Int
  /// Disk space that is left to others, in bytes. Nil: 1 GB, or 5% of a disk below 20 GB.
  public var reserveBytes: UInt64?
  /// The size of a block of memory and of a file, in bytes; tests make them small.
  var chunkBytes = 1 << 18
  var segmentBytes: Int

  /// Each file is an open descriptor: there are so many, unless they would be larger than what should be
  /// held until all of it was read.
  private static let segmentsMax: UInt64 = 256
  private static let segmentBytes = 1 << 26...1 << 30

  /// Makes a set of bounds.
  public init(
    memoryBytes: Int, diskBytes: UInt64, directory: String, historyBytes: Int = 16 << 20,
    reserveBytes: UInt64? = nil
  ) {
    self.memoryBytes = memoryBytes
    self.diskBytes = diskBytes
    self.directory = directory
    self.historyBytes = historyBytes
    self.reserveBytes = reserveBytes
    let share = Int(clamping: diskBytes / Self.segmentsMax)
    segmentBytes = min(max(share, Self.segmentBytes.lowerBound), Self.segmentBytes.upperBound)
  }
}

/// What a spool holds at one moment.
public struct SpoolStatus: Sendable, Equatable {
  /// Bytes held in memory, history included.
  public var memoryBytes: UInt64 = 0
  /// Bytes held on disk, history included.
  public var diskBytes: UInt64 = 0
  /// Bytes that the slowest reader has still to read.
  public var unreadBytes: UInt64 = 0
  /// All bytes that ever came in.
  public var receivedBytes: UInt64 = 0
  /// Why the link has to wait with reading from the source, while it has to.
  public var fullReason: String?
}
