// migr8sync extract: filter, convert, split an RDB file.

import Glibc
import RDBParser
import ReplicaLink

/// The `extract` subcommand.
struct ExtractCommand {
  let options: ExtractOptions
  private var files: FileRun

  init(options: ExtractOptions) {
    self.options = options
    files = FileRun(options.view)
  }

  /// What the reading thread hands back.
  private struct Outcome: Sendable {
    var tally = ExtractTally()
    var losses: [String] = []
    /// The damage before which the outputs end.
    var damage: ReplayError?
  }

  /// Runs to the end and says how the process should exit.
  mutating func run() -> ExitCode {
    do throws(PreflightError) {
      guard let server = options.server else { return read(into: nil) }
      let load = try ServerLoad(server)
      if let remark = load.remark { files.note(remark) }
      return read(into: load)
    } catch {
      return files.end(error)
    }
  }

  private mutating func read(into load: ServerLoad?) -> ExitCode {
    do throws(ReplayError) {
      let input = try InputFile(options.input)
      try makeFolder()
      let progress = FileProgress([input], with: load)
      let (options, counters) = (options, progress.counters[0])
      let outcome = try files.watch(progress) { () throws(ReplayError) -> Outcome in
        let snapshot = SnapshotReader(
          file: input, name: input.name, options: Self.readerOptions(options), counters: counters,
          checkpoint: { () throws(ReplayError) in try progress.checkpoint() })
        guard let load else { return try Self.extract(snapshot, options, counters) }
        return try Self.write(snapshot, into: load, options, counters)
      }.get()
      return conclude(outcome, progress, load)
    } catch {
      return files.end(
        error, remains: load.map { "\($0.result) (--on-conflict replace loads them again)" })
    }
  }

  private func makeFolder() throws(ReplayError) {
    guard let folder = options.folder else { return }
    if mkdir(folder, 0o777) != 0, errno != EEXIST {
      throw ReplayError("creating \(folder): \(String(cString: strerror(errno)))")
    }
  }

  private static func readerOptions(_ options: ExtractOptions) -> RDBReaderOptions {
    var reader = RDBReaderOptions()
    if [.json, .jsonl].contains(options.format) {
      reader.inlineValueLimit = JSONFormat.stringBytesMax
    }
    for route in options.routes where route.rules.asksForSize {
      reader.inlineValueLimit = max(reader.inlineValueLimit, route.rules.inlineValueBytes)
    }
    return reader
  }

  private static func extract(
    _ snapshot: consuming SnapshotReader, _ options: ExtractOptions, _ counters: SnapshotCounters
  ) throws(ReplayError) -> Outcome {
    switch options.format {
    case .rdb:
      return try extract(snapshot, options, counters) { output, route in
        RDBFormat(
          output, for: options.target, policy: options.unsupported,
          isWhole: route.rules.letEverythingIn)
      }
    case .resp:
      return try extract(snapshot, options, counters) { output, route in
        CommandFormat(
          output, for: options.target, restores: options.restores, policy: options.unsupported,
          isWhole: route.rules.letEverythingIn)
      }
    case .jsonl, .json:
      return try extract(snapshot, options, counters) { output, _ in
        JSONFormat(output, isArray: options.format == .json)
      }
    case .csv, .keys, .count:
      let content: ListFormat.Content =
        options.format == .csv ? .row : options.format == .keys ? .key : .nothing
      return try extract(snapshot, options, counters) { output, _ in ListFormat(output, content) }
    }
  }

  /// Loads a server.
  private static func write(
    _ snapshot: consuming SnapshotReader, into load: ServerLoad, _ options: ExtractOptions,
    _ counters: SnapshotCounters
  ) throws(ReplayError) -> Outcome {
    snapshot.commandOptions = load.commandOptions
    let routes = options.routes.map { route in
      let sink = load.sink(movesFunctions: route.rules.letEverythingIn, counters: counters)
      return ExtractRoute(
        rules: route.rules, mapping: route.mapping, format: LoaderFormat(sink, counters))
    }
    return try run(snapshot, into: routes, options, counters)
  }

  private static func extract<Format: ExtractFormat & ~Copyable>(
    _ snapshot: consuming SnapshotReader, _ options: ExtractOptions, _ counters: SnapshotCounters,
    _ format: (consuming OutputStream, ExtractOptions.Route) -> Format
  ) throws(ReplayError) -> Outcome {
    var routes: [ExtractRoute<Format>] = []
    do throws(ReplayError) {
      for route in options.routes {
        let output = OutputStream(
          try OutputTarget(route.path), sumsUp: options.format == .rdb)
        routes.append(
          ExtractRoute(rules: route.rules, mapping: route.mapping, format: format(output, route)))
      }
    } catch {
      for route in routes { route.format.abandon() }
      throw error
    }
    return try run(snapshot, into: routes, options, counters)
  }

  private static func run<Format: ExtractFormat & ~Copyable>(
    _ snapshot: consuming SnapshotReader, into routes: [ExtractRoute<Format>],
    _ options: ExtractOptions, _ counters: SnapshotCounters
  ) throws(ReplayError) -> Outcome {
    var extraction = Extraction(snapshot, into: routes, counters: counters)
    var outcome = Outcome()
    do throws(ReplayError) {
      do throws(ReplayError) {
        try extraction.run()
      } catch {
        guard extraction.isDamaged, options.keepsGoing else { throw error }
        outcome.damage = error
      }
      try extraction.end()
    } catch {
      extraction.abandon()
      throw error
    }
    outcome.tally = extraction.tally
    for route in routes { outcome.losses += route.format.losses }
    return outcome
  }

  private mutating func conclude(
    _ outcome: Outcome, _ progress: FileProgress, _ load: ServerLoad?
  ) -> ExitCode {
    let tally = outcome.tally
    let taken = HumanNumber.count(tally.keysTaken)
    for loss in outcome.losses { files.warn("left out: \(loss)") }
    if tally.moduleData > 0 {
      files.warn("left out: \(HumanNumber.count(tally.moduleData)) pieces of data of modules")
    }
    if tally.keyMetadata > 0 {
      files.warn("left out: \(HumanNumber.count(tally.keyMetadata)) pieces of metadata of keys")
    }
    if tally.isFollowed {
      files.warn(
        tally.isAppendOnlyFile
          ? "commands stand behind the RDB in this AOF; they were not read"
          : "more bytes stand behind the end of the RDB; they were not read")
    }
    if let damage = outcome.damage {
      let kept = load?.result ?? "\(taken) keys before it were kept"
      StandardError.write("migr8sync: \(damage) (\(kept))\n")
      return .failed
    }
    let read =
      "\(HumanNumber.bytes(progress.bytesRead)) read in"
      + " \(HumanNumber.duration(milliseconds: progress.elapsedMilliseconds))"
    let all = HumanNumber.count(tally.keysRead)
    if let load {
      files.note("\(load.result), of \(all) in the file; \(read)")
    } else {
      files.remark("\(taken) of \(all) keys, \(read)")
    }
    return .converged
  }
}
