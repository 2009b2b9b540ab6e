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
    _ arguments: ScannedArguments, environment: (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments)
    try Self.refuseContradictions(arguments)
    var source = try reader.url(
      .source, file: .sourcePasswordFile, password: environment("MIGR8SYNC_SOURCE_PASSWORD"))
    source.mergeSentinelPassword(environment("MIGR8SYNC_SOURCE_SENTINEL_PASSWORD"))
    var destination = try reader.url(
      .destination, file: .destinationPasswordFile,
      password: environment("MIGR8SYNC_DEST_PASSWORD"))
    destination.mergeSentinelPassword(environment("MIGR8SYNC_DEST_SENTINEL_PASSWORD"))
    try TLSArguments(arguments: arguments).complete(source: &source, destination: &destination)
    let databases = try reader.databases(source: source)
    if destination.database != nil, databases?.count != 1 {
      throw UsageError(
        "the URL of --dest names a db, but not exactly one db of the source is read; add --db N, "
          + "or take the db out of the URL")
    }
    self.source = source
    self.destination = destination
    jobName = try reader.jobName()
    takesOver = arguments.has(.takeOver)
    prefersReplica = arguments.has(.preferReplica)
    filter = KeyFilter(
      prefixes: try reader.prefixes(), globs: try reader.globs(), databases: databases)
    self.databases = DatabaseMap(target: destination.database)
    policy = RoutingPolicy(unplaced: try reader.unplaced(), channels: try reader.channels())
    explains = arguments.has(.explain)
    workers = try reader.workers()
    queueMemoryBytes = try reader.queueMemory()
    spoolDirectory = try reader.spoolDirectory(temporary: environment("TMPDIR"))
    spoolMaximumBytes = try reader.bytes(.spoolMaximum)
    onConflict = try reader.conflictPolicy()
    clearsDestination = arguments.has(.clearDestination)
    assumesYes = arguments.has(.yes)
    isDryRun = arguments.has(.dryRun)
    once = arguments.has(.once)
    timeouts = Timeouts(
      connectMilliseconds: try reader.timeout(.connectTimeout),
      ioMilliseconds: try reader.timeout(.ioTimeout))
    psyncCommand = try arguments.required(.psyncCommand)
    usesTwoChannels = !arguments.has(.oneChannel)
    logFormat = try reader.logFormat()
    isQuiet = arguments.has(.quiet)
    showsProgress = ![.quiet, .noProgress, .explain].contains { arguments.has($0) }
    if spoolMaximumBytes == 0, arguments.has(.spoolDirectory) {
      throw UsageError("--spool-max 0 keeps off the disk; leave --spool-dir out, or raise it")
    }
  }

  private static func refuseContradictions(_ arguments: ScannedArguments) throws(UsageError) {
    guard arguments.has(.clearDestination) else { return }
    if arguments.has(.onConflict) {
      throw UsageError(
        "--clear-dest leaves no key for --on-conflict to decide about; leave one of them out")
    }
    if arguments.has(.dryRun) {
      throw UsageError("--dry-run writes nothing, --clear-dest removes keys; leave one of them out")
    }
  }
}

/// Reads the value of one option after the other.
private struct OptionReader {
  let arguments: ScannedArguments

  private func wrong(_ name: CommandOption.Name, takes expected: String) -> UsageError {
    UsageError(arguments.command.option(name), takes: expected)
  }

  // MARK: Servers

  func url(
    _ name: CommandOption.Name, file: CommandOption.Name, password: String?
  ) throws(UsageError) -> RedisURL {
    let option = arguments.command.option(name)
    let text = try arguments.required(name)
    var url: RedisURL
    do throws(RedisURLError) {
      url = try RedisURL(text)
    } catch {
      throw UsageError("\(option.longName): \(error)")
    }
    try url.mergePassword(
      file: arguments.command.option(file), path: arguments.value(file), environment: password)
    return url
  }

  /// The databases to read; `nil` for all.
  func databases(source: RedisURL) throws(UsageError) -> Set<Int>? {
    var databases: Set<Int> = []
    for list in arguments.all(.database) {
      for item in list.split(separator: ",", omittingEmptySubsequences: false) {
        guard let number = Quantity.number(String(item)), number <= SyncOptions.databaseMax else {
          throw wrong(.database, takes: "the number of a db, or several as 0,3")
        }
        databases.insert(Int(number))
      }
    }
    guard let named = source.database else { return databases.isEmpty ? nil : databases }
    if !databases.isEmpty, databases != [named] {
      throw UsageError("--db and the db in the URL of --source differ; leave one of them out")
    }
    return [named]
  }

