// What has happened that the operator should see: lines that are printed once, and what the run is
// waiting for right now.

import ReplicaLink

/// Passes remarks from the threads of a run to the reports.
///
/// `@unchecked Sendable`: everything mutable is guarded by `monitor`.
final class Notices: @unchecked Sendable {
  /// More lines than this are not kept while nobody prints them.
  private static let linesMax = 1_000
  /// More reasons than this are not said of one obstacle.
  private static let reasonsMax = 10

  private let monitor = Monitor()
  private var lines: [String] = []
  private static let repetitionMilliseconds: Int64 = 60_000
  private var saidMilliseconds: [String: Int64] = [:]
  private var obstacle: String?
  /// What was said since the present obstacle arose.
  private var said: Set<String> = []

  /// Something has happened.
  func note(_ line: String) {
    monitor.withLock { if lines.count < Self.linesMax { lines.append(line) } }
  }

  /// Something has happened that happens again and again: said once a minute at most.
  func note(ofKind kind: String, _ line: String) {
    let now = Clock.monotonicMilliseconds()
    monitor.withLock {
      if let last = saidMilliseconds[kind], now - last < Self.repetitionMilliseconds { return }
      saidMilliseconds[kind] = now
      if lines.count < Self.linesMax { lines.append(line) }
    }
  }

  /// The run waits for something to pass. Each reason is said once, however often it is tried.
  func waiting(_ line: String) {
    monitor.withLock {
      if said.count < Self.reasonsMax, said.insert(line).inserted, lines.count < Self.linesMax {
        lines.append(line)
      }
      obstacle = line
    }
  }

  /// It goes on.
  func goesOn() {
    monitor.withLock {
      if obstacle != nil { lines.append("going on: what was waited for is over") }
      obstacle = nil
      said = []
    }
  }

  /// The obstacle that is waited out at present; nil when there is none.
  var current: String? { monitor.withLock { obstacle } }

  /// The lines nobody has taken yet.
  func take() -> [String] {
    monitor.withLock {
      defer { lines = [] }
      return lines
    }
  }
}
