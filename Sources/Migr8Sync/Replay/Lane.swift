// The lane: the one ordered connection that carries the stream. What it sends goes as transactions of
// the destination, each of whole commands and whole transactions of the source and closed by the
// checkpoint that says so:
//
//   MULTI · SELECT db · command · command · … · SELECT checkpoint's db · HSET checkpoint · EXEC
//
// A transaction of the source is never divided; one too large to be held is sent piece by piece
// inside the MULTI. Whatever is open when the connection drops vanishes with it.

import Glibc
import ReplicaLink

/// Feeds one pipeline in stream order. Used by the replay thread alone.
struct Lane: ~Copyable {
  /// How long the checkpoint may stay behind when nothing is to be written, in milliseconds.
  static let idleCheckpointMilliseconds: Int64 = 1_000

  /// For measuring what checkpoints cost, and nothing else: without them nothing can be gone on with.
  private static let hasCheckpoints = getenv("MIGR8SYNC_BENCH_NO_CHECKPOINT") == nil

  private let pipeline: Pipeline
  private let thread: NamedThread
  private let progress: ReplayProgress
  private let targets: DestinationDatabases
  private let checkpoint: CheckpointEncoder
  private let replicationID: () -> [UInt8]
  private var batch: Batch?
  /// Commands that are to leave as one.
  private var run = CommandRun()
  private var largeHead: [[UInt8]] = []
  private var selectedDatabase = -1
  /// Whether the destination was sent a MULTI without its EXEC.
  private var isOpen = false
  private var isInLargeCommand = false
  /// Commands sent behind that MULTI, and what is expected of their replies.
  private var sentCount = 0
  private var expectations: ContiguousArray<(index: Int, expectation: ReplyExpectation)> = []
  private var timely: ContiguousArray<Int> = []
  private var writtenMilliseconds = Int64.max
  /// Whether the source is inside a transaction.
  private(set) var isInTransaction = false
  /// The last offset outside of any transaction, and the source's db in force there.
  private(set) var boundary: UInt64
  private var boundaryDatabase: Int
  /// What the next checkpoint has to say of keys under repair.
  private var repairs = RepairBook.Changes()
  private var trail: CheckpointTrail
  /// Whether the job's record is to be written whole.
  private var isRecordLost = false
  /// The destination's db where it lies behind what was handed over: the next checkpoint brings it back.
  private var recordDatabase: Int
  /// The last checkpoint that was sent, and when.
  private var checkpointed: UInt64
  private var checkpointedMilliseconds = Clock.monotonicMilliseconds()

  /// Starts the lane for the stream behind the checkpoint in `record`.
  init(
    pipeline: Pipeline, targets: DestinationDatabases, progress: ReplayProgress,
    checkpoint: CheckpointEncoder, replicationID: @escaping () -> [UInt8],
    record: JobRecord
  ) {
    self.progress = progress
    self.targets = targets
    self.checkpoint = checkpoint
    recordDatabase = checkpoint.database
    self.replicationID = replicationID
    boundary = record.place.offset
    boundaryDatabase = record.database
    checkpointed = boundary
    trail = CheckpointTrail(
      at: StreamPoint(offset: boundary, database: boundaryDatabase), confirmed: record.confirmed)
    self.pipeline = pipeline
    thread = pipeline.start("lane")
  }

  /// Sends `count` encoded commands to destination db `database`. The stream stands at `offset`.
  ///
  /// - Parameters:
  ///   - expectation: what the reply to the first of them has to be; otherwise its keys are not as the
  ///     source has them.
  ///   - isTimely: whether the same is true when it is carried out too late.
  mutating func forward(
    _ commands: UnsafeRawBufferPointer, count: Int = 1, database: Int, offset: UInt64,
    expecting expectation: ReplyExpectation = .any, isTimely: Bool = false
  ) throws(ReplayError) {
    try finishRun()
    let batch = try prepare(database, offset)
    if expectation != .any { expectations.append((sentCount, expectation)) }
    if isTimely { timely.append(sentCount) }
    batch.bytes.append(commands)
    for _ in 0..<count { note(batch, offset) }
  }

