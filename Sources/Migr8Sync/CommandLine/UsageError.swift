// UsageError: why a command line is refused.
//
// A value on the command line may hold a password, also where none belongs (a URL given to the
// wrong option). So no message here ever quotes a value; it names the option and what it takes.

/// What is wrong with the command line and what to do, in one line without a value in it.
struct UsageError: Error, Sendable, Equatable {
  let message: String

  init(_ message: String) {
    self.message = message
  }

  /// An option's value is not what it takes.
  init(_ option: CommandOption, takes expected: String) {
    message = "\(option.longName) takes \(expected)"
  }
}
