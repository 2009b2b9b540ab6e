// The lane: the one ordered connection that carries the stream. What it sends goes as transactions of
// the destination, each of whole commands and whole transactions of the source and closed by the
// checkpoint that says so:
//
//   MULTI · SELECT db · command · command · … · SELECT checkpoint's db · HSET checkpoint · EXEC
//
// A transaction of the source is never divided; one too large to be held is sent piece by piece
// inside the MULTI. Whatever is open when the connection drops vanishes with it.

import ReplicaLink

/// Feeds one pipeline in stream order. Used by the replay thread alone.
struct Lane: ~Copyable {
  /// How long the checkpoint may stay behind when nothing is to be written, in milliseconds.
  static let idleCheckpointMilliseconds: Int64 = 1_000

  private let pipeline: Pipeline
  private let thread: NamedThread
  private let progress: ReplayProgress
  private let targets: DestinationDatabases
  private let checkpoint: CheckpointEncoder
  private let replicationID: @Sendable () -> [UInt8]
  private var batch: Batch?
  private var largeHead: [[UInt8]] = []
  private var selectedDatabase = -1
  /// Whether the destination was sent a MULTI without its EXEC.
  private var isOpen = false
  private var isInLargeCommand = false
  /// Whether the source is inside a transaction.
  private(set) var isInTransaction = false
  /// The last offset outside of any transaction, and the source's db in force there.
  private(set) var boundary: UInt64
  private var boundaryDatabase: Int
  /// What the next checkpoint has to say of keys under repair.
  private var repairs = RepairBook.Changes()
  /// Whether the job's record is to be written whole, and a db where it must not stay.
  private var isRecordLost = false
  private var recordsOldDatabase: Int?
  /// The last checkpoint that was sent, and when.
  private var checkpointed: UInt64
  private var checkpointedMilliseconds = Clock.monotonicMilliseconds()

  /// Starts the lane for the stream behind `offset`, where the source's db is `database`.
  init(
    pipeline: Pipeline, targets: DestinationDatabases, progress: ReplayProgress,
    checkpoint: CheckpointEncoder, replicationID: @escaping @Sendable () -> [UInt8],
    offset: UInt64, database: Int
  ) {
    self.progress = progress
    self.targets = targets
    self.checkpoint = checkpoint
    self.replicationID = replicationID
    boundary = offset
    boundaryDatabase = database
    checkpointed = offset
    self.pipeline = pipeline
    thread = pipeline.start("lane")
  }

  /// Sends `count` encoded commands to destination db `database`. The stream stands at `offset`.
  mutating func forward(
    _ commands: UnsafeRawBufferPointer, count: Int = 1, database: Int, offset: UInt64
  ) throws(ReplayError) {
    let batch = try prepare(database, offset)
    batch.bytes.append(commands)
    for _ in 0..<count { note(batch, offset) }
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
    isInLargeCommand = true
  }

  /// Sends the next bytes of it. A full batch leaves before they are added, never after: so the
  /// command's last bytes are in the batch that waits for its reply.
  mutating func forwardPart(_ bytes: UnsafeRawBufferPointer) throws(ReplayError) {
    if currentBatch().isFull {
      try submit()
      currentBatch().lead = (largeHead, 0)
    }
    currentBatch().bytes.append(bytes)
  }

  /// All of it was handed over.
  mutating func endLarge(_ offset: UInt64) {
    let batch = currentBatch()
    batch.lead?.byteCount = batch.bytes.count
    largeHead = []
    isInLargeCommand = false
    note(batch, offset)
  }

  // MARK: Between commands

  /// The source opened a transaction.
  mutating func begin() { isInTransaction = true }

  /// The source closed its transaction.
  mutating func commit() { isInTransaction = false }

  /// Keys came under repair, or are so no longer.
  mutating func note(_ changes: RepairBook.Changes) {
    for name in changes.added where repairs.removed.remove(name) == nil {
      repairs.added.insert(name)
    }
    for name in changes.removed where repairs.added.remove(name) == nil {
      repairs.removed.insert(name)
    }
  }

  /// The last command emptied a db, and the job's record with it.
  mutating func recordIsLost() { isRecordLost = true }

  /// The last command exchanged two dbs of the destination.
  mutating func recordHasMoved(between one: Int, _ other: Int) {
    guard one != other, one == checkpoint.database || other == checkpoint.database else { return }
    isRecordLost = true
    recordsOldDatabase = one == checkpoint.database ? other : one
  }

