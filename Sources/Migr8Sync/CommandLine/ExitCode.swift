// ExitCode: what the program's exit status tells a script.

/// The exit statuses; the numbers are part of the program's interface.
enum ExitCode: Int32, Sendable {
  /// Complete and converged: never claimed when it is not so.
  case converged = 0
  /// The run failed on its way.
  case failed = 1
  /// The command line is wrong; nothing was contacted.
  case usage = 2
  /// The two ends differ.
  case differences = 3
  /// Something found before the first write stands against the run; nothing was written.
  case refused = 4
  /// A signal ended the run; what was in flight was finished first.
  case interrupted = 5
  /// Something was begun whose end was not seen: what is there now has to be looked at.
  case unknown = 6
}
