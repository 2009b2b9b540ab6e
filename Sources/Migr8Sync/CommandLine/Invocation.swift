// Invocation: what a command line asks for. The first thing the program makes.

/// One reading of the command line.
enum Invocation: Sendable {
  /// Print this text on stdout and end.
  case help(String)
  /// Print this text on stdout and end.
  case version(String)
  /// Run `sync`.
  case sync(SyncOptions)
  /// Run `jobs`.
  case jobs(JobsOptions)
  /// Run `status`.
  case status(StatusOptions)
  /// Run `tell`.
  case tell(TellOptions)
  /// Run `cutover`.
  case cutover(CutoverOptions)
  /// Run `verify`.
  case verify(VerifyOptions)
  /// Ask a running job to compare its ends.
  case verifyJob(VerifyJobOptions)
  /// Run `delete`.
  case delete(DeleteOptions)
  /// Run `check`.
  case check(CheckOptions)
  /// Run `extract`.
  case extract(ExtractOptions)
  /// Run `diff`.
  case diff(DiffOptions)
  /// Run `analyze`.
  case analyze(AnalyzeOptions)
  /// Print this line on stderr and exit with `ExitCode.usage`. It holds no value of an option.
  case usageError(String)

  /// Reads a command line.
  ///
  /// - Parameters:
  ///   - arguments: The words behind the program's own name.
  ///   - environment: Looks a variable up.
  static func parse(arguments: [String], environment: @escaping (String) -> String?) -> Invocation {
    guard let first = arguments.first else { return .help(HelpText.program) }
    if first == "help" {
      guard arguments.count > 1 else { return .help(HelpText.program) }
      guard let command = Command.all.first(where: { $0.name == arguments[1] }) else {
        return unknownCommand(arguments[1])
      }
      return .help(HelpText.text(of: command))
    }
    if let option = OptionGroup.program.options.first(where: { $0.isCalled(first) }) {
      return option.name == .version ? .version(HelpText.version) : .help(HelpText.program)
    }
    guard let command = Command.all.first(where: { $0.name == first }) else {
      return unknownCommand(first)
    }
    // No option takes a word that begins with '-' as its value, so this is never one.
    if arguments.contains("--help") || arguments.contains("-h") {
      return .help(HelpText.text(of: command))
    }
    do throws(UsageError) {
      let scanned = try ScannedArguments(arguments.dropFirst(), of: command)
      return try command.read(scanned, environment)
    } catch {
      return .usageError(
        "migr8sync \(command.name): \(error.line) (see 'migr8sync \(command.name) --help')")
    }
  }

  private static func unknownCommand(_ word: String) -> Invocation {
    let commands = Command.all.map(\.name)
    let help = "(see 'migr8sync --help')"
    guard word.hasPrefix("-") else {
      let nearest = Suggestion.nearest(to: word, among: commands)
      let question = nearest.map { "; did you mean '\($0)'?" } ?? ""
      return .usageError("migr8sync: unknown command\(UsageError.quoted(word))\(question) \(help)")
    }
    let options = OptionGroup.program.options.map(\.longName)
    if let nearest = Suggestion.nearest(to: word, among: options) {
      return .usageError("migr8sync: unknown option; did you mean \(nearest)? \(help)")
    }
    let choice = commands.joined(separator: "|")
    return .usageError(
      "migr8sync: the command comes first: migr8sync \(choice) [options] \(help)")
  }
}