  /// Sends a command of a kind that can be put together with its like, from its operands.
  mutating func forward(
    _ kind: CommandRun.Kind, operands: UnsafeRawBufferPointer, database: Int, offset: UInt64
  ) throws(ReplayError) {
    if !run.takes(kind, database: database) {
      try finishRun()
      run.begin(kind, database: database)
    }
    run.add(operands, offset: offset)
  }

  // MARK: Large commands, part by part

  /// Begins a command that comes in parts.
  ///
  /// - Parameter head: its first arguments, for messages.
  mutating func beginLarge(
    head: [[UInt8]], database: Int, offset: UInt64
  ) throws(ReplayError) {
    try finishRun()
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

  /// All of it was handed over. No value in answer to a SET says that its conditions, which nobody has
  /// looked at, were not met.
  mutating func endLarge(_ offset: UInt64, expecting expectation: ReplyExpectation) {
    let batch = currentBatch()
    if expectation != .any { expectations.append((sentCount, expectation)) }
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

  /// What is sent next was written at the source at this time at the earliest, on the monotonic clock.
  mutating func note(writtenMilliseconds written: Int64) {
    writtenMilliseconds = min(writtenMilliseconds, written)
  }

  /// Keys came under repair, or are so no longer.
  mutating func note(_ changes: RepairBook.Changes) {
    trail.reopen(changes.added)
    repairs.removed.subtract(changes.added)
    repairs.added.formUnion(changes.added)
    repairs.added.subtract(changes.removed)
    repairs.removed.formUnion(changes.removed)
  }

  /// Whatever became of the commands up to the point where the lane began is dealt with.
  mutating func confirmBeginning() {
    trail.confirm(point)
  }

  /// No record that the destination may hold asks for what lies before.
  var neededOffset: UInt64 { trail.neededOffset }

  /// The last command emptied a db, and the job's record with it.
  ///
  /// - Parameter names: what is under repair: the set of them went, too.
  mutating func recordIsLost(underRepair names: [KeyName]) {
    isRecordLost = true
    repairs.added.formUnion(names)
  }

  /// The last command exchanged two dbs of the destination.
  ///
  /// - Parameter names: what is under repair: the set of them is written anew with the record.
  mutating func recordHasMoved(between one: Int, _ other: Int, underRepair names: [KeyName]) {
    repairs.added.formUnion(names)
    if recordDatabase == one {
      recordDatabase = other
    } else if recordDatabase == other {
      recordDatabase = one
    }
  }

  /// Sends what makes a full batch, between two commands that stand for one of the source.
  mutating func sendIfFull() throws(ReplayError) {
    if isFull { try submit() }
  }

  /// Everything up to `offset` has been dealt with; the source's next command acts on its db
  /// `database`.
  mutating func reached(_ offset: UInt64, database: Int) throws(ReplayError) {
    if !isInTransaction {
      boundary = offset
      boundaryDatabase = database
    }
    guard isFull else { return }
    if isInTransaction { try submit() } else { try close() }
  }

  /// Sends what is in hand; call it whenever no further command is at hand.
  mutating func flush() throws(ReplayError) {
    if isInTransaction { return }
    if batch != nil || isOpen || !run.isEmpty {
      try close()
    } else {
      pipeline.advance(to: boundary)
      settle()
      if boundary > checkpointed || trail.hasNews,
        Clock.monotonicMilliseconds() - checkpointedMilliseconds
          >= Self.idleCheckpointMilliseconds
      {
        try close()
      }
    }
  }

  /// Makes the checkpoint say how far the lane has come, and waits until all of it is answered. What is open
  /// cannot be closed: inside a transaction, or a large command, only what was sent is waited for.
  mutating func drain() throws(ReplayError) {
    if !isInTransaction, !isInLargeCommand,
      batch != nil || isOpen || !run.isEmpty || !repairs.isEmpty || boundary > checkpointed
    {
      try close()
    }
    try pipeline.drain()
  }

  /// Makes the checkpoint say that all replies were read, once they are and nothing came of them.
  mutating func conclude() throws(ReplayError) {
    settle()
    guard !isInTransaction, trail.hasNews || !repairs.isEmpty else { return }
    try close()
    try pipeline.drain()
  }

  /// Ends the lane. A transaction that is open at the destination vanishes with the connection.
  func end() {
    pipeline.close()
    thread.join()
  }

  // MARK: - Batches

  private var isFull: Bool { (batch?.bytes.count ?? 0) + run.byteCount >= Batch.targetBytes }

  /// Puts the commands that were collected into the batch.
  private mutating func finishRun() throws(ReplayError) {
    if run.isEmpty { return }
    let offset = run.offset
    let batch = try prepare(run.database, offset)
    run.move(to: &batch.bytes)
    note(batch, offset)
  }

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
    if isOpen || !Self.hasCheckpoints { return }
    batch.bytes.append("*1\r\n$5\r\nMULTI\r\n")
    note(batch, offset)
    sentCount = 0
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
    try finishRun()
    settle()
    // Nothing is sent but the checkpoint, and all before it is answered.
    if batch == nil, !isOpen, trail.isSettled { trail.confirm(point) }
    let batch = currentBatch()
    if Self.hasCheckpoints {
      appendCheckpoint(to: batch)
      if CrashPoint.beforeExec.isDue {
        try submit()
        try pipeline.drain()
        CrashPoint.beforeExec.die()
      }
      batch.bytes.append("*1\r\n$4\r\nEXEC\r\n")
    } else {
      _ = trail.send(point, repairing: [])
      batch.bytes.append("*1\r\n$4\r\nPING\r\n")
    }
    note(batch, boundary)
    batch.boundaryOffset = boundary
    batch.checkpointNumber = trail.lastNumber
    swap(&batch.expectations, &expectations)
    swap(&batch.timely, &timely)
    batch.writtenMilliseconds = writtenMilliseconds
    writtenMilliseconds = .max
    isOpen = false
    checkpointed = boundary
    checkpointedMilliseconds = Clock.monotonicMilliseconds()
    try submit()
  }

  private mutating func appendCheckpoint(to batch: Batch) {
    open(batch, boundary)
    let hasMoved = recordDatabase != checkpoint.database
    if hasMoved {
      select(recordDatabase, batch, boundary)
      checkpoint.appendRemoval(to: &batch.bytes)
      note(batch, boundary)
    }
    select(checkpoint.database, batch, boundary)
    if isRecordLost || hasMoved {
      checkpoint.appendAll(
        point, confirmed: trail.confirmed, replicationID: replicationID(), to: &batch.bytes)
    } else {
      checkpoint.append(
        point, confirmed: trail.confirmed, replicationID: replicationID(), to: &batch.bytes)
    }
    note(batch, boundary)
    repairs.removed = trail.send(point, repairing: repairs.removed)
    for _ in 0..<checkpoint.append(repairs, to: &batch.bytes) { note(batch, boundary) }
    isRecordLost = false
    recordDatabase = checkpoint.database
    repairs = RepairBook.Changes()
  }

  private var point: StreamPoint { StreamPoint(offset: boundary, database: boundaryDatabase) }

  /// Takes note of the replies that were read. What was refused is the replay's to deal with first: it
  /// is announced before the checkpoint behind it counts as answered.
  private mutating func settle() {
    let answered = progress.checkpointNumber.load(ordering: .acquiring)
    if !progress.mayHaveRefusals { trail.answered(answered) }
  }

  private mutating func submit() throws(ReplayError) {
    try finishRun()
    guard let full = batch else { return }
    batch = nil
    full.isOpenEnded = isOpen
    try progress.pace(full)
    try pipeline.submit(full)
  }

  private mutating func note(_ batch: Batch, _ offset: UInt64) {
    batch.commandCount += 1
    sentCount += 1
    batch.commandOffsets.append(offset)
  }
}
