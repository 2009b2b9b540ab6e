// The commands that read RDB files, and their options.

extension Command {
  static let extract = Command(
    name: "extract",
    summary: "filter, convert or split an RDB file; load it into a server",
    usage: "FILE|- [-p PREFIX ...] [-o FILE | -d URL] [options]",
    introduction: [
      "FILE is an RDB file, an AOF that begins with one, the folder of a multi-part",
      "AOF (appendonlydir), or - for the standard input. Any size, in little memory.",
    ],
    examples: [
      Example(
        purpose: "The keys under bump: as an RDB file that a server can load:",
        lines: ["migr8sync extract dump.rdb -p bump: -o bump.rdb"]),
      Example(
        purpose: "From another machine straight into a server:",
        lines: [
          "ssh old cat dump.rdb | migr8sync extract - -p bump: -d redis://new:6379"
        ]),
      Example(
        purpose: "Look into it:",
        lines: ["migr8sync extract dump.rdb --type hash --format jsonl | jq .key"]),
      Example(
        purpose: "One file for each prefix, in one pass:",
        lines: ["migr8sync extract dump.rdb -p bump: -p cart: --split-by-rule -o parts"]),
    ],
    groups: [
      .extractOutput, .entries, .fileNames, .extractServer, .destinationTLS, .fileView,
    ],
    operands: .inputs(1),
    exitCodes: [
      (.converged, "done; every output is complete"),
      (.failed, "failed, or damaged; with --keep-going the outputs have what stood before"),
      (.usage, "the command line is wrong"),
      (.refused, "the server holds such keys, or takes none; nothing was written"),
      (.interrupted, "stopped by SIGINT or SIGTERM; no output file was left"),
    ],
    read: { arguments, environment throws(UsageError) in
      .extract(try ExtractOptions(arguments, environment: environment))
    })

  static let diff = Command(
    name: "diff",
    summary: "what is in one RDB file and not, or otherwise, in another",
    usage: "OLD NEW [-p PREFIX ...] [options]",
    introduction: [
      "Keys that were added (+), removed (-) and changed (~ with type, value or ttl).",
      "Compared by what values mean, so that versions and encodings do not matter.",
    ],
    examples: [
      Example(
        purpose: "What changed under bump: between two backups:",
        lines: ["migr8sync diff monday.rdb tuesday.rdb -p bump:"])
    ],
    groups: [.entries, .diffOutput],
    operands: .inputs(2),
    exitCodes: [
      (.converged, "both hold the same"),
      (.failed, "one of them could not be read"),
      (.usage, "the command line is wrong"),
      (.differences, "they differ"),
      (.interrupted, "stopped by SIGINT or SIGTERM"),
    ],
    read: { arguments, environment throws(UsageError) in
      .diff(try DiffOptions(arguments, environment: environment))
    })

  static let analyze = Command(
    name: "analyze",
    summary: "which prefixes of a server or an RDB file hold the memory",
    usage: "FILE|-|URL [--html FILE] [options]",
    introduction: [
      "Finds the prefixes by itself, and says of each how many keys it has, how many",
      "bytes in the file, and how many in a server's memory (an estimate). Of a server",
      "it takes one snapshot, as a replica, and leaves; or a sample of its keys.",
    ],
    examples: [
      Example(purpose: "On the terminal:", lines: ["migr8sync analyze dump.rdb"]),
      Example(
        purpose: "As a page to click through, and for a program:",
        lines: ["migr8sync analyze dump.rdb --html report.html --json > report.json"]),
      Example(
        purpose: "A server that is in use:", lines: ["migr8sync analyze redis://old:6379"]),
      Example(
        purpose: "The same quickly and roughly, without a snapshot:",
        lines: ["migr8sync analyze redis://old:6379 --via scan"]),
    ],
    groups: [.analysis, .entries, .analyzedServer, .sourceTLS, .resources, .fileView],
    operands: .value(of: .source),
    exitCodes: [
      (.converged, "done"),
      (.failed, "the file or the server could not be read to the end"),
      (.usage, "the command line is wrong"),
      (.refused, "the server cannot be attached to now, for the reason given"),
      (.interrupted, "stopped by SIGINT or SIGTERM"),
    ],
    read: { arguments, environment throws(UsageError) in
      .analyze(try AnalyzeOptions(arguments, environment: environment))
    })
}

