// migr8sync analyze: which prefixes of an RDB file hold the memory.

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

  /// Runs to the end and says how the process should exit.
  mutating func run() -> ExitCode {
    do throws(ReplayError) {
      let input = try InputFile(options.input)
      let progress = FileProgress([input])
      let options = options
      let (analysis, damage) = try files.watch(progress) {
        () throws(ReplayError) -> (Analysis, ReplayError?) in
        try Self.read(input, options, progress)
      }.get()
      let report = AnalysisReport(analysis: analysis, name: input.name)
      if let page = options.page {
        try write(AnalysisPage.text(report), to: OutputTarget(page))
      }
      try write(options.writesJSON ? report.json() + "\n" : report.text(), to: OutputTarget(nil))
      guard let damage else { return .converged }
      StandardError.write("migr8sync: \(damage) (the report is about what stands before it)\n")
      return .failed
    } catch {
      return files.end(error)
    }
  }

  private static func read(
    _ input: InputFile, _ options: AnalyzeOptions, _ progress: FileProgress
  ) throws(ReplayError) -> (Analysis, ReplayError?) {
    var reader = RDBReaderOptions()
    if options.rules.asksForSize { reader.inlineValueLimit = options.rules.inlineValueBytes }
    let counters = progress.counters[0]
    let snapshot = SnapshotReader(
      file: input, name: input.name, options: reader, counters: counters,
      checkpoint: { () throws(ReplayError) in try progress.checkpoint() })
    let route = ExtractRoute(
      rules: options.rules, mapping: KeyMapping(options.rules.filter),
      format: AnalysisFormat(Analysis(separators: options.separators, now: options.rules.now)))
    var extraction = Extraction(snapshot, into: [route], counters: counters)
    var damage: ReplayError?
    do throws(ReplayError) {
      try extraction.run()
    } catch {
      guard options.keepsGoing, extraction.snapshot.damage != nil else { throw error }
      damage = error
    }
    try extraction.end()
    return (route.format.analysis, damage)
  }

  private func write(_ text: String, to target: OutputTarget) throws(ReplayError) {
    var bytes = ByteBuffer(capacity: text.utf8.count)
    bytes.append(Array(text.utf8).span)
    let failure = BlockWriter.write(bytes, to: target.descriptor)
    if failure != 0 { throw target.failed("writing", failure) }
    try target.complete()
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
