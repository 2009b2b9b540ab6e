// A value that one thread will have and another waits for.

import ReplicaLink

/// Holds a value once it is there.
///
/// `@unchecked Sendable`: the value is guarded by the monitor.
final class Promise<Value: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private var value: Value?

  /// Sets the value and wakes the waiter. Once.
  func fulfil(_ value: Value) {
    monitor.withLock {
      self.value = value
      monitor.broadcast()
    }
  }

  /// The value; nil when it is not there after so many milliseconds.
  func wait(milliseconds: Int64) -> Value? {
    let deadline = Clock.monotonicMilliseconds() + milliseconds
    return monitor.withLock {
      while value == nil, monitor.wait(untilMilliseconds: deadline) {}
      return value
    }
  }
}
