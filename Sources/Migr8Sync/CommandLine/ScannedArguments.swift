// ScannedArguments: the words of a command line sorted by option, before any value is looked at; with
// the lines of the file that --config names.
//
// The file counts as if its lines stood on the command line, before the rest: an option that can be
// repeated adds up, of any other the command line has the last word.

/// Which options were given, with their values.
struct ScannedArguments: Sendable {
  let command: Command
  /// The file that was read.
  private(set) var file: ConfigFile?
  /// The command's options, looked up for every line of a long file.
  private let options: [CommandOption]
  private var values: [CommandOption.Name: [OptionValue]] = [:]
  /// The files to read, which words without dashes name, in order: as many as the command needs.
  private(set) var inputs: [String] = []

  /// Sorts `arguments`, the words behind the command's name, and reads the file among them.
  init(_ arguments: ArraySlice<String>, of command: Command) throws(UsageError) {
    self.init(of: command)
    try scan(arguments)
    if case .inputs(let count) = command.operands, inputs.count < count {
      throw UsageError("something is missing: migr8sync \(command.name) \(command.usage)")
    }
    guard let path = values[.config]?.last?.text else { return }
    let file = try ConfigFile.read(path)
    self.file = file
    var fromFile = ScannedArguments(of: command)
    try fromFile.scan(file)
    for (name, inFile) in fromFile.values {
      let given = values[name] ?? []
      values[name] = given.isEmpty || command.option(name).isRepeatable ? inFile + given : given
    }
  }

  private init(of command: Command) {
    self.command = command
    options = command.options
  }

  /// Whether the option was given.
  func has(_ name: CommandOption.Name) -> Bool {
    values[name] != nil
  }

  /// Every value of a repeatable option, in order: the file's first.
  func all(_ name: CommandOption.Name) -> [OptionValue] {
    values[name] ?? []
  }

  /// The value of an option, or the one it has by default.
  func value(_ name: CommandOption.Name) throws(UsageError) -> String? {
    guard let value = values[name]?.last else { return command.option(name).standard }
    guard let text = value.text else {
      throw UsageError("\(command.option(name).longName) is not UTF-8", at: value.origin)
    }
    return text
  }

  /// The value of an option that cannot be without one.
  func required(_ name: CommandOption.Name) throws(UsageError) -> String {
    if let value = try value(name) { return value }
    let option = command.option(name)
    throw UsageError("\(option.longName) is missing; add \(option.shortForm)")
  }

  /// Where the option stands, the last time.
  func origin(of name: CommandOption.Name) -> OptionValue.Origin {
    values[name]?.last?.origin ?? .commandLine
  }

  private mutating func add(
    _ value: OptionValue, to option: CommandOption
  ) throws(UsageError) {
    if let first = values[option.name]?.first, !option.isRepeatable {
      var message = "\(option.longName) is given twice; give it once"
      if case .file(_, let line) = first.origin { message += " (it stands in line \(line), too)" }
      throw UsageError(message, at: value.origin)
    }
    values[option.name, default: []].append(value)
  }
}

// MARK: - The command line

extension ScannedArguments {
  private mutating func scan(_ arguments: ArraySlice<String>) throws(UsageError) {
    var index = arguments.startIndex
    while index < arguments.endIndex {
      let word = arguments[index]
      index += 1
      if !Self.isOption(word), try takeOperand(word) { continue }
      let (name, attached) = Self.split(word)
      guard let option = options.first(where: { $0.isCalled(name) }) else {
        throw Self.unknown(word, name, command)
      }
      guard let valueName = option.value else {
        if attached != nil { throw UsageError("\(option.longName) takes no value") }
        values[option.name] = [OptionValue("")]
        continue
      }
      var value = attached
      if value == nil, index < arguments.endIndex, !Self.isOption(arguments[index]) {
        value = arguments[index]
        index += 1
      }
      guard let value else {
        let hint = "one that begins with '-' is written \(option.longName)=\(valueName)"
        throw UsageError("\(option.longName) needs a value, \(valueName) (\(hint))")
      }
      try add(OptionValue(value), to: option)
    }
  }

  /// Takes a word without dashes; false where the command has no use for it.
  private mutating func takeOperand(_ word: String) throws(UsageError) -> Bool {
    switch command.operands {
    case .none: return false
    case .value(let name): try add(OptionValue(word), to: command.option(name))
    case .inputs(let count):
      guard inputs.count < count else { return false }
      inputs.append(word)
    }
    return true
  }

