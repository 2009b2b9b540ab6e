// ProgressSnapshot: all numbers of a run at one moment. Every report is made of one of these, so
// no two parts of a report can contradict each other.

/// The state of a run, as plain numbers.
struct ProgressSnapshot: Sendable {
  /// What a run is doing, in the order in which it does it.
  enum Phase: String, Sendable, CaseIterable {
    /// A file, which is all that extract, diff and analyze do.
    case reading
    case connecting
    case waitingForSnapshot = "waiting_for_snapshot"
    case snapshot
    case catchingUp = "catching_up"
    case following
    case finished

    /// Its name for a person.
    var title: String {
      switch self {
      case .waitingForSnapshot: "waiting for snapshot"
      case .catchingUp: "catching up"
      default: rawValue
      }
    }
  }

  var phase = Phase.connecting
  /// Since the run began, in milliseconds.
  var elapsedMilliseconds: Int64 = 0
  /// The time spent in each phase that began, so far.
  var phaseMilliseconds: [Phase: Int64] = [:]

  /// Keys of the snapshot that were read, are wanted, were written, and were left alone because
  /// the destination had them.
  var keysRead: UInt64 = 0
  var keysMatched: UInt64 = 0
  var keysWritten: UInt64 = 0
  var keysSkipped: UInt64 = 0
  /// How many keys the snapshot holds, where that is known.
  var keysExpected: UInt64?
  var snapshotBytesRead: UInt64 = 0
  /// The size of the snapshot, where the source says it beforehand.
  var snapshotBytesExpected: UInt64?
  /// Bytes that the destination confirmed, of the snapshot and the stream.
  var bytesWritten: UInt64 = 0

  /// Commands of the stream, by what became of them.
  var routing = RoutingCounts()
  /// What is not moved, by kind.
  var keysOfOtherTypes: UInt64 = 0
  /// Whether keys are copied by SCAN; of these, those that were gone before they were read, and values that
  /// changed while they were read in pieces.
  var isByScan = false
  var keysVanished: UInt64 = 0
  var keysTorn: UInt64 = 0
  var functionsLeftOut: UInt64 = 0
  var modulesLeftOut: UInt64 = 0

  /// The end of what the source sent, and of what is applied at the destination.
  var sourceOffset: UInt64 = 0
  var appliedOffset: UInt64 = 0
  var lagBytes: UInt64 = 0
  var lagMilliseconds: Int64 = 0
  /// What was received and waits, in memory and on disk, in bytes.
  var queueMemoryBytes: UInt64 = 0
  var queueDiskBytes: UInt64 = 0
  /// How often a lost link was made anew, and how often a snapshot began.
  var reconnects: UInt64 = 0
  var fullResynchronisations: UInt64 = 0
  /// What the operator should know now, while it is so.
  var warning: String?

  /// Of a run with several destinations, each one's own numbers; else empty.
  var destinations: [ProgressSnapshot] = []
  /// Of one of these, where it is.
  var address: String?

  /// Commands of the stream that were read.
  var commandsRead: UInt64 {
    destinations.isEmpty ? routing.total : destinations.map(\.commandsRead).min() ?? 0
  }
  /// Those that are sent on, whole or as what concerns the destination.
  var commandsForwarded: UInt64 { routing[.forwarded] + routing[.flushed] + routing[.swapped] }
  /// Those of which nothing concerns the destination.
  var commandsDropped: UInt64 { routing[.otherKeys] + routing[.otherDatabase] }

  /// The phase that the run is in or, once it is finished, the last one that it reached.
  var lastPhase: Phase {
    guard phase == .finished else { return phase }
    let reached = Phase.allCases.last { $0 != .finished && phaseMilliseconds[$0] != nil }
    return reached ?? .connecting
  }

  /// How much of the snapshot was read, 0 to 1, where its size is known.
  var snapshotFraction: Double? {
    if let expected = snapshotBytesExpected, expected > 0 {
      return min(1, Double(snapshotBytesRead) / Double(expected))
    }
    if let expected = keysExpected, expected > 0 {
      return min(1, Double(keysRead) / Double(expected))
    }
    return nil
  }
}