extension OptionGroup {
  static let extractOutput = OptionGroup(
    title: "What is written",
    options: [
      CommandOption(
        name: .format, value: "FORMAT", standard: "rdb",
        help:
          "rdb: an RDB file. resp: commands for redis-cli --pipe. jsonl: a JSON object on a line "
          + "for each key; json: an array of them. csv: key, type, expiry and sizes. keys: the names. "
          + "count: how many."),
      CommandOption(
        name: .output, short: "o", value: "FILE",
        help: "Where to; it appears when it is complete. Default: the standard output."),
      CommandOption(
        name: .targetVersion, value: "VERSION",
        help: "The server that it is for: 6.2, 7.4, valkey-8.1. Default: the version of the file."),
      CommandOption(
        name: .onUnsupported, value: "WHAT", standard: "stop",
        help: "What to do with a value that this server does not know and that cannot be said "
          + "otherwise: stop or skip."),
      CommandOption(
        name: .restore, help: "With resp: values as RESTORE, which is shorter and faster."),
      CommandOption(
        name: .route, value: "PREFIX=FILE", isRepeatable: true,
        help: "Write the keys that begin with these bytes to this file; the longest prefix that "
          + "fits has the key, and an empty one (=FILE) the rest. In place of --output and the "
          + "rules that let keys in."),
      CommandOption(
        name: .splitByRule,
        help: "Write a file for each --prefix, into the folder that --output names."),
      keepGoing,
    ])

  /// The rules of sync that make sense for a file, and those that only a file can be asked.
  static let entries = OptionGroup(
    title: "Which keys (as in sync; expired ones, too)",
    options: keys.options.filter { ![.publish, .onUnknown, .type].contains($0.name) } + [
      CommandOption(
        name: .type, value: "TYPE", isRepeatable: true,
        help:
          "Only values of this type: string, list, set, zset, hash, stream, module or array. May be "
          + "repeated, or a list."),
      CommandOption(
        name: .sizeMinimum, value: "SIZE",
        help: "Only keys that take at least so much of the file, such as 10kb."),
      CommandOption(
        name: .sizeMaximum, value: "SIZE", help: "Only keys that take at most so much."),
      CommandOption(
        name: .ttl, value: "WHAT", help: "Only keys that expire (any) or do not (none)."),
      CommandOption(
        name: .expired, value: "WHAT", standard: "keep",
        help: "Keys whose time has come: keep them as any other, drop them, or only them."),
    ])

  static let fileNames = OptionGroup(
    title: "What they are called",
    options: places.options.filter { $0.name != .route })

  static let extractServer = OptionGroup(
    title: "Into a server, in place of files",
    options: [
      CommandOption(
        name: .destination, short: "d", value: "URL",
        help: "Write the keys to this server. With a db, the one db of --db goes there."),
      destinationPasswordFile,
      CommandOption(
        name: .onConflict, value: "WHAT", standard: "fail",
        help: "fail: refuse to begin when the server holds matching keys. replace: overwrite "
          + "them. skip: leave them alone."),
      workers,
      CommandOption(
        name: .maximumRate, value: "RATE",
        help: "Write no more than this: keys a second, bytes a second with a unit, or both: 5000, "
          + "10mb or 5000,10mb."),
      connectTimeout,
      CommandOption(
        name: .ioTimeout, value: "TIME", standard: "60s",
        help: "How long the server may be silent, away or out of memory before the run fails."),
    ])

  static let fileView = OptionGroup(title: "Output and options from a file", options: view)

  static let diffOutput = OptionGroup(
    title: "Output and options from a file",
    options: [
      CommandOption(name: .json, help: "An object on a line for each difference.")
    ] + view)

  static let analysis = OptionGroup(
    title: "The report",
    options: [
      CommandOption(name: .json, help: "One JSON object in place of the tables."),
      CommandOption(
        name: .html, value: "FILE",
        help: "Write a page, too, that needs no network: a map of the memory, charts, tables."),
      CommandOption(
        name: .separator, value: "CHARACTERS",
        help: "What separates the parts of a key. Default: found out from the keys."),
      keepGoing,
    ])

  static let analyzedServer = OptionGroup(
    title: "The server",
    options: [
      CommandOption(
        name: .source, short: "s", value: "FILE|URL",
        help: "What to look into, also without this option's name. With a db in the URL, only that "
          + "db."),
      CommandOption(
        name: .via, value: "WAY", standard: "psync",
        help:
          "psync: all keys, from a snapshot. scan: a sample of them, with SCAN, MEMORY USAGE and "
          + "DUMP; all numbers are then estimates."),
      CommandOption(
        name: .sample, value: "N", standard: "10000", help: "How many keys a sample has."),
    ]
      + servers.options.filter {
        [.sourcePasswordFile, .preferReplica, .psyncCommand, .oneChannel].contains($0.name)
      })

  private static let keepGoing = CommandOption(
    name: .keepGoing,
    help: "Where the file is damaged or ends too early, complete the output with what stood before."
  )

  private static let view: [CommandOption] = [
    logFormat,
    CommandOption(name: .quiet, short: "q", help: "Write errors only."),
    CommandOption(name: .noProgress, help: "No display of the progress."),
    config, help,
  ]
}