  // MARK: Keys

  func prefixes() throws(UsageError) -> [[UInt8]] {
    var prefixes: [[UInt8]] = []
    for text in arguments.all(.prefix) {
      if text.isEmpty {
        throw UsageError("--prefix is empty; leave it out to mirror everything")
      }
      if text.hasSuffix("*") {
        throw UsageError(
          "--prefix is taken literally; leave the '*' at its end out, or use --match for a pattern")
      }
      prefixes.append(try keyBytes(text, .prefix))
    }
    return prefixes
  }

  func globs() throws(UsageError) -> [GlobPattern] {
    var globs: [GlobPattern] = []
    for text in arguments.all(.match) {
      if text.isEmpty {
        throw UsageError("--match is empty; leave it out to mirror everything")
      }
      globs.append(GlobPattern(try keyBytes(text, .match)))
    }
    return globs
  }

  /// The bytes of a text. Swift puts U+FFFD where an argument is not UTF-8, so a text with one
  /// would stand for other keys than the operator means.
  private func keyBytes(
    _ text: String, _ name: CommandOption.Name
  ) throws(UsageError) -> [UInt8] {
    if text.unicodeScalars.contains("\u{FFFD}") {
      throw UsageError(
        "\(arguments.command.option(name).longName) is not UTF-8; use --match with a '?' for every "
          + "byte that is not")
    }
    return Array(text.utf8)
  }

  func unplaced() throws(UsageError) -> RoutingPolicy.Unplaced {
    switch arguments.value(.onUnknown) {
    case "stop": .stop
    case "drop": .drop
    case "forward": .forward
    default: throw wrong(.onUnknown, takes: "stop, drop or forward")
    }
  }

  func channels() throws(UsageError) -> [GlobPattern] {
    var patterns: [GlobPattern] = []
    for text in arguments.all(.publish) {
      if text.isEmpty { throw wrong(.publish, takes: "a pattern of channels") }
      patterns.append(GlobPattern(try keyBytes(text, .publish)))
    }
    return patterns
  }

  func conflictPolicy() throws(UsageError) -> ConflictPolicy {
    switch arguments.value(.onConflict) {
    case "fail": .fail
    case "replace": .replace
    case "skip": .skip
    default: throw wrong(.onConflict, takes: "fail, replace or skip")
    }
  }

  func jobName() throws(UsageError) -> String? {
    guard let name = arguments.value(.job) else { return nil }
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard isPlain, (1...SyncOptions.jobNameBytesMax).contains(name.utf8.count) else {
      throw wrong(
        .job, takes: "a name of up to \(SyncOptions.jobNameBytesMax) letters, digits, '-', '_', '.'"
      )
    }
    return name
  }

  // MARK: Resources

  func workers() throws(UsageError) -> Int? {
    guard let text = arguments.value(.workers) else { return nil }
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

  func bytes(_ name: CommandOption.Name) throws(UsageError) -> UInt64 {
    guard let bytes = Quantity.bytes(try arguments.required(name)) else {
      throw wrong(name, takes: "a size such as 512kb, 64mb, 1gb or a number of bytes")
    }
    return bytes
  }

  func spoolDirectory(temporary: String?) throws(UsageError) -> String {
    if let directory = arguments.value(.spoolDirectory) {
      if directory.isEmpty { throw wrong(.spoolDirectory, takes: "the path of a directory") }
      return directory
    }
    if let temporary, !temporary.isEmpty { return temporary }
    return "/var/tmp"
  }

  func timeout(_ name: CommandOption.Name) throws(UsageError) -> Int64 {
    guard let time = Quantity.milliseconds(try arguments.required(name)),
      (1...SyncOptions.timeoutMillisecondsMax).contains(time)
    else {
      throw wrong(name, takes: "a time with its unit, up to a day: 500ms, 10s or 2m")
    }
    return Int64(time)
  }

  func logFormat() throws(UsageError) -> LogFormat {
    guard let format = arguments.value(.logFormat).flatMap(LogFormat.init) else {
      throw wrong(.logFormat, takes: "text or json")
    }
    return format
  }
}
