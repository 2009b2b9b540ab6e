// What holds the writing of a run back: the operator's limit on its rate, and a pause. Loaders and lane
// ask before they hand a batch over; nothing is locked while they wait.

import ReplicaLink

/// The brake of a run, shared by the replays of all its destinations.
///
/// `@unchecked Sendable`: everything mutable is guarded by `monitor`.
final class Pacer: @unchecked Sendable {
  /// How long a wait may last before the waiter looks after its run again, in milliseconds.
  private static let patienceMilliseconds: Int64 = 100

  private let monitor = Monitor()
  private var rate: RateLimit
  private var commands: TokenBucket?
  private var bytes: TokenBucket?
  private var isLifted = false

  init(_ limit: RateLimit) {
    rate = limit
    fill()
  }

  /// The limit in force.
  var limit: RateLimit { monitor.withLock { rate } }

  /// Whether there is none.
  private var isFree: Bool { commands == nil && bytes == nil }

  /// Another limit from now on.
  func set(_ limit: RateLimit) {
    monitor.withLock {
      rate = limit
      fill()
      monitor.broadcast()
    }
  }

  /// Suspends the limit while a cutover drains, and puts it back.
  func lift(_ isLifted: Bool) {
    monitor.withLock {
      self.isLifted = isLifted
      monitor.broadcast()
    }
  }

  /// Waits until so much may be written.
  ///
  /// - Parameter check: throws when the run is over; called now and then.
  func pace(
    commands commandCount: Int, bytes byteCount: Int,
    _ check: () throws(ReplayError) -> Void
  ) throws(ReplayError) {
    while true {
      let isDone = monitor.withLock {
        if isFree { return true }
        let now = Clock.monotonicMilliseconds()
        let delay = max(
          commands?.delay(nowMilliseconds: now) ?? 0, bytes?.delay(nowMilliseconds: now) ?? 0)
        if delay == 0 || isLifted {
          commands?.take(commandCount)
          bytes?.take(byteCount)
          return true
        }
        _ = monitor.wait(untilMilliseconds: now + min(delay, Self.patienceMilliseconds))
        return false
      }
      if isDone { return }
      try check()
    }
  }

  private func fill() {
    let now = Clock.monotonicMilliseconds()
    commands = rate.commandsPerSecond.map { TokenBucket(perSecond: $0, nowMilliseconds: now) }
    bytes = rate.bytesPerSecond.map { TokenBucket(perSecond: $0, nowMilliseconds: now) }
  }
}
