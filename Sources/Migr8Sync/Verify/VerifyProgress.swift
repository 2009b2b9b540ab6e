// How far a comparison is, and the way to end it: shared between the thread that compares and whoever
// shows it or waits for it.

import Glibc
import ReplicaLink
import Synchronization

/// The progress of one comparison.
final class VerifyProgress: Sendable {
  /// What it is doing.
  enum Phase: String, Sendable {
    case connecting
    /// The source's keys are compared with the destination's.
    case comparing
    /// Keys of the destination are looked up at the source.
    case lookingForExtra = "looking for extra keys"
    /// Keys that seemed to differ are read again.
    case settling
    case finished
  }

  /// All numbers at one moment.
  struct Snapshot: Sendable {
    var phase = Phase.connecting
    /// Keys compared so far.
    var keysCompared: UInt64 = 0
    /// Keys of the destination looked up so far.
    var keysLookedUp: UInt64 = 0
    /// Keys found to differ, by cause.
    var differences: [DifferenceCause: UInt64] = [:]
    /// Keys that changed whenever they were read.
    var undecided: UInt64 = 0
    /// Keys that seem to differ and are read again.
    var suspects: UInt64 = 0
    /// Keys that were made the same again.
    var fixed: UInt64 = 0
    /// Where the comparison can begin again.
    var place: VerifyPlace?

    var differenceCount: UInt64 { differences.values.reduce(0, +) }
  }

  private let state = Guarded(Snapshot())
  private let isStopping = Atomic<Bool>(false)

  var snapshot: Snapshot { state.withLock { $0 } }

  func update(_ body: (inout sending Snapshot) -> Void) {
    state.withLock { body(&$0) }
  }

  /// Asks the comparison to end soon.
  func cancel() { isStopping.store(true, ordering: .relaxed) }

  var isCancelled: Bool { isStopping.load(ordering: .relaxed) }

  /// Waits; a request to end shortens it.
  ///
  /// - Throws: `.interrupted` when the comparison is to end.
  func pause(milliseconds: Int64) throws(ReplayError) {
    try pause(microseconds: milliseconds * 1_000)
  }

  /// The same for what is over before a millisecond is.
  func pause(microseconds: Int64) throws(ReplayError) {
    let deadline = Clock.monotonicMicroseconds() + microseconds
    while true {
      if isCancelled { throw .interrupted }
      let left = deadline - Clock.monotonicMicroseconds()
      if left <= 0 { return }
      usleep(UInt32(min(left, 100_000)))
    }
  }
}

/// Where a comparison was, so that another run can go on from there. Cursors of SCAN mean something to
/// the server process that gave them alone.
struct VerifyPlace: Sendable, Equatable {
  /// Whether the source's keys are done, and the destination's are being looked up.
  var looksForExtra: Bool
  /// The db, of the source or the destination.
  var database: Int
  /// SCAN's cursor.
  var cursor: [UInt8]
  /// The route, counted from 0.
  var route = 0
  /// The process of the server that is scanned, by the beginning of its run id.
  var runID: String
  /// Whether something was found before, or left undecided.
  var foundDifferences: Bool
  var leftUndecided = false

  /// A word that `--from` takes.
  var text: String {
    [
      "\(route)", looksForExtra ? "extra" : "keys", "\(database)",
      String(decoding: cursor, as: UTF8.self), runID,
      foundDifferences ? "differ" : leftUndecided ? "undecided" : "same",
    ].joined(separator: ":")
  }

  /// The option that goes on from here, to be copied: the cursor and the run id are a server's words.
  var option: String { "--from \(ShellWord.quoted(text))" }

  init(
    looksForExtra: Bool, database: Int, cursor: [UInt8], route: Int, runID: String,
    foundDifferences: Bool
  ) {
    self.looksForExtra = looksForExtra
    self.database = database
    self.cursor = cursor
    self.route = route
    self.runID = runID
    self.foundDifferences = foundDifferences
  }

  /// Reads what `text` wrote; nil for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 6, let route = Int(parts[0]), (0...1_000).contains(route),
      ["extra", "keys"].contains(parts[1]), let database = Int(parts[2]),
      (0...Int(Int32.max)).contains(database), let cursor = UInt64(parts[3]),
      ["differ", "undecided", "same"].contains(parts[5])
    else { return nil }
    self.init(
      looksForExtra: parts[1] == "extra", database: database, cursor: Array("\(cursor)".utf8),
      route: route, runID: String(parts[4]), foundDifferences: parts[5] == "differ")
    leftUndecided = parts[5] == "undecided"
  }
}
