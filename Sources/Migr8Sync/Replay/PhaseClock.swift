// Which phase a run is in, and how long it has spent in each.

import ReplicaLink

/// A clock that is told of each change of phase.
///
/// `@unchecked Sendable`: `state` is guarded by `monitor`.
final class PhaseClock: @unchecked Sendable {
  private struct State {
    var phase = ProgressSnapshot.Phase.connecting
    var since = Clock.monotonicMilliseconds()
    var spent: [ProgressSnapshot.Phase: Int64] = [:]
  }

  private let begun = Clock.monotonicMilliseconds()
  private let monitor = Monitor()
  private var state = State()

  /// The next phase begins now.
  func enter(_ phase: ProgressSnapshot.Phase) {
    monitor.withLock {
      let now = Clock.monotonicMilliseconds()
      state.spent[state.phase, default: 0] += now - state.since
      state.phase = phase
      state.since = now
    }
  }

  /// The present phase, the time in each so far, and the time since the beginning, in milliseconds.
  func reading() -> (
    phase: ProgressSnapshot.Phase, spent: [ProgressSnapshot.Phase: Int64], elapsed: Int64
  ) {
    let now = Clock.monotonicMilliseconds()
    return monitor.withLock {
      var spent = state.spent
      spent[state.phase, default: 0] += now - state.since
      return (state.phase, spent, now - begun)
    }
  }
}