  /// Whether a word is an option rather than a value. A single dash is the standard input.
  private static func isOption(_ word: String) -> Bool {
    word.hasPrefix("-") && word != "-"
  }

  /// Cuts `--name=value` in two; anything else is a name as a whole.
  private static func split(_ word: String) -> (name: String, value: String?) {
    guard word.hasPrefix("--"), let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")) else {
      return (word, nil)
    }
    return (String(word[..<equals]), String(word[word.utf8.index(after: equals)...]))
  }

  /// Says what is wrong with a word that is no option, without quoting what may be a secret.
  private static func unknown(
    _ word: String, _ name: String, _ command: Command
  ) -> UsageError {
    guard word.hasPrefix("-"), word != "-", word != "--" else {
      let isURL = word.contains("://")
      let urls = command.options.filter { $0.value == "URL" }.map(\.longName)
      let hint =
        isURL
        ? "give a URL with \(urls.joined(separator: " or "))" : "every value follows an option"
      return UsageError("an argument that belongs to no option (not shown here); \(hint)")
    }
    let names = command.options.map(\.longName)
    if !word.hasPrefix("--"), word.count > 2 {
      let nearest = Suggestion.nearest(to: "-" + name, among: names)
      if let nearest { return UsageError("unknown option; did you mean \(nearest)?") }
      let option = command.options.first { $0.short == word.dropFirst().first }
      guard let option else { return UsageError("unknown option") }
      return UsageError("unknown option; did you mean '\(option.shortForm)', each word by itself?")
    }
    let nearest = Suggestion.nearest(to: name, among: names)
    let question = nearest.map { "; did you mean \($0)?" } ?? ""
    return UsageError("unknown option\(UsageError.quoted(name))\(question)")
  }
}

// MARK: - The file

extension ScannedArguments {
  private mutating func scan(_ file: ConfigFile) throws(UsageError) {
    for line in file.lines {
      let origin = OptionValue.Origin.file(file.name, line: line.number)
      let word = String(decoding: line.words[0], as: UTF8.self)
      guard let option = options.first(where: { $0.name.rawValue == word }) else {
        // One file serves all commands: what another one takes is its business.
        if Command.all.contains(where: { $0.options.contains { $0.name.rawValue == word } }) {
          continue
        }
        throw Self.unknown(word, at: origin)
      }
      guard option.belongsInFile else {
        throw UsageError("\(option.name.rawValue) belongs on the command line", at: origin)
      }
      if let value = try Self.value(of: option, line.words.dropFirst(), origin) {
        try add(value, to: option)
      }
    }
  }

  /// The value on a line; nil where it switches an option off.
  private static func value(
    of option: CommandOption, _ words: ArraySlice<[UInt8]>, _ origin: OptionValue.Origin
  ) throws(UsageError) -> OptionValue? {
    let name = option.name.rawValue
    guard words.count < 2 else {
      throw UsageError(
        "\(name) takes one value: put quotes around one with spaces, and a comment on a line of its"
          + " own", at: origin)
    }
    if let valueName = option.value {
      guard let word = words.first else {
        throw UsageError("\(name) needs a value, \(valueName)", at: origin)
      }
      return OptionValue(word, origin)
    }
    switch words.first.map({ String(decoding: $0, as: UTF8.self) }) {
    case nil, "yes": return OptionValue([], origin)
    case "no": return nil
    default: throw UsageError("\(name) takes yes or no", at: origin)
    }
  }

  private static func unknown(_ word: String, at origin: OptionValue.Origin) -> UsageError {
    let names = Set(Command.all.flatMap { $0.options.map(\.name.rawValue) }).sorted()
    if word.hasPrefix("-") {
      return UsageError("an option stands without its dashes in a file", at: origin)
    }
    let nearest = Suggestion.nearest(to: word, among: names)
    let question = nearest.map { "; did you mean \($0)?" } ?? ""
    return UsageError("unknown option\(UsageError.quoted(word))\(question)", at: origin)
  }
}

extension UsageError {
  /// A space and the word in quotes where it looks like the name of an option or a command;
  /// nothing where it may be something else.
  static func quoted(_ word: String) -> String {
    let isName = word.utf8.allSatisfy { byte in
      byte == UInt8(ascii: "-") || (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z"))
    }
    return isName && word.utf8.count <= 24 ? " '\(word)'" : ""
  }
}
