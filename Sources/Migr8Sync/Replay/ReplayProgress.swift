// What the pipelines of a run share: one monitor for all their queues, the first failure, and the
// numbers that the reports are made of.

import ReplicaLink
import Synchronization

/// A command of the stream that the destination ran and refused, or that may have found there something
/// else than at the source.
struct RefusedCommand: Sendable {
  var command: SentCommand
  /// What the operator would be told; nil where a key may have expired before the command arrived.
  var error: String?
}

/// The common ground of a run's threads.
///
/// `@unchecked Sendable`: everything mutable is atomic or guarded by `monitor`.
final class ReplayProgress: @unchecked Sendable {
  /// Guards every pipeline's queue; signalled whenever a batch is answered or something failed.
  let monitor = Monitor()

  let keysWritten = Atomic<UInt64>(0)
  let keysSkipped = Atomic<UInt64>(0)
  let bytesWritten = Atomic<UInt64>(0)
  /// The stream offset up to which everything is applied at the destination.
  let appliedOffset = Atomic<UInt64>(0)
  /// The number of the checkpoint that the destination has, of the lane that lives.
  let checkpointNumber = Atomic<UInt64>(0)
  /// No more than this may be acknowledged, whatever is applied; read it behind `appliedOffset`.
  let acknowledgeCeiling = Atomic<UInt64>(.max)
  /// Bytes handed to pipelines and not answered yet.
  let bytesInFlight = Atomic<Int>(0)
  /// When the destination last answered anything, on the monotonic clock.
  let lastAnswerMilliseconds = Atomic<Int64>(0)

  /// How late is too late at this destination.
  let clocks = DestinationClocks()

  /// What has happened that the operator should see.
  let notices = Notices()
  /// What holds the run back at the operator's wish.
  let gate: StreamGate
  let pacer: Pacer

  private let remembersSkipped: Bool
  private var failure: ReplayError?
  private var spares: ContiguousArray<Batch> = []
  private var skipped = KeyHashSet()
  private var otherTypes = KeyHashSet()
  private let hasRefusals = Atomic<Bool>(false)
  private var ceiling = AcknowledgeCeiling()
  private var lateSkips: [KeyName] = []

  /// - Parameter remembersSkipped: whether anybody will ask which keys were left alone: they are held in
  ///   memory.
  init(gate: StreamGate, pacer: Pacer, remembersSkipped: Bool = true) {
    self.gate = gate
    self.pacer = pacer
    self.remembersSkipped = remembersSkipped
  }

  /// Records the first failure and wakes whoever waits.
  func fail(_ error: ReplayError) {
    monitor.withLock {
      if failure == nil { failure = error }
      monitor.broadcast()
    }
  }

  /// Begins anew after a failure that may pass. No pipeline may be running.
  func forgetFailure() {
    monitor.withLock { if failure?.isInterruption != true { failure = nil } }
    bytesInFlight.store(0, ordering: .relaxed)
  }

  /// Begins the count of a snapshot.
  func beginSnapshot() {
    keysWritten.store(0, ordering: .relaxed)
    keysSkipped.store(0, ordering: .relaxed)
  }

  /// Throws the first failure. The monitor must be held.
  func throwFailureLocked() throws(ReplayError) {
    if let failure { throw failure }
  }

  /// Throws the first failure.
  func throwFailure() throws(ReplayError) {
    try monitor.withLock { () throws(ReplayError) in try throwFailureLocked() }
  }

  /// Waits until a batch may be sent at the rate that the operator allows.
  func pace(_ batch: Batch) throws(ReplayError) {
    try pacer.pace(commands: batch.commandCount, bytes: batch.bytes.count) {
      () throws(ReplayError) in try throwFailure()
    }
  }

  /// An empty batch to fill.
  func emptyBatch() -> Batch {
    monitor.withLock { spares.popLast() } ?? Batch()
  }

