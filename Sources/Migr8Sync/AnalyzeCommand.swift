// migr8sync analyze: which prefixes of a server or an RDB file hold the memory.

import Glibc
import RDBParser
import ReplicaLink

/// The `analyze` subcommand.
struct AnalyzeCommand {
  let options: AnalyzeOptions
  private var files: FileRun

  init(options: AnalyzeOptions) {
    self.options = options
    files = FileRun(options.view)
  }

  /// What a run came to.
  private struct Outcome: Sendable {
    var analysis: Analysis
    var name: String
    var source: String?
    var sample: ServerSample?
    /// The damage before which it ends.
    var damage: ReplayError?
  }

  /// Runs to the end and says how the process should exit.
  mutating func run() -> ExitCode {
    do throws(PreflightError) {
      guard case .server(let server) = options.input else { return finish(readFile()) }
      if server.way == .scan { return finish(readSample(server)) }
      let source = try Preflight.source(server.sourceLocator, timeouts: server.timeouts)
      if let remark = source.remark { files.note(remark) }
      for warning in source.warnings { files.warn(warning.text) }
      return finish(readSnapshot(server, keys: source.facts?.keyCount ?? 0))
    } catch {
      return files.end(error)
    }
  }

  // MARK: What is read

  private mutating func readFile() -> Result<Outcome, ReplayError> {
    guard case .file(let path) = options.input else { preconditionFailure("a file is read") }
    let options = options
    return Result { () throws(ReplayError) in
      let input = try InputFile(path)
      let progress = FileProgress([input])
      return try files.watch(progress) { () throws(ReplayError) in
        try Self.read(input, input.name, options, progress)
      }.get()
    }
  }

  private mutating func readSnapshot(
    _ server: AnalyzeOptions.Server, keys: UInt64
  ) -> Result<Outcome, ReplayError> {
    let snapshot = ServerSnapshot(server)
    let progress = FileProgress(of: snapshot, keys: keys)
    let options = options
    return files.watch(progress) { () throws(ReplayError) in
      var outcome = try snapshot.read({ () throws(ReplayError) in try progress.checkpoint() }) {
        (feed) throws(ReplayError) in
        progress.counters[0].reset()
        return try Self.read(feed, "\(server.source.endpoint)", options, progress)
      }
      outcome.source = "\(server.source)"
      return outcome
    }
  }

  private mutating func readSample(
    _ server: AnalyzeOptions.Server
  ) -> Result<Outcome, ReplayError> {
    let progress = FileProgress(of: nil, keys: 0)
    let options = options
    return files.watch(progress) { () throws(ReplayError) in
      var end = try VerifyEnd(server.sourceLocator, timeouts: server.timeouts, doing: "sampling")
      var analysis = Analysis(separators: options.separators, now: options.rules.now)
      let sample = try ServerSample.take(server.sampleSize, from: &end, options.rules, progress) {
        (entry, key, size) in analysis.add(entry, key: key.span, size)
      }
      analysis.end()
      analysis.scale(sample.weight)
      return Outcome(
        analysis: analysis, name: "\(server.source.endpoint)", source: "\(server.source)",
        sample: sample)
    }
  }

  private static func read(
    _ input: any SnapshotBytes, _ name: String, _ options: AnalyzeOptions, _ progress: FileProgress
  ) throws(ReplayError) -> Outcome {
    var reader = RDBReaderOptions()
    if options.rules.asksForSize { reader.inlineValueLimit = options.rules.inlineValueBytes }
    let counters = progress.counters[0]
    let snapshot = SnapshotReader(
      file: input, name: name, options: reader, counters: counters,
      checkpoint: { () throws(ReplayError) in try progress.checkpoint() })
    let route = ExtractRoute(
      rules: options.rules, mapping: KeyMapping(options.rules.filter),
      format: AnalysisFormat(Analysis(separators: options.separators, now: options.rules.now)))
    var extraction = Extraction(snapshot, into: [route], counters: counters)
    var damage: ReplayError?
    do throws(ReplayError) {
      try extraction.run()
    } catch {
      guard options.keepsGoing, extraction.isDamaged else { throw error }
      damage = error
    }
    try extraction.end()
    return Outcome(analysis: route.format.analysis, name: name, damage: damage)
  }

  // MARK: What is written

  private func finish(_ result: Result<Outcome, ReplayError>) -> ExitCode {
    do throws(ReplayError) {
      let outcome = try result.get()
      var report = AnalysisReport(analysis: outcome.analysis, name: outcome.name)
      report.source = outcome.source ?? report.source
      report.sample = outcome.sample
      if let page = options.page {
        try write(AnalysisPage.text(report), to: OutputTarget(page))
      }
      try write(options.writesJSON ? report.json() + "\n" : report.text(), to: OutputTarget(nil))
      guard let damage = outcome.damage else { return .converged }
      StandardError.write("migr8sync: \(damage) (the report is about what stands before it)\n")
      return .failed
    } catch {
      return files.end(error)
    }
  }

  private func write(_ text: String, to target: OutputTarget) throws(ReplayError) {
    var bytes = ByteBuffer(capacity: text.utf8.count)
    bytes.append(Array(text.utf8).span)
    let failure = BlockWriter.write(bytes, to: target.descriptor)
    if failure != 0 { throw target.failed("writing", failure) }
    try target.secure()
    try target.publish()
  }
}

/// Not written anywhere: every entry is counted.
private struct AnalysisFormat: ExtractFormat, ~Copyable {
  private(set) var analysis: Analysis

  init(_ analysis: Analysis) {
    self.analysis = analysis
  }

  mutating func begin(_ header: RDBHeader) throws(ReplayError) { analysis.begin(header) }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    analysis.add(entry, key: key, try EntrySize.read(entry, key: key, from: &snapshot))
  }

  mutating func takeBack() throws(ReplayError) {}
  mutating func end() throws(ReplayError) { analysis.end() }
  mutating func abandon() {}
}
