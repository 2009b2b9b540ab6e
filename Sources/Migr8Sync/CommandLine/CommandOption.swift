// CommandOption: the one description of an option, from which the parser, the help, the
// suggestions and the documentation are made. The options themselves are in OptionTable.swift.

/// An option of a command.
struct CommandOption: Sendable {
  /// The options by the name they have after the two dashes.
  enum Name: String, Sendable {
    case source
    case destination = "dest"
    case sourcePasswordFile = "source-password-file"
    case destinationPasswordFile = "dest-password-file"
    case tlsAuthorities = "tls-ca"
    case tlsCertificate = "tls-cert"
    case tlsKey = "tls-key"
    case tlsServerName = "tls-sni"
    case tlsInsecure = "tls-insecure"
    case sourceTLSAuthorities = "source-tls-ca"
    case sourceTLSCertificate = "source-tls-cert"
    case sourceTLSKey = "source-tls-key"
    case sourceTLSServerName = "source-tls-sni"
    case sourceTLSInsecure = "source-tls-insecure"
    case destinationTLSAuthorities = "dest-tls-ca"
    case destinationTLSCertificate = "dest-tls-cert"
    case destinationTLSKey = "dest-tls-key"
    case destinationTLSServerName = "dest-tls-sni"
    case destinationTLSInsecure = "dest-tls-insecure"
    case preferReplica = "prefer-replica"
    case via
    case rdb
    case prefix
    case match
    case regex
    case excludedPrefix = "exclude-prefix"
    case excludedMatch = "exclude-match"
    case excludedRegex = "exclude-regex"
    case database = "db"
    case type
    case route
    case rewrite
    case databaseMap = "db-map"
    case onConflict = "on-conflict"
    case clearDestination = "clear-dest"
    case yes
    case onUnknown = "on-unknown"
    case publish
    case explain
    case job
    case takeOver = "takeover"
    case dryRun = "dry-run"
    case once
    case workers
    case maximumRate = "max-rate"
    case notHandedOver = "not-handed-over"
    case handedOver = "handed-over"
    case reverseSnapshot = "reverse-snapshot"
    case queueMemory = "queue-memory"
    case spoolDirectory = "spool-dir"
    case spoolMaximum = "spool-max"
    case connectTimeout = "connect-timeout"
    case ioTimeout = "io-timeout"
    case psyncCommand = "psync-command"
    case oneChannel = "one-channel"
    case logFormat = "log-format"
    case quiet
    case noProgress = "no-progress"
    case forget
    case json
    case watch
    case pause
    case resume
    case stop
    case maximumLag = "max-lag"
    case skipVerify = "skip-verify"
    case acceptSkipped = "accept-skipped"
    case reverse
    case back
    case complete
    case fence
    case fenceTime = "fence-time"
    case queued
    case checkTime = "check-time"
    case observeTime = "observe-time"
    case linger
    case hookTimeout = "hook-timeout"
    case postponeFile = "postpone-file"
    case onReady = "on-ready"
    case onFence = "on-fence"
    case onCutover = "on-cutover"
    case onLift = "on-lift"
    case onFailed = "on-failed"
    case onDone = "on-done"
    case sample
    case quick
    case fix
    case settle
    case ttlTolerance = "ttl-tolerance"
    case from
    case noVerify = "no-verify"
    case unrelatedJob = "unrelated-job"
    case maxLatency = "max-latency"
    case force
    case format
    case output
    case targetVersion = "target-version"
    case keepGoing = "keep-going"
    case sizeMinimum = "min-size"
    case sizeMaximum = "max-size"
    case ttl
    case expired
    case onUnsupported = "on-unsupported"
    case restore
    case splitByRule = "split-by-rule"
    case separator
    case html
    case config
    case help
    case version
  }

  var name: Name
  /// The letter after a single dash.
  var short: Character?
  /// What the help calls its value; `nil` for an option without one.
  var value: String?
  var isRepeatable = false
  /// The value it has when it is not given, written as the operator would write it.
  var standard: String?
  /// The same option for one side only. The help tells of these in the title of the group.
  var oneSided: [Name] = []
  /// What it does, for the help; may be longer than a line.
  let help: String

  /// The name with its dashes.
  var longName: String { "--" + name.rawValue }

  /// Whether it can stand in a file of options.
  var belongsInFile: Bool {
    switch name {
    case .config, .help, .version: false
    default: true
    }
  }

  /// Whether `word`, with its dashes, is one of the option's names.
  func isCalled(_ word: String) -> Bool {
    word == longName || short.map { word == "-\($0)" } ?? false
  }

  /// The shortest way to write it: `-p PREFIX`.
  var shortForm: String {
    (short.map { "-\($0)" } ?? longName) + (value.map { " " + $0 } ?? "")
  }

  /// The head of its line in the help: `-p, --prefix PREFIX`.
  var synopsis: String {
    let letter = short.map { "-\($0), " } ?? "    "
    return letter + longName + (value.map { " " + $0 } ?? "")
  }
}

/// Options that stand together in the help.
struct OptionGroup: Sendable {
  let title: String
  let options: [CommandOption]
}

/// A command: what its help says, and the options it takes.
struct Command: Sendable {
  /// A command line worth copying, and what it is for.
  struct Example: Sendable {
    let purpose: String
    let lines: [String]
  }

  /// What a command takes words without dashes for.
  enum Operands: Sendable {
    /// It takes none.
    case none
    /// The value of an option, which may be left out.
    case value(of: CommandOption.Name)
    /// The files to read: so many, all of them needed.
    case inputs(Int)
  }

  /// The word after the program's name.
  let name: String
  /// What it does, for the list of commands.
  let summary: String
  /// What follows its name in a line on how to use it.
  let usage: String
  /// What it does, in a few lines.
  let introduction: [String]
  let examples: [Example]
  let groups: [OptionGroup]
  /// What a word without dashes is.
  var operands = Operands.none
  /// Its exit codes and what they mean here.
  let exitCodes: [(code: ExitCode, meaning: String)]
  /// Reads its options. The second argument looks a variable of the environment up.
  let read:
    @Sendable (ScannedArguments, @escaping (String) -> String?) throws(UsageError) -> Invocation

  /// Every option in the order of the help.
  var options: [CommandOption] {
    groups.flatMap(\.options).flatMap { option in
      [option]
        + option.oneSided.map { name in
          var other = option
          other.name = name
          return other
        }
    }
  }

  /// One of its options. Asking for one that the command does not have is our own bug.
  func option(_ name: CommandOption.Name) -> CommandOption {
    guard let option = options.first(where: { $0.name == name }) else {
      preconditionFailure("the command '\(self.name)' has no option \(name.rawValue)")
    }
    return option
  }
}
