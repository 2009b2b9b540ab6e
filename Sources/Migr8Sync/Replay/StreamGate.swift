// How far the replays of a job may go in the stream. Everything that holds the stream up is one number:
// a pause admits nothing, a cutover everything up to its end offset. What a replay has in hand when the
// number is lowered has come from the source before, so it lies in front of any offset that the source
// names afterwards: nobody has to be waited for.

import ReplicaLink
import Synchronization

/// The gate of a run, shared by the replays of all its destinations.
///
/// `@unchecked Sendable`: everything mutable is atomic or guarded by `monitor`.
final class StreamGate: @unchecked Sendable {
  /// What to do with a command.
  enum Verdict {
    case apply
    /// Not now.
    case wait
    /// Never: the run has ended before it.
    case passOver
  }

  /// What a cutover has done to the stream.
  private enum Cut {
    case none
    /// Nothing more, until the end is known.
    case holding
    /// Everything up to the end, and no more for the time being.
    case upTo(UInt64)
    /// The same, and all of it is there: nothing is written any more, unless it is taken back.
    case sealed(UInt64)
    /// Everything up to the end, and never anything behind it.
    case handedOver(UInt64)
    /// The same, and the replays may end.
    case closed(UInt64)
  }

  /// Commands that begin at this or beyond are held up: an offset that a source names lies between two
  /// commands. The one thing that is looked at for every command.
  private let limit = Atomic<UInt64>(.max)
  /// Commands that begin here or behind had waited at the fence, and are carried over.
  let carriedFrom = Atomic<UInt64>(.max)
  private let monitor = Monitor()
  private var cut = Cut.none
  private var isPausing = false

  /// Whether the operator has paused the run.
  var isPaused: Bool { monitor.withLock { isPausing } }

  /// Whether the replays may end, all being done.
  var isClosed: Bool {
    if limit.load(ordering: .relaxed) == .max { return false }
    return monitor.withLock {
      if case .closed = cut { return true }
      return false
    }
  }

  /// Whether the application was handed over: nothing is written any more.
  var isHandedOver: Bool {
    if limit.load(ordering: .relaxed) == .max { return false }
    return monitor.withLock {
      switch cut {
      case .handedOver, .closed: true
      case .none, .holding, .upTo, .sealed: false
      }
    }
  }

  /// Whether a cutover relies on what the destinations hold, or has handed it over: repairs are not written
  /// then, either; nor while what waited is carried over, behind the hand-over.
  var isSealed: Bool {
    if limit.load(ordering: .relaxed) == .max { return false }
    if carriedFrom.load(ordering: .relaxed) != .max { return true }
    return monitor.withLock {
      switch cut {
      case .sealed, .handedOver, .closed: true
      case .none, .holding, .upTo: false
      }
    }
  }

  /// Whether a snapshot has to wait: during a cutover, and for good behind one, it would go over what the
  /// application has written.
  var holdsSnapshots: Bool {
    if limit.load(ordering: .relaxed) == .max { return false }
    return monitor.withLock {
      if case .none = cut { return false }
      return true
    }
  }

  /// What to do with the command that begins behind `start`. Costs next to nothing while nothing is
  /// held up.
  @inline(__always)
  func verdict(on start: UInt64) -> Verdict {
    start < limit.load(ordering: .acquiring) ? .apply : heldVerdict(on: start)
  }

  /// Waits a moment for the gate to move.
  func wait(milliseconds: Int64) {
    monitor.withLock {
      _ = monitor.wait(untilMilliseconds: Clock.monotonicMilliseconds() + milliseconds)
    }
  }

  /// Something was applied, or looked at: for whoever awaits it.
  func note() {
    if limit.load(ordering: .relaxed) == .max { return }
    monitor.withLock { monitor.broadcast() }
  }

  /// Waits until `condition` holds; false when the deadline has passed. The condition must not wait.
  func await(untilMilliseconds deadline: Int64, _ condition: () -> Bool) -> Bool {
    monitor.withLock { awaitLocked(deadline, condition) }
  }

  private func awaitLocked(_ deadline: Int64, _ condition: () -> Bool) -> Bool {
    while !condition() {
      let now = Clock.monotonicMilliseconds()
      if now >= deadline { return false }
      // What moves without a note (a repair that ends) is seen a little later.
      _ = monitor.wait(untilMilliseconds: min(deadline, now + 20))
    }
    return true
  }

  // MARK: - The operator

  func pause(_ isPausing: Bool) {
    change { self.isPausing = isPausing }
  }

  // MARK: - A cutover

  /// Nothing is taken any more, until the end is known.
  func hold() { change { cut = .holding } }

  /// Everything up to `offset` is taken.
  func admit(upTo offset: UInt64) { change { cut = .upTo(offset) } }

  /// Waits until all of that is there, as `condition` tells, and holds it: a session of a replay that begins
  /// behind that moment writes nothing.
  func seal(untilMilliseconds deadline: Int64, when condition: () -> Bool) -> Bool {
    monitor.withLock {
      guard awaitLocked(deadline, condition) else { return false }
      if case .upTo(let end) = cut { cut = .sealed(end) }
      return true
    }
  }

  /// What lies between the end and `offset` is taken, too, and known to be late.
  func carry(upTo offset: UInt64) {
    change {
      guard case .sealed(let end) = cut else { return }
      carriedFrom.store(end, ordering: .relaxed)
      cut = .upTo(offset)
    }
  }

  /// All is as before.
  func open() {
    change {
      carriedFrom.store(.max, ordering: .relaxed)
      cut = .none
    }
  }

  /// What follows the end is never applied any more, only looked at.
  func handOver() {
    change {
      switch cut {
      case .upTo(let offset), .sealed(let offset): cut = .handedOver(offset)
      case .none, .holding, .handedOver, .closed: break
      }
    }
  }

  /// The replays may end.
  func close() {
    change { if case .handedOver(let offset) = cut { cut = .closed(offset) } }
  }

  private func change(_ body: () -> Void) {
    monitor.withLock {
      body()
      let end: UInt64 =
        switch cut {
        case .none: .max
        case .holding: 0
        case .upTo(let offset), .sealed(let offset): offset
        case .handedOver(let offset), .closed(let offset): offset
        }
      limit.store(isPausing ? 0 : end, ordering: .releasing)
      monitor.broadcast()
    }
  }

  private func heldVerdict(on start: UInt64) -> Verdict {
    monitor.withLock {
      if isPausing { return .wait }
      switch cut {
      case .none: return .apply
      case .holding: return .wait
      case .upTo(let offset), .sealed(let offset): return start < offset ? .apply : .wait
      case .handedOver(let offset), .closed(let offset): return start < offset ? .apply : .passOver
      }
    }
  }
}
