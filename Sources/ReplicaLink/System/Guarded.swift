// A value that one thread at a time can reach. A Monitor guards what lies beside it and can be waited on;
// this is for a value by itself.
//
// Not Mutex of the Synchronization library: under contention that one takes and leaves its lock inside the
// library, where the thread sanitizer does not see it (6.3 on Linux), so that it reports races that are none.

/// A value behind a lock.
///
/// `@unchecked Sendable`: the value is only reached while `monitor` is held.
public final class Guarded<Value: Sendable>: @unchecked Sendable {
  private let monitor = Monitor()
  private var value: Value

  /// Guards `value`.
  public init(_ value: Value) {
    self.value = value
  }

  /// Runs `body` on the value while holding the lock. Not reentrant.
  public func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
    try monitor.withLock { () throws(E) in try body(&value) }
  }
}