  /// Sends what makes a full batch, between two commands that stand for one of the source.
  mutating func sendIfFull() throws(ReplayError) {
    if let batch, batch.isFull { try submit() }
  }

  /// Everything up to `offset` has been dealt with; the source's next command acts on its db
  /// `database`.
  mutating func reached(_ offset: UInt64, database: Int) throws(ReplayError) {
    if !isInTransaction {
      boundary = offset
      boundaryDatabase = database
    }
    guard let batch, batch.isFull else { return }
    if isInTransaction { try submit() } else { try close() }
  }

  /// Sends what is in hand; call it whenever no further command is at hand.
  mutating func flush() throws(ReplayError) {
    if isInTransaction { return }
    if batch != nil || isOpen {
      try close()
    } else {
      pipeline.advance(to: boundary)
      if boundary > checkpointed,
        Clock.monotonicMilliseconds() - checkpointedMilliseconds
          >= Self.idleCheckpointMilliseconds
      {
        try close()
      }
    }
  }

  /// Makes the checkpoint say how far the lane has come, and waits until all of it is answered.
  mutating func drain() throws(ReplayError) {
    if !isInTransaction, batch != nil || isOpen || !repairs.isEmpty || boundary > checkpointed {
      try close()
    }
    try pipeline.drain()
  }

  /// Ends the lane. A transaction that is open at the destination vanishes with the connection.
  func end() {
    pipeline.close()
    thread.join()
  }

  // MARK: - Batches

  private mutating func currentBatch() -> Batch {
    if let batch { return batch }
    let fresh = progress.emptyBatch()
    fresh.database = selectedDatabase
    batch = fresh
    return fresh
  }

  /// The batch for a command to db `database`, with what has to stand before it.
  private mutating func prepare(_ database: Int, _ offset: UInt64) throws(ReplayError) -> Batch {
    if selectedDatabase != database { try targets.confirm(database) }
    let batch = currentBatch()
    open(batch, offset)
    select(database, batch, offset)
    return batch
  }

  private mutating func open(_ batch: Batch, _ offset: UInt64) {
    if isOpen { return }
    batch.bytes.append("*1\r\n$5\r\nMULTI\r\n")
    note(batch, offset)
    isOpen = true
  }

  private mutating func select(_ database: Int, _ batch: Batch, _ offset: UInt64) {
    if selectedDatabase == database { return }
    batch.bytes.append("*2\r\n$6\r\nSELECT\r\n")
    batch.bytes.appendBulk(decimal: Int64(database))
    note(batch, offset)
    selectedDatabase = database
  }

  /// Closes the destination's transaction with the checkpoint and sends it.
  private mutating func close() throws(ReplayError) {
    let batch = currentBatch()
    open(batch, boundary)
    if let old = recordsOldDatabase {
      select(old, batch, boundary)
      checkpoint.appendRemoval(to: &batch.bytes)
      note(batch, boundary)
    }
    select(checkpoint.database, batch, boundary)
    if isRecordLost {
      checkpoint.appendAll(
        boundary, database: boundaryDatabase, replicationID: replicationID(), to: &batch.bytes)
    } else {
      checkpoint.append(
        boundary, database: boundaryDatabase, replicationID: replicationID(), to: &batch.bytes)
    }
    note(batch, boundary)
    for _ in 0..<checkpoint.append(repairs, to: &batch.bytes) { note(batch, boundary) }
    isRecordLost = false
    recordsOldDatabase = nil
    repairs = RepairBook.Changes()
    if CrashPoint.beforeExec.isDue {
      try submit()
      try pipeline.drain()
      CrashPoint.beforeExec.die()
    }
    batch.bytes.append("*1\r\n$4\r\nEXEC\r\n")
    note(batch, boundary)
    batch.boundaryOffset = boundary
    batch.checkpointOffset = boundary
    isOpen = false
    checkpointed = boundary
    checkpointedMilliseconds = Clock.monotonicMilliseconds()
    try submit()
  }

  private mutating func submit() throws(ReplayError) {
    guard let full = batch else { return }
    batch = nil
    full.isOpenEnded = isOpen
    try progress.pace(full)
    try pipeline.submit(full)
  }

  private func note(_ batch: Batch, _ offset: UInt64) {
    batch.commandCount += 1
    batch.commandOffsets.append(offset)
  }
}
