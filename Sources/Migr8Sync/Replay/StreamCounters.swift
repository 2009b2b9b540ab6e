// What following the stream has come to, by kind; counted by the replay thread, read by the reports.

import ReplicaLink

/// Counts of stream commands, as last published.
///
/// `@unchecked Sendable`: the counts are guarded by `monitor`.
final class StreamCounters: @unchecked Sendable {
  private let monitor = Monitor()
  private var counts = RoutingCounts()

  /// The counts as they are now.
  func publish(_ counts: RoutingCounts) {
    monitor.withLock { self.counts = counts }
  }

  /// The counts as they were a moment ago.
  var reading: RoutingCounts { monitor.withLock { counts } }
}
