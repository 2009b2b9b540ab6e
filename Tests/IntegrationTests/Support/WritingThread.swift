// The thread of an application of the tests: it writes until it is told to stop, and says what went wrong.

import Glibc
import ReplicaLink
import Synchronization

/// Runs a step again and again on a thread of its own.
final class WritingThread: Sendable {
  private let isStopping = Atomic<Bool>(false)
  private let failure = Guarded<String?>(nil)
  private let thread = Guarded<pthread_t?>(nil)

  /// Starts: `prepare` makes the step, on the new thread.
  func start(_ prepare: @escaping @Sendable () throws -> () throws -> Void) {
    thread.withLock {
      $0 = startThread { [self] in
        do {
          let step = try prepare()
          while !isStopping.load(ordering: .relaxed) { try step() }
        } catch {
          failure.withLock { $0 = "\(error)" }
        }
      }
    }
  }

  /// Lets it end soon, without waiting for that.
  func endSoon() {
    isStopping.store(true, ordering: .relaxed)
  }

  /// Stops; everything written so far has been answered.
  func stop() throws {
    endSoon()
    let running = thread.withLock { slot in
      defer { slot = nil }
      return slot
    }
    if let running { pthread_join(running, nil) }
    try throwFailure()
  }

  /// Throws what has gone wrong, if anything has.
  func throwFailure() throws {
    if let message = failure.withLock({ $0 }) { throw TestFailure("the application: \(message)") }
  }
}
