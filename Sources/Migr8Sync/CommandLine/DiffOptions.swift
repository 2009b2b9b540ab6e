// DiffOptions: everything `migr8sync diff` was told.

/// The options of one `diff`.
struct DiffOptions: Sendable {
  /// The older file and the newer one.
  var inputs: (old: String, new: String)
  var rules: EntryRules
  /// Whether each difference is an object on a line.
  var writesJSON: Bool
  var view: OutputView

  /// Reads the options of `diff`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    inputs = (arguments.inputs[0], arguments.inputs[1])
    if inputs.old == "-", inputs.new == "-" {
      throw UsageError("only one of the two can be the standard input")
    }
    rules = try reader.entryRules(included: try reader.includedRules())
    try reader.checkExcluded(rules.filter)
    writesJSON = arguments.has(.json)
    view = try OutputView(reader)
  }
}
