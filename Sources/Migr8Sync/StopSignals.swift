// SIGINT and SIGTERM: the first asks the run to finish what it has begun, the second ends the
// process at once.

import Glibc
import ReplicaLink

/// Takes the process's stop signals on a thread of their own.
///
/// `@unchecked Sendable`: `action` is guarded by `monitor`.
final class StopSignals: @unchecked Sendable {
  private let monitor = Monitor()
  private var action: (@Sendable () -> Void)?
  /// Whether the first has come.
  private var isStopping = false

  /// Blocks the signals for this thread and all threads it starts from now on, and watches them.
  /// Call it before any other thread exists.
  func install() {
    // A closed pipe is an error of the write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let watched = signals
    _ = NamedThread("signals") { [self] in
      var watched = watched
      var number: Int32 = 0
      sigwait(&watched, &number)
      let action = monitor.withLock {
        isStopping = true
        return self.action
      }
      guard let action else {
        StandardError.write("migr8sync: interrupted before anything was moved\n")
        _exit(ExitCode.interrupted.rawValue)
      }
      action()
      sigwait(&watched, &number)
      _exit(ExitCode.interrupted.rawValue)
    }
  }

  /// What the first signal does; without an action it ends the process. Where it has come already, what is
  /// to be stopped now in place of what was is stopped at once.
  func onStop(_ body: @escaping @Sendable () -> Void) {
    let isLate = monitor.withLock {
      action = body
      return isStopping
    }
    if isLate { body() }
  }
}
