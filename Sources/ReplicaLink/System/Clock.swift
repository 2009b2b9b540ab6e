// The two clocks this package reads, as plain milliseconds: one that never jumps, for timeouts and
// rates, and one that tells the time of day, for what Redis calls absolute expiry times.

import Glibc

/// Readings of the machine's clocks.
public enum Clock {
  /// Milliseconds on a clock that never goes backwards; only differences mean something.
  public static func monotonicMilliseconds() -> Int64 {
    read(CLOCK_MONOTONIC)
  }

  /// The same clock in microseconds, for what is over before a millisecond is.
  public static func monotonicMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  /// Milliseconds that this machine has slept since its start, which the monotonic clock leaves out and
  /// every other machine's does not; only differences mean something.
  public static func sleptMilliseconds() -> Int64 {
    read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC)
  }

  /// Milliseconds since 1970-01-01T00:00Z by this machine's clock.
  public static func wallMilliseconds() -> Int64 {
    read(CLOCK_REALTIME)
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
