// The command that looks before a run, and its options.

extension Command {
  static let check = Command(
    name: "check",
    summary: "look for everything that could stop or spoil a sync",
    usage: "-s URL -d URL [-p PREFIX ...] [options]",
    introduction: [
      "Asks both servers and prints a table: what was looked at, what was found, what",
      "to do. Changes nothing. A sample of the source's keys is read, in small steps.",
    ],
    examples: [
      Example(
        purpose: "Before a split:",
        lines: ["migr8sync check -s redis://old:6379 -d redis://new:6379 -p bump:"])
    ],
    groups: [.comparedServers, .tls, .comparedKeys, .comparedPlaces, .checking, .checkOutput],
    exitCodes: [
      (.converged, "nothing stands against the run; warnings may be worth reading"),
      (.usage, "the command line is wrong"),
      (.refused, "something would stop or spoil the run; the table says what to do"),
    ],
    read: { arguments, environment throws(UsageError) in
      .check(try CheckOptions(arguments, environment: environment))
    })
}

extension OptionGroup {
  static let checking = OptionGroup(
    title: "As the sync would be told",
    options: [
      via, onConflict, spoolDirectory, connectTimeout, ioTimeout,
    ])

  static let checkOutput = OptionGroup(
    title: "Output and options from a file",
    options: [
      CommandOption(name: .json, help: "Write the rows as JSON, an object on a line."), config,
      help,
    ])
}
