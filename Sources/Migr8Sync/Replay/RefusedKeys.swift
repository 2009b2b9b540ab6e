// Snapshot keys that the destination could not take just now: it is out of memory, busy, cannot save.
// They are kept and sent again, since a new snapshot would cost the source far more than waiting does.

import ReplicaLink

/// The refused commands of one loader. Lives on the pipeline's thread.
struct RefusedKeys {
  /// The time between two attempts, in milliseconds.
  static let pauseMilliseconds: Int64 = 500

  private var batches: [Batch] = []
  private var due: Int64 = 0
  private var hasRefused = false

  /// Whether nothing should be sent yet.
  var isWaiting: Bool { !batches.isEmpty }

  /// Whether the destination takes keys again; true once.
  var isOver: Bool {
    mutating get {
      guard hasRefused, batches.isEmpty else { return false }
      hasRefused = false
      return true
    }
  }

  /// Whether a command that was answered so may be sent again by itself.
  static func canWait(_ line: String) -> Bool {
    switch line.prefix(while: { $0 != " " }) {
    case "OOM", "BUSY", "MISCONF", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN": true
    default: false
    }
  }

  /// Keeps a command of `batch`.
  mutating func add(_ command: Range<Int>, of batch: Batch, _ pipeline: Pipeline) {
    let kept = keptBatch(for: batch, pipeline)
    let keyCount = batch.bytes.withBytes { bytes in
      let command = UnsafeRawBufferPointer(rebasing: bytes[command])
      kept.bytes.append(command)
      return Batch.keyCount(of: command)
    }
    kept.commandCount += 1
    kept.keyCount += keyCount
    batch.keyCount -= keyCount
    pipeline.hold(command.count)
    hasRefused = true
    due = Clock.monotonicMilliseconds() + Self.pauseMilliseconds
  }

  /// The next batch to send again, when it is time.
  mutating func take(_ pipeline: Pipeline) -> Batch? {
    guard !batches.isEmpty, Clock.monotonicMilliseconds() >= due else { return nil }
    return batches.removeFirst()
  }

  private mutating func keptBatch(for batch: Batch, _ pipeline: Pipeline) -> Batch {
    if let last = batches.last, last.database == batch.database, !last.isFull,
      last.isOverwriting == batch.isOverwriting
    {
      return last
    }
    let fresh = batch.emptyTwin()
    fresh.isOverwriting = batch.isOverwriting
    pipeline.hold(fresh.bytes.count)
    batches.append(fresh)
    return fresh
  }
}
