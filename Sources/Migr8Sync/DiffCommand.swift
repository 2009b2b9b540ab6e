// migr8sync diff: what is in one RDB file and not, or otherwise, in another.

import Glibc
import RDBParser
import ReplicaLink

/// The `diff` subcommand.
struct DiffCommand {
  let options: DiffOptions
  private var files: FileRun

  init(options: DiffOptions) {
    self.options = options
    files = FileRun(options.view)
  }

  /// Runs to the end and says how the process should exit.
  mutating func run() -> ExitCode {
    do throws(ReplayError) {
      let inputs = [try InputFile(options.inputs.old), try InputFile(options.inputs.new)]
      let progress = FileProgress(inputs)
      let options = options
      let tally = try files.watch(progress) { () throws(ReplayError) -> DifferenceTally in
        let runs = try Self.read(inputs, options, progress)
        return try Self.compare(runs[0], runs[1], options)
      }.get()
      if !options.view.isQuiet { StandardError.write(tally.text + "\n") }
      return tally.isEmpty ? .converged : .differences
    } catch {
      return files.end(error)
    }
  }

  /// Reads both files, each on a thread.
  private static func read(
    _ inputs: [InputFile], _ options: DiffOptions, _ progress: FileProgress
  ) throws(ReplayError) -> [KeyRuns] {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
    let count = KeyRuns.count(forBytes: progress.bytesExpected)
    var runs: [KeyRuns] = []
    for _ in inputs { runs.append(try KeyRuns(count: count, folder: folder)) }
    let filled = runs
    let other = Promise<Result<Void, ReplayError>>()
    let thread = NamedThread("reader-2") {
      other.fulfil(
        Result { () throws(ReplayError) in
          try fill(filled[1], inputs[1], progress.counters[1], options.rules, progress)
        })
    }
    let one = Result { () throws(ReplayError) in
      try fill(filled[0], inputs[0], progress.counters[0], options.rules, progress)
    }
    if case .failure = one { progress.requestStop() }
    thread.join()
    try one.get()
    try other.wait(milliseconds: 0)?.get()
    return runs
  }

  private static func fill(
    _ runs: KeyRuns, _ input: InputFile, _ counters: SnapshotCounters, _ rules: EntryRules,
    _ progress: FileProgress
  ) throws(ReplayError) {
    var reader = RDBReaderOptions()
    if rules.asksForSize { reader.inlineValueLimit = rules.inlineValueBytes }
    let snapshot = SnapshotReader(
      file: input, name: input.name, options: reader, counters: counters,
      checkpoint: { () throws(ReplayError) in try progress.checkpoint() })
    let route = ExtractRoute(
      rules: rules, mapping: KeyMapping(rules.filter), format: RunFormat(runs))
    var extraction = Extraction(snapshot, into: [route], counters: counters)
    try extraction.run()
  }

  private static func compare(
    _ old: KeyRuns, _ new: KeyRuns, _ options: DiffOptions
  ) throws(ReplayError) -> DifferenceTally {
    var output = OutputStream(try OutputTarget(nil))
    do throws(ReplayError) {
      let tally = try FileDifference.compare(old, new) { (difference) throws(ReplayError) in
        if options.view.isQuiet { return }
        try output.beginEntry()
        let line = (options.writesJSON ? difference.json : difference.text) + "\n"
        output.write { $0.append(Array(line.utf8).span) }
      }
      try output.finish()
      try output.publish()
      return tally
    } catch {
      output.abandon()
      throw error
    }
  }
}

/// Not written anywhere: every entry becomes a record.
private struct RunFormat: ExtractFormat, ~Copyable {
  private let runs: KeyRuns

  init(_ runs: KeyRuns) {
    self.runs = runs
  }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    let meaning = try snapshot.readMeaning().digest
    try runs.add(
      key, database: entry.database,
      KeyRecord(
        type: entry.type.kind, expiryMilliseconds: entry.expiryMilliseconds, meaning: meaning))
  }

  mutating func takeBack() throws(ReplayError) {}
  mutating func end() throws(ReplayError) {}
  mutating func abandon() {}
}
