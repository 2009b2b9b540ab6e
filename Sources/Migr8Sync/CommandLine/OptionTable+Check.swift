// The command that looks before a run, and its options.

extension Command {
  static let check = Command(
    name: "check",
    summary: "look for everything that could stop or spoil a sync",
    usage: "-s URL -d URL [-p PREFIX ...] [options] | --rdb FILE -d URL",
    introduction: [
      "Asks both servers and prints a table: what was looked at, what was found, what",
      "to do. Changes nothing. A sample of the source's keys is read, in small steps.",
    ],
    examples: [
      Example(
        purpose: "Before a split:",
        lines: ["migr8sync check -s redis://old:6379 -d redis://new:6379 -p bump:"]),
      Example(
        purpose: "Whether a server can take what stands in a file:",
        lines: ["migr8sync check --rdb dump.rdb -d redis://new:6379"]),
    ],
    groups: [.comparedServers, .tls, .comparedKeys, .comparedPlaces, .checking, .checkOutput],
    exitCodes: [
      (.converged, "nothing stands against the run; warnings may be worth reading"),
      (.failed, "the file of --rdb cannot be read"),
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
      CommandOption(
        name: .rdb, value: "FILE",
        help:
          "Look at what stands in this RDB file: all of its keys that match, their types of value and "
          + "what the destination can take of them. --source may be left out."),
      via, onConflict, spoolDirectory, connectTimeout, ioTimeout,
    ])

  static let checkOutput = OptionGroup(
    title: "Output and options from a file",
    options: [
      CommandOption(name: .json, help: "Write the rows as JSON, an object on a line."), config,
      help,
    ])
}
