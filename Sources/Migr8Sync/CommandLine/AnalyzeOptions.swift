// AnalyzeOptions: everything `migr8sync analyze` was told.

import ReplicaLink

/// The options of one `analyze`.
struct AnalyzeOptions: Sendable {
  /// What is read.
  enum Input: Sendable {
    case file(String)
    case server(Server)
  }

  /// A server to read.
  struct Server: TwoEnded, Sendable {
    /// The server as the source, and no routes.
    let ends: BothEnds
    /// All of it as a replica that leaves after the snapshot, or a sample with SCAN.
    let way: SourceWay
    /// How many keys a sample has.
    let sampleSize: UInt64
    let psyncCommand: String
    let usesTwoChannels: Bool
    let spool: SpoolLimits
  }

  let input: Input
  var rules: EntryRules
  /// What separates the parts of a key; nil to find out.
  var separators: [UInt8]?
  /// Whether the report is one JSON object.
  var writesJSON: Bool
  /// Where the page goes; nil for none.
  var page: String?
  /// Whether what stands before damage is reported.
  var keepsGoing: Bool
  var view: OutputView
  var warnings: [String]

  /// Reads the options of `analyze`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    input = try reader.analyzed()
    var source: RedisURL?
    if case .server(let server) = input { source = server.source }
    rules = try reader.entryRules(included: try reader.includedRules(), source: source)
    try reader.checkExcluded(rules.filter)
    if arguments.has(.separator) {
      let bytes = Array(try arguments.required(.separator).utf8)
      guard !bytes.isEmpty, bytes.allSatisfy({ $0 < 0x80 }) else {
        throw reader.wrong(.separator, takes: "one or several ASCII characters, such as : or :/")
      }
      separators = bytes
    }
    writesJSON = arguments.has(.json)
    page = try reader.path(.html)
    keepsGoing = arguments.has(.keepGoing)
    view = try OutputView(reader)
    warnings = reader.warnings()
  }
}

extension OptionReader {
  /// The file or the server to look into.
  fileprivate func analyzed() throws(UsageError) -> AnalyzeOptions.Input {
    let text = try arguments.required(.source)
    guard text.contains("://") else {
      let ofServer: [CommandOption.Name] = [
        .via, .sample, .preferReplica, .psyncCommand, .oneChannel,
      ]
      for name in ofServer where arguments.has(name) {
        throw UsageError(
          "\(arguments.command.option(name).longName) is about a server; give its URL in place of a"
            + " file", at: arguments.origin(of: name))
      }
      return .file(text)
    }
    let ends = try BothEnds(sourceAlone: self)
    let way: SourceWay = try choice(.via)
    if way == .psync, arguments.has(.sample) {
      throw UsageError("--sample is about --via scan", at: arguments.origin(of: .sample))
    }
    let size = try number(.sample, in: 1...VerifyOptions.sampleMax) ?? 0
    return .server(
      AnalyzeOptions.Server(
        ends: ends, way: way, sampleSize: size, psyncCommand: try psyncCommand(),
        usesTwoChannels: !arguments.has(.oneChannel),
        spool: SpoolLimits(
          memoryBytes: try queueMemory(), diskBytes: try bytes(.spoolMaximum),
          directory: try spoolDirectory())))
  }
}
