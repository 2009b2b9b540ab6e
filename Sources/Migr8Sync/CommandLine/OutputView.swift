// OutputView: how much a command says of itself, and in which form.

/// What the program writes to stderr.
enum LogFormat: String, CaseIterable, Sendable {
  /// For a person.
  case text
  /// One JSON object a line, for a program.
  case json
}

/// How a run is shown.
struct OutputView: Sendable {
  /// The form of what goes to stderr.
  var logFormat = LogFormat.text
  /// Whether only errors are written.
  var isQuiet = false
  /// Whether the progress of the run is shown.
  var showsProgress = true
}

extension OutputView {
  /// Reads how a command is to be shown.
  init(_ reader: OptionReader) throws(UsageError) {
    logFormat = try reader.choice(.logFormat)
    isQuiet = reader.arguments.has(.quiet)
    showsProgress = ![.quiet, .noProgress, .explain].contains { reader.arguments.has($0) }
  }
}
