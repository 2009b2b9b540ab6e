// HelpText: the help of the program and of each command, laid out from the table of options.
//
// What a person needs first comes first: what it does, lines to copy, then the options in groups.

/// Lays out the help in 80 columns.
enum HelpText {
  /// The widest line.
  static let columns = 80
  /// Where the description of an option begins.
  private static let descriptionColumn = 30

  /// The version this is.
  static let versionNumber = "0.1.0"
  /// As `--version` prints it.
  static let version = "migr8sync \(versionNumber)\n"

  /// The help of the program.
  static let program: String = {
    var lines = [
      "migr8sync moves part of a live Redis or Valkey to another server",
      "",
      "The application keeps writing all the while: the source sees one more replica,",
      "the destination gets the keys that match and then every write to them, in order.",
      "When both are level, point the application at the destination.",
      "",
      "Try it",
    ]
    for example in Command.sync.examples.prefix(2) {
      lines.append("  \(example.purpose)")
      lines += example.lines.map { "    \($0)" }
    }
    lines += ["", "Commands"]
    let width = Command.all.map(\.name.count).max() ?? 0
    for command in Command.all {
      lines.append("  \(padded(command.name, to: width))  \(command.summary)")
    }
    lines += Self.lines(of: .program)
    return lines.joined(separator: "\n") + "\n"
  }()

  /// The help of a command.
  static func text(of command: Command) -> String {
    var lines = ["migr8sync \(command.name): \(command.summary)", ""]
    lines += command.introduction
    lines += ["", "Usage", "  migr8sync \(command.name) \(command.usage)", "", "Examples"]
    for example in command.examples {
      lines.append("  \(example.purpose)")
      lines += example.lines.map { "    \($0)" }
    }
    for group in command.groups { lines += self.lines(of: group) }
    lines += ["", "A long option takes its value as '--name VALUE' or '--name=VALUE'."]
    lines += ["", "Exit codes"]
    for (code, meaning) in command.exitCodes { lines.append("  \(code.rawValue)  \(meaning)") }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func lines(of group: OptionGroup) -> [String] {
    ["", group.title] + group.options.flatMap { lines(of: $0) }
  }

  private static func lines(of option: CommandOption) -> [String] {
    var words = option.help
    if let standard = option.standard { words += " Default: \(standard)." }
    let indent = String(repeating: " ", count: descriptionColumn)
    let described = wrapped(words, width: columns - descriptionColumn).map { indent + $0 }
    let head = "  " + option.synopsis
    guard head.count + 2 <= descriptionColumn, let first = described.first else {
      return [head] + described
    }
    let joined = padded(head, to: descriptionColumn) + first.dropFirst(descriptionColumn)
    return [joined] + described.dropFirst()
  }

  /// Breaks a text at spaces.
  private static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      if !line.isEmpty { line += " " }
      line += word
    }
    lines.append(line)
    return lines
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
