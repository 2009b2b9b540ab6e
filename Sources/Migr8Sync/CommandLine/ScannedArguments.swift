// ScannedArguments: the words of a command line sorted by option, before any value is looked at.

/// Which options were given, with their values as text.
struct ScannedArguments: Sendable {
  let command: Command
  private var values: [CommandOption.Name: [String]] = [:]

  /// Sorts `arguments`, the words behind the command's name.
  init(_ arguments: ArraySlice<String>, of command: Command) throws(UsageError) {
    self.command = command
    var index = arguments.startIndex
    while index < arguments.endIndex {
      let word = arguments[index]
      index += 1
      let (name, attached) = Self.split(word)
      guard let option = command.options.first(where: { $0.isCalled(name) }) else {
        throw Self.unknown(word, name, command)
      }
      guard let valueName = option.value else {
        if attached != nil { throw UsageError("\(option.longName) takes no value") }
        values[option.name] = [""]
        continue
      }
      var value = attached
      if value == nil, index < arguments.endIndex, !arguments[index].hasPrefix("-") {
        value = arguments[index]
        index += 1
      }
      guard let value else {
        let hint = "one that begins with '-' is written \(option.longName)=\(valueName)"
        throw UsageError("\(option.longName) needs a value, \(valueName) (\(hint))")
      }
      if values[option.name] != nil, !option.isRepeatable {
        throw UsageError("\(option.longName) is given twice; give it once")
      }
      values[option.name, default: []].append(value)
    }
  }

  /// Whether the option was given.
  func has(_ name: CommandOption.Name) -> Bool {
    values[name] != nil
  }

  /// Every value of a repeatable option, in order.
  func all(_ name: CommandOption.Name) -> [String] {
    values[name] ?? []
  }

  /// The value of an option, or the one it has by default.
  func value(_ name: CommandOption.Name) -> String? {
    values[name]?.last ?? command.option(name).standard
  }

  /// The value of an option that cannot be without one.
  func required(_ name: CommandOption.Name) throws(UsageError) -> String {
    if let value = value(name) { return value }
    let option = command.option(name)
    throw UsageError("\(option.longName) is missing; add \(option.shortForm)")
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
      let hint = isURL ? "give a URL with --source or --dest" : "every value follows an option"
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

extension CommandOption {
  /// Whether `word`, with its dashes, is one of the option's names.
  fileprivate func isCalled(_ word: String) -> Bool {
    word == longName || short.map { word == "-\($0)" } ?? false
  }
}
