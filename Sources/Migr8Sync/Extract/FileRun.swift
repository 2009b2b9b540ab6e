// FileRun: what extract, diff and analyze have in common: the work on a thread of its own, while the main
// thread shows how far it is and hears the signals.

import Glibc
import ReplicaLink
import Synchronization

/// A server that a run over files has to do with. Asked on the main thread, a few times a second.
protocol RunPeer: AnyObject, Sendable {
  /// Adds what is known of it to the numbers of the run.
  func add(to snapshot: inout ProgressSnapshot)
  /// The lines about it that nobody has taken yet.
  ///
  /// - Parameter isStopping: whether the operator wants the run to end.
  func takeNotices(isStopping: Bool) -> [String]
}

/// What a run over files has come to so far.
final class FileProgress: Sendable {
  /// One for each file.
  let counters: [SnapshotCounters]
  /// Bytes of all files; nil where one is a pipe or a server.
  let bytesExpected: UInt64?
  private let expectedKeys = Atomic<UInt64>(0)
  private let peer: (any RunPeer)?
  private let isStopRequested = Atomic<Bool>(false)
  private let start = Clock.monotonicMilliseconds()

  init(_ inputs: [InputFile], with peer: (any RunPeer)? = nil) {
    self.peer = peer
    counters = inputs.map { _ in SnapshotCounters() }
    let sizes = inputs.compactMap(\.size)
    bytesExpected = sizes.count == inputs.count ? sizes.reduce(0, +) : nil
  }

  /// The progress of reading a server.
  ///
  /// - Parameter keys: how many it holds; 0 when it did not say.
  init(of peer: (any RunPeer)?, keys: UInt64) {
    self.peer = peer
    counters = [SnapshotCounters()]
    bytesExpected = nil
    expect(keys: keys)
  }

  /// So many keys will be read.
  func expect(keys: UInt64) { expectedKeys.store(keys, ordering: .relaxed) }

  func requestStop() { isStopRequested.store(true, ordering: .relaxed) }

  var isStopping: Bool { isStopRequested.load(ordering: .relaxed) }

  /// Throws when the run is to end.
  func checkpoint() throws(ReplayError) {
    if isStopping { throw .interrupted }
  }

  var elapsedMilliseconds: Int64 { Clock.monotonicMilliseconds() - start }

  var bytesRead: UInt64 { counters.reduce(0) { $0 + $1.bytesRead.load(ordering: .relaxed) } }

  /// All numbers now.
  func snapshot() -> ProgressSnapshot {
    var snapshot = ProgressSnapshot()
    snapshot.phase = .reading
    snapshot.elapsedMilliseconds = elapsedMilliseconds
    snapshot.snapshotBytesExpected = bytesExpected
    let keys = expectedKeys.load(ordering: .relaxed)
    snapshot.keysExpected = keys > 0 ? keys : nil
    snapshot.snapshotBytesRead = bytesRead
    for counter in counters {
      snapshot.keysRead += counter.keysRead.load(ordering: .relaxed)
      snapshot.keysMatched += counter.keysMatched.load(ordering: .relaxed)
    }
    peer?.add(to: &snapshot)
    return snapshot
  }

  /// What has happened that the operator should see. On the main thread, a few times a second.
  func takeNotices() -> [String] { peer?.takeNotices(isStopping: isStopping) ?? [] }
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
      for line in progress.takeNotices() { reporter.note(line) }
      reporter.report(progress.snapshot())
    }
  }

  /// Writes a warning.
  mutating func warn(_ line: String) {
    reporter.warn(line)
  }

  /// Writes a remark.
  mutating func note(_ line: String) {
    reporter.note(line)
  }

  /// Writes a remark where a person looks.
  mutating func remark(_ line: String) {
    if StandardError.canDraw { reporter.note(line) }
  }

  /// Says why a run did not begin; how the process should exit.
  func end(_ error: PreflightError) -> ExitCode {
    switch error {
    case .failed(let failure): return end(failure)
    case .refused(let refusal):
      StandardError.write("migr8sync: \(refusal)\n")
      return .refused
    }
  }

  /// Says why a run ended before its time; how the process should exit.
  ///
  /// - Parameter remains: what it leaves at a server.
  func end(_ error: ReplayError, remains: String? = nil) -> ExitCode {
    if error.description == ReplayError.readerIsGone.description { return .failed }
    if error.isInterruption {
      StandardError.write(
        "migr8sync: interrupted; \(remains ?? "no output file was left behind")\n")
      return .interrupted
    }
    StandardError.write("migr8sync: \(error)\(remains.map { "; \($0)" } ?? "")\n")
    return .failed
  }
}
