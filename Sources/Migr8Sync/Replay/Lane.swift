// The lane: the one ordered connection that carries the stream. It keeps the destination's selected
// db and its transactions in step, and says up to which offset the destination is complete.

import ReplicaLink

/// Feeds one pipeline in stream order. Used by the replay thread alone.
struct Lane: ~Copyable {
  private enum Transaction {
    case none
    /// The source has opened one; nothing of it concerns the destination yet.
    case pending
    /// The destination has been sent MULTI.
    case open
  }

  private let pipeline: Pipeline
  private let thread: NamedThread
  private let progress: ReplayProgress
  private let targets: DestinationDatabases
  private var batch: Batch?
  private var largeHead: [[UInt8]] = []
  private var selectedDatabase = -1
  private var transaction = Transaction.none
  /// The last offset outside of any transaction.
  private(set) var boundary: UInt64

  /// Starts the lane for the stream behind `offset`.
  init(
    url: RedisURL, timeouts: Timeouts, targets: DestinationDatabases, progress: ReplayProgress,
    offset: UInt64, onApplied: @escaping @Sendable (UInt64) -> Void
  ) {
    self.progress = progress
    self.targets = targets
    boundary = offset
    pipeline = Pipeline(
      url: url, timeouts: timeouts, progress: progress, role: .lane(onApplied: onApplied))
    thread = pipeline.start("lane")
  }

  /// Whether the source is inside a transaction.
  var isInTransaction: Bool { transaction != .none }

  /// Sends one encoded command to destination db `database`.
  mutating func forward(
    _ command: UnsafeRawBufferPointer, database: Int, offset: UInt64
  ) throws(ReplayError) {
    let batch = try prepare(database, offset)
    batch.bytes.append(command)
    try finishCommand(batch, offset)
  }

  // MARK: Large commands, part by part

  /// Begins a command that comes in parts.
  ///
  /// - Parameter head: its first arguments, for messages.
  mutating func beginLarge(
    head: [[UInt8]], database: Int, offset: UInt64
  ) throws(ReplayError) {
    _ = try prepare(database, offset)
    largeHead = head
  }

  /// Sends the next bytes of it. A full batch leaves before they are added, never after: so the
  /// command's last bytes are in the batch that waits for its reply.
  mutating func forwardPart(_ bytes: UnsafeRawBufferPointer) throws(ReplayError) {
    if currentBatch().isFull {
      try flush()
      currentBatch().lead = (largeHead, 0)
    }
    currentBatch().bytes.append(bytes)
  }

  /// All of it was handed over.
  mutating func endLarge(_ offset: UInt64) throws(ReplayError) {
    let batch = currentBatch()
    batch.lead?.byteCount = batch.bytes.count
    largeHead = []
    try finishCommand(batch, offset)
  }

  // MARK: Between commands

  /// Everything up to `offset` has been dealt with; nothing of it was for the destination.
  mutating func pass(_ offset: UInt64) {
    if transaction == .none { boundary = offset }
  }

  /// The source opened a transaction.
  mutating func begin() {
    transaction = .pending
  }

  /// The source closed its transaction at `offset`. An empty one vanishes.
  mutating func commit(_ offset: UInt64) throws(ReplayError) {
    if transaction == .open {
      let batch = currentBatch()
      batch.bytes.append("*1\r\n$4\r\nEXEC\r\n")
      note(batch, offset)
    }
    transaction = .none
    boundary = offset
    if let batch, batch.isFull { try flush() }
  }

  /// Sends what is in hand; call it whenever no further command is at hand.
  mutating func flush() throws(ReplayError) {
    if let full = batch {
      batch = nil
      full.boundaryOffset = boundary
      try pipeline.submit(full)
    } else {
      pipeline.advance(to: boundary)
    }
  }

  /// Waits until the destination has answered everything.
  mutating func drain() throws(ReplayError) {
    try flush()
    try pipeline.drain()
  }

  /// Ends the lane. A transaction that is open at the destination vanishes with the connection.
  func close() {
    pipeline.close()
    thread.join()
  }

  private mutating func currentBatch() -> Batch {
    let current = batch ?? progress.emptyBatch()
    batch = current
    return current
  }

  /// The batch for a command to db `database`, with what has to stand before it.
  private mutating func prepare(_ database: Int, _ offset: UInt64) throws(ReplayError) -> Batch {
    if selectedDatabase != database { try targets.confirm(database) }
    let batch = currentBatch()
    if transaction == .pending {
      batch.bytes.append("*1\r\n$5\r\nMULTI\r\n")
      note(batch, offset)
      transaction = .open
    }
    if selectedDatabase != database {
      batch.bytes.append("*2\r\n$6\r\nSELECT\r\n")
      batch.bytes.appendBulk(decimal: Int64(database))
      note(batch, offset)
      selectedDatabase = database
    }
    return batch
  }

  private mutating func finishCommand(_ batch: Batch, _ offset: UInt64) throws(ReplayError) {
    note(batch, offset)
    if transaction == .none { boundary = offset }
    if batch.isFull { try flush() }
  }

  private func note(_ batch: Batch, _ offset: UInt64) {
    batch.commandCount += 1
    batch.commandOffsets.append(offset)
  }
}
