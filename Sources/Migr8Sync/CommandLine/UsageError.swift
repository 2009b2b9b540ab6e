// UsageError: why a command line is refused.
//
// A value on the command line may hold a password, also where none belongs (a URL given to the
// wrong option). So no message here ever quotes a value; it names the option and what it takes.

/// What is wrong with the command line and what to do, in one line without a value in it.
struct UsageError: Error, Sendable, Equatable {
  let message: String
  /// Where the option stands that is wrong.
  var origin = OptionValue.Origin.commandLine

  init(_ message: String, at origin: OptionValue.Origin = .commandLine) {
    self.message = message
    self.origin = origin
  }

  /// An option's value is not what it takes.
  init(
    _ option: CommandOption, takes expected: String,
    at origin: OptionValue.Origin = .commandLine
  ) {
    self.init("\(option.longName) takes \(expected)", at: origin)
  }

  /// The whole line: behind the file and the line in it, where the option stands in one.
  var line: String {
    guard case .file(let name, let number) = origin else { return message }
    return "\(name):\(number): \(message)"
  }
}
