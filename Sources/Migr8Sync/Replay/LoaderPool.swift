// The loaders: pipelines that carry the snapshot. Each key appears once in it, so they need no
// order among each other, and each batch goes to the loader that has the least under way.

import ReplicaLink

/// N pipelines behind one door. Used by the replay thread alone.
struct LoaderPool: ~Copyable {
  /// Loaders where `--workers` does not say.
  static let defaultCount = 4

  private let pipelines: [Pipeline]
  private let threads: [NamedThread]
  private let progress: ReplayProgress
  private let mapping: KeyMapping
  private let targets: DestinationDatabases
  private var batch: Batch?
  /// Strings that wait to be written together, at the end of the batch.
  private var run = CommandRun()

  /// Starts `count` loaders.
  init(
    count: Int, connector: DestinationConnector, conflicts: ConflictPolicy,
    mapping: KeyMapping, targets: DestinationDatabases, progress: ReplayProgress,
    isStopRequested: @escaping @Sendable () -> Bool
  ) {
    self.progress = progress
    self.mapping = mapping
    self.targets = targets
    pipelines = (0..<count).map { _ in
      Pipeline(
        connector, mapping: mapping, progress: progress, role: .loader(conflicts),
        isStopRequested: isStopRequested)
    }
    threads = pipelines.enumerated().map { $1.start("loader-\($0)") }
  }

  /// The batch that takes the next key of the source's db `database`.
  mutating func batch(database: Int) throws(ReplayError) -> Batch {
    if let batch {
      if batch.database == database { return batch }
      try dispatch()
    }
    let fresh = try freshBatch(database: database)
    batch = fresh
    return fresh
  }

  /// A batch of its own for the source's db `database`, with nothing in it but the SELECT.
  func freshBatch(database: Int) throws(ReplayError) -> Batch {
    let target = mapping.destination(of: database)
    try pipelines[0].insist { () throws(ReplayError) in try targets.confirm(target) }
    let fresh = progress.emptyBatch()
    fresh.database = database
    fresh.bytes.append("*2\r\n$6\r\nSELECT\r\n")
    fresh.bytes.appendBulk(decimal: Int64(target))
    fresh.commandCount = 1
    return fresh
  }

  /// Notes that a key was added to the batch, and sends it when it is full.
  mutating func commitKey(_ batch: Batch) throws(ReplayError) {
    batch.commandCount += 1
    batch.keyCount += 1
    if batch.isFull { try dispatch() }
  }

  /// Puts a string of db `database` with others into one command, as the operands that `encode` appends;
  /// false when it says no.
  mutating func join(
    _ kind: CommandRun.Kind, database: Int, _ encode: (inout ByteBuffer) -> Bool
  ) throws(ReplayError) -> Bool {
    let batch = try batch(database: database)
    if run.isEmpty { run.begin(kind, database: database) }
    guard run.add(encode) else { return false }
    if run.isFull { finishRun(batch) }
    if batch.bytes.count + run.byteCount >= Batch.targetBytes { try dispatch() }
    return true
  }

  private mutating func finishRun(_ batch: Batch) {
    if run.isEmpty { return }
    batch.keyCount += run.keyCount
    batch.commandCount += 1
    run.move(to: &batch.bytes)
  }

  /// Sends what is in hand and waits until every loader has all its answers.
  mutating func drain() throws(ReplayError) {
    try dispatch()
    for pipeline in pipelines { try pipeline.drain() }
  }

  /// Ends the loaders, whatever is under way.
  func close() {
    for pipeline in pipelines { pipeline.close() }
    for thread in threads { thread.join() }
  }

  private mutating func dispatch() throws(ReplayError) {
    guard let full = batch else { return }
    batch = nil
    finishRun(full)
    try pace(full)
    try leastBusy().submit(full)
  }

  /// Waits while the operator holds the run back.
  func pace(_ batch: Batch) throws(ReplayError) {
    while progress.gate.isPaused {
      try progress.throwFailure()
      progress.gate.wait(milliseconds: Feed.patienceMilliseconds)
    }
    try progress.pace(batch)
  }

  /// The loader with the least under way; waits while all of them are saturated.
  func leastBusy() throws(ReplayError) -> Pipeline {
    try progress.monitor.withLock { () throws(ReplayError) in
      while true {
        try progress.throwFailureLocked()
        var best = pipelines[0]
        for pipeline in pipelines where pipeline.inFlightLocked < best.inFlightLocked {
          best = pipeline
        }
        if !best.isSaturatedLocked { return best }
        progress.monitor.wait()
      }
    }
  }
}
