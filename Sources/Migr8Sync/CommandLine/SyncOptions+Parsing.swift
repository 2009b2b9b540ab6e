// From the words of a command line to checked options: every value is read and every
// contradiction refused here, before anything is contacted.

import ReplicaLink

extension SyncOptions {
  /// The most connections that `--workers` may ask for.
  static let workersMax: UInt64 = 256
  /// The least that `--queue-memory` may be, in bytes.
  static let queueMemoryBytesMin: UInt64 = 1 << 20
  /// The longest name of a job, in bytes.
  static let jobNameBytesMax = 100
  /// The longest timeout, in milliseconds: a day.
  static let timeoutMillisecondsMax: UInt64 = 86_400_000
  /// Redis keeps the number of a database in a C `int`.
  static let databaseMax = UInt64(Int32.max)

  /// Reads the options of `sync`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    try Self.refuseContradictions(arguments)
    var source = try reader.source()
    routes = try reader.routes(source: &source)
    self.source = source
    jobName = try reader.jobName(.job)
    takesOver = arguments.has(.takeOver)
    prefersReplica = arguments.has(.preferReplica)
    policy = RoutingPolicy(unplaced: try reader.unplaced(), channels: try reader.channels())
    explains = arguments.has(.explain)
    workers = try reader.workers()
    maximumRate = try reader.maximumRate()
    ignoresHandOver = arguments.has(.notHandedOver)
    queueMemoryBytes = try reader.queueMemory()
    spoolDirectory = try reader.spoolDirectory()
    spoolMaximumBytes = try reader.bytes(.spoolMaximum)
    onConflict = try reader.conflictPolicy()
    clearsDestination = arguments.has(.clearDestination)
    assumesYes = arguments.has(.yes)
    isDryRun = arguments.has(.dryRun)
    isForced = arguments.has(.force)
    once = arguments.has(.once)
    timeouts = try reader.timeouts()
    psyncCommand = try reader.psyncCommand()
    usesTwoChannels = !arguments.has(.oneChannel)
    logFormat = try reader.logFormat()
    isQuiet = arguments.has(.quiet)
    showsProgress = ![.quiet, .noProgress, .explain].contains { arguments.has($0) }
    warnings = reader.warnings()
    if spoolMaximumBytes == 0, arguments.has(.spoolDirectory) {
      throw UsageError(
        "--spool-max 0 keeps off the disk; leave --spool-dir out, or raise it",
        at: arguments.origin(of: .spoolMaximum))
    }
  }

  private static func refuseContradictions(_ arguments: ScannedArguments) throws(UsageError) {
    guard arguments.has(.clearDestination) else { return }
    if arguments.has(.onConflict) {
      throw UsageError(
        "--clear-dest leaves no key for --on-conflict to decide about; leave one of them out",
        at: arguments.origin(of: .onConflict))
    }
    if arguments.has(.dryRun) {
      throw UsageError(
        "--dry-run writes nothing, --clear-dest removes keys; leave one of them out",
        at: arguments.origin(of: .clearDestination))
    }
  }
}

extension OptionReader {
  fileprivate func unplaced() throws(UsageError) -> RoutingPolicy.Unplaced {
    switch try arguments.value(.onUnknown) {
    case "stop": .stop
    case "drop": .drop
    case "forward": .forward
    default: throw wrong(.onUnknown, takes: "stop, drop or forward")
    }
  }

  fileprivate func channels() throws(UsageError) -> [GlobPattern] {
    var patterns: [GlobPattern] = []
    for value in arguments.all(.publish) {
      if value.isEmpty { throw wrong(.publish, takes: "a pattern of channels") }
      patterns.append(GlobPattern(try keyBytes(value, .publish)))
    }
    return patterns
  }

  func conflictPolicy() throws(UsageError) -> ConflictPolicy {
    switch try arguments.value(.onConflict) {
    case "fail": .fail
    case "replace": .replace
    case "skip": .skip
    default: throw wrong(.onConflict, takes: "fail, replace or skip")
    }
  }

  func psyncCommand() throws(UsageError) -> String {
    let name = try arguments.required(.psyncCommand)
    if name.isEmpty { throw wrong(.psyncCommand, takes: "the name of a command") }
    return name
  }

  func workers() throws(UsageError) -> Int? {
    guard let text = try arguments.value(.workers) else { return nil }
    guard let number = Quantity.number(text), (1...SyncOptions.workersMax).contains(number) else {
      throw wrong(.workers, takes: "a number from 1 to \(SyncOptions.workersMax)")
    }
    return Int(number)
  }

  func queueMemory() throws(UsageError) -> Int {
    guard let bytes = Int(exactly: try bytes(.queueMemory)),
      bytes >= SyncOptions.queueMemoryBytesMin
    else {
      throw wrong(.queueMemory, takes: "a size of at least 1mb, such as 64mb")
    }
    return bytes
  }

  func spoolDirectory() throws(UsageError) -> String {
    if let directory = try arguments.value(.spoolDirectory) {
      if directory.isEmpty { throw wrong(.spoolDirectory, takes: "the path of a directory") }
      return directory
    }
    if let temporary = environment("TMPDIR"), !temporary.isEmpty { return temporary }
    return "/var/tmp"
  }
}
