// From the words of a command line to checked options: every value is read and every
// contradiction refused here, before anything is contacted.

import ReplicaLink

extension SyncOptions {
  /// The most connections that `--workers` may ask for.
  static let workersMax: UInt64 = 256
  /// The least that `--queue-memory` may be, in bytes.
  static let queueMemoryBytesMin: UInt64 = 1 << 20
  /// Redis keeps the number of a database in a C `int`.
  static let databaseMax = UInt64(Int32.max)

  /// Reads the options of `sync`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    try Self.refuseContradictions(arguments)
    ends = try BothEnds(reader)
    jobName = try reader.jobName(.job)
    takesOver = arguments.has(.takeOver)
    way = try reader.choice(.via)
    policy = RoutingPolicy(
      unplaced: try reader.choice(.onUnknown), channels: try reader.channels())
    explains = arguments.has(.explain)
    workers = try reader.workers()
    maximumRate = try reader.maximumRate()
    ignoresHandOver = arguments.has(.notHandedOver)
    isHandedOver = arguments.has(.handedOver)
    takesReverseSnapshot = arguments.has(.reverseSnapshot)
    queueMemoryBytes = try reader.queueMemory()
    spoolDirectory = try reader.spoolDirectory()
    spoolMaximumBytes = try reader.bytes(.spoolMaximum)
    onConflict = try reader.choice(.onConflict)
    clearsDestination = arguments.has(.clearDestination)
    assumesYes = arguments.has(.yes)
    isDryRun = arguments.has(.dryRun)
    isForced = arguments.has(.force)
    once = arguments.has(.once) || way == .scan
    psyncCommand = try reader.psyncCommand()
    usesTwoChannels = !arguments.has(.oneChannel)
    view = try OutputView(reader)
    warnings = reader.warnings()
    if spoolMaximumBytes == 0, arguments.has(.spoolDirectory) {
      throw UsageError(
        "--spool-max 0 keeps off the disk; leave --spool-dir out, or raise it",
        at: arguments.origin(of: .spoolMaximum))
    }
  }

  /// What is about a stream, or about attaching, means nothing where there is neither.
  private static let optionsOfStream: [CommandOption.Name] = [
    .publish, .onUnknown, .explain, .psyncCommand, .oneChannel, .handedOver, .notHandedOver,
    .reverseSnapshot, .spoolDirectory,
    .spoolMaximum, .queueMemory,
  ]

  private static func refuseContradictions(_ arguments: ScannedArguments) throws(UsageError) {
    if arguments.has(.handedOver), arguments.has(.notHandedOver) {
      throw UsageError(
        "--handed-over and --not-handed-over; only one of them is true",
        at: arguments.origin(of: .handedOver))
    }
    if try arguments.value(.via) == SourceWay.scan.rawValue {
      for name in optionsOfStream where arguments.has(name) {
        throw UsageError(
          "--via scan follows no stream, and \(arguments.command.option(name).longName) is about one;"
            + " leave one of them out", at: arguments.origin(of: name))
      }
    }
    guard arguments.has(.clearDestination) else { return }
    if arguments.has(.onConflict) {
      throw UsageError(
        "--clear-dest leaves no key for --on-conflict to decide about; leave one of them out",
        at: arguments.origin(of: .onConflict))
    }
    if arguments.has(.handedOver) {
      throw UsageError(
        "--handed-over says that the application writes to the destination, --clear-dest removes its"
          + " keys; leave one of them out", at: arguments.origin(of: .clearDestination))
    }
    if arguments.has(.dryRun) {
      throw UsageError(
        "--dry-run writes nothing, --clear-dest removes keys; leave one of them out",
        at: arguments.origin(of: .clearDestination))
    }
  }
}

extension OptionReader {
  fileprivate func channels() throws(UsageError) -> [GlobPattern] {
    var patterns: [GlobPattern] = []
    for value in arguments.all(.publish) {
      if value.isEmpty { throw wrong(.publish, takes: "a pattern of channels") }
      patterns.append(GlobPattern(try keyBytes(value, .publish)))
    }
    return patterns
  }

  /// Loaders; nil leaves it to the program.
  func workers() throws(UsageError) -> Int? {
    try number(.workers, in: 1...SyncOptions.workersMax).map { Int($0) }
  }

  func psyncCommand() throws(UsageError) -> String {
    let name = try arguments.required(.psyncCommand)
    if name.isEmpty { throw wrong(.psyncCommand, takes: "the name of a command") }
    return name
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