  /// Takes an answered batch back for reuse. The monitor must be held.
  func recycleLocked(_ batch: Batch) {
    guard batch.bytes.allocatedBytes <= Batch.keptBytesMax else { return }
    batch.reset()
    spares.append(batch)
  }

  // MARK: What is applied, and not as at the source

  /// The destination has refused a command of the stream. Call it before the command counts as applied.
  func noteRefusal(_ command: RefusedCommand) {
    changeCeiling { $0.note(command, behind: appliedOffset.load(ordering: .acquiring)) }
  }

  /// Whether it has refused any that nobody has dealt with. Costs next to nothing.
  var mayHaveRefusals: Bool { hasRefusals.load(ordering: .acquiring) }

  /// Those commands, oldest first.
  var refusals: [RefusedCommand] {
    mayHaveRefusals ? monitor.withLock { ceiling.refusals } : []
  }

  /// The next checkpoint says of the oldest `count` of them what has to be done.
  func dealtWithRefusals(_ count: Int) {
    if count > 0 { changeCeiling { $0.dealtWith(count) } }
  }

  /// Keys came under repair at `boundary`.
  func lowerCeiling(to boundary: UInt64) { changeCeiling { $0.lower(to: boundary) } }

  /// No key is under repair any more.
  func raiseCeiling() {
    if acknowledgeCeiling.load(ordering: .relaxed) < .max { changeCeiling { $0.raise() } }
  }

  /// Whether all up to `offset` is applied and, as far as any reply tells, as at the source.
  func isSettled(upTo offset: UInt64) -> Bool {
    guard appliedOffset.load(ordering: .acquiring) >= offset else { return false }
    return acknowledgeCeiling.load(ordering: .acquiring) == .max
  }

  private func changeCeiling(_ change: (inout AcknowledgeCeiling) -> Void) {
    monitor.withLock {
      change(&ceiling)
      acknowledgeCeiling.store(ceiling.offset, ordering: .releasing)
      hasRefusals.store(!ceiling.refusals.isEmpty, ordering: .releasing)
    }
  }

  /// Remembers a key that stays as the destination has it.
  func rememberSkipped(_ name: KeyName) {
    keysSkipped.add(1, ordering: .relaxed)
    guard remembersSkipped else { return }
    monitor.withLock {
      skipped.insert(name.key.span, database: name.database)
      lateSkips.append(name)
    }
  }

  /// Keys to be left alone from the beginning: those that the destination had, and those that are of
  /// other types.
  func skip(_ keys: KeyHashSet, otherTypes others: KeyHashSet) {
    monitor.withLock {
      skipped = keys
      otherTypes = others
    }
  }

  /// The keys of other types are those of this snapshot.
  func setOtherTypes(_ keys: KeyHashSet) {
    monitor.withLock { otherTypes = keys }
  }

  /// Keys that stay as the destination has them and are not written down yet.
  var lateSkippedKeys: [KeyName] { monitor.withLock { lateSkips } }

  /// The first of them are.
  func forgetLateSkips(_ count: Int) { monitor.withLock { lateSkips.removeFirst(count) } }

  /// The keys that the destination had, and keeps.
  var skippedKeys: KeyHashSet {
    monitor.withLock { skipped }
  }

  /// All keys that are left alone. Cost: linear in the keys where there are both kinds.
  var untouchedKeys: KeyHashSet {
    monitor.withLock { skipped.union(otherTypes) }
  }

  /// Everything up to `offset` is at the destination, and nothing beyond.
  ///
  /// - Parameter confirmed: up to where it is as at the source, if not all of it.
  func resume(at offset: UInt64, confirmed: UInt64? = nil) {
    // Down in between, so that nobody takes what is applied for more than it is.
    changeCeiling { $0.begin(at: 0) }
    appliedOffset.store(offset, ordering: .releasing)
    checkpointNumber.store(0, ordering: .releasing)
    changeCeiling { $0.begin(at: confirmed ?? .max) }
  }
}
