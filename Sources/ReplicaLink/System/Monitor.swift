// A lock with a condition to wait for. The Synchronization library has the lock but not the
// condition, and every queue between two threads needs both.

import Glibc

/// A mutex with one condition variable, timed by the monotonic clock.
///
/// State that it protects lives beside it, in the type that owns it.
///
/// `@unchecked Sendable`: the two pthread objects never move after `init`, are only reached through
/// the pthread calls, and are destroyed when the last reference goes.
public final class Monitor: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  /// Makes an unlocked monitor.
  public init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    condition = .allocate(capacity: 1)
    condition.initialize(to: pthread_cond_t())
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs `body` while holding the lock. Not reentrant.
  public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Waits for a signal. The lock must be held; it is free during the wait and held again after.
  /// Wakes may be spurious: the caller tests its condition in a loop.
  public func wait() {
    pthread_cond_wait(condition, mutex)
  }

  /// As `wait()`, but no longer than until `deadline` on `Clock.monotonicMilliseconds()`.
  ///
  /// - Returns: false when the deadline has passed.
  public func wait(untilMilliseconds deadline: Int64) -> Bool {
    var time = timespec(
      tv_sec: Int(deadline / 1000), tv_nsec: Int(deadline % 1000) * 1_000_000)
    return pthread_cond_timedwait(condition, mutex, &time) != ETIMEDOUT
  }

  /// Wakes one waiter.
  public func signal() {
    pthread_cond_signal(condition)
  }

  /// Wakes every waiter.
  public func broadcast() {
    pthread_cond_broadcast(condition)
  }
}
