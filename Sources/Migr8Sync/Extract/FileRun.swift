// FileRun: what extract, diff and analyze have in common: the work on a thread of its own, while the main
// thread shows how far it is and hears the signals.

import Glibc
import ReplicaLink
import Synchronization

/// What a run over files has come to so far.
final class FileProgress: Sendable {
  /// One for each file.
  let counters: [SnapshotCounters]
  /// Bytes of all files; nil where one is a pipe.
  let bytesExpected: UInt64?
  private let isStopRequested = Atomic<Bool>(false)
  private let start = Clock.monotonicMilliseconds()

  init(_ inputs: [InputFile]) {
    counters = inputs.map { _ in SnapshotCounters() }
    let sizes = inputs.compactMap(\.size)
    bytesExpected = sizes.count == inputs.count ? sizes.reduce(0, +) : nil
  }

  func requestStop() { isStopRequested.store(true, ordering: .relaxed) }

  /// Throws when the run is to end.
  func checkpoint() throws(ReplayError) {
    if isStopRequested.load(ordering: .relaxed) { throw .interrupted }
  }

  var elapsedMilliseconds: Int64 { Clock.monotonicMilliseconds() - start }

  var bytesRead: UInt64 { counters.reduce(0) { $0 + $1.bytesRead.load(ordering: .relaxed) } }

  /// All numbers now.
  func snapshot() -> ProgressSnapshot {
    var snapshot = ProgressSnapshot()
    snapshot.phase = .reading
    snapshot.elapsedMilliseconds = elapsedMilliseconds
    snapshot.snapshotBytesExpected = bytesExpected
    snapshot.snapshotBytesRead = bytesRead
    for counter in counters {
      snapshot.keysRead += counter.keysRead.load(ordering: .relaxed)
      snapshot.keysMatched += counter.keysMatched.load(ordering: .relaxed)
    }
    return snapshot
  }
}

/// Runs the work and shows it. For one thread.
struct FileRun {
  private let signals = StopSignals()
  private var reporter: Reporter

  /// Takes the signals; call it before any other thread exists.
  init(_ view: OutputView) {
    // Where nobody looks there is nothing to show: the output may well be all that is wanted.
    var view = view
    view.showsProgress = view.showsProgress && StandardError.canDraw
    reporter = Reporter(view)
    signals.install()
  }

  /// Runs `body` on a thread of its own until it ends.
  mutating func watch<R: Sendable>(
    _ progress: FileProgress, _ body: @escaping @Sendable () throws(ReplayError) -> R
  ) -> Result<R, ReplayError> {
    signals.onStop { progress.requestStop() }
    let result = Promise<Result<R, ReplayError>>()
    let thread = NamedThread("reader") {
      result.fulfil(Result { () throws(ReplayError) in try body() })
    }
    while true {
      if let result = result.wait(milliseconds: SyncCommand.reportIntervalMilliseconds) {
        thread.join()
        reporter.finish()
        return result
      }
      reporter.report(progress.snapshot())
    }
  }

  /// Writes a warning.
  mutating func warn(_ line: String) {
    reporter.warn(line)
  }

  /// Writes a remark, where a person looks.
  mutating func note(_ line: String) {
    if StandardError.canDraw { reporter.note(line) }
  }

  /// Says why a run ended before its time; how the process should exit.
  func end(_ error: ReplayError) -> ExitCode {
    if error.description == ReplayError.readerIsGone.description { return .failed }
    if error.isInterruption {
      StandardError.write("migr8sync: interrupted; no output file was left behind\n")
      return .interrupted
    }
    StandardError.write("migr8sync: \(error)\n")
    return .failed
  }
}
