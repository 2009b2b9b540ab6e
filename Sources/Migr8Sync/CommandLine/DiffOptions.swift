// DiffOptions and AnalyzeOptions: everything `migr8sync diff` and `migr8sync analyze` were told.

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

/// The options of one `analyze`.
struct AnalyzeOptions: Sendable {
  /// The file to read.
  var input: String
  var rules: EntryRules
  /// What separates the parts of a key; nil to find out.
  var separators: [UInt8]?
  /// Whether the report is one JSON object.
  var writesJSON: Bool
  /// Where the page goes; nil for none.
  var page: String?
  /// Whether what stands before damage is reported.
  var keepsGoing: Bool
  var view: OutputView

  /// Reads the options of `analyze`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    input = arguments.inputs[0]
    rules = try reader.entryRules(included: try reader.includedRules())
    try reader.checkExcluded(rules.filter)
    if arguments.has(.separator) {
      let bytes = Array(try arguments.required(.separator).utf8)
      guard !bytes.isEmpty, bytes.allSatisfy({ $0 < 0x80 }) else {
        throw reader.wrong(.separator, takes: "one or several ASCII characters, such as : or :/")
      }
      separators = bytes
    }
    writesJSON = arguments.has(.json)
    page = try reader.path(.html)
    keepsGoing = arguments.has(.keepGoing)
    view = try OutputView(reader)
  }
}
