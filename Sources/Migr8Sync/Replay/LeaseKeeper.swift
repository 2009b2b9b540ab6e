// Keeps the job's lease at a destination alive, on a connection and a thread of its own: neither a
// long snapshot nor a full lane lets it run out, only a destination that answers nobody.

import ReplicaLink

/// Renews the lease until stopped.
///
/// `@unchecked Sendable`: `isStopping` is guarded by `monitor`, the rest is immutable.
final class LeaseKeeper: @unchecked Sendable {
  /// So often that a destination with a `timeout` of one second does not close the connection.
  private static let intervalMilliseconds = JobRunner.leaseMilliseconds / 20

  private let runner: JobRunner
  private let connector: DestinationConnector
  private let progress: ReplayProgress
  private let stopBell = WakePipe()
  private let monitor = Monitor()
  private var isStopping = false

  init(_ replay: DestinationReplay) {
    runner = replay.runner
    var connector = replay.connector
    connector.isForLease = true
    self.connector = connector
    progress = replay.progress
  }

  /// Starts the thread.
  func start() -> NamedThread {
    NamedThread("lease") { [self] in
      repeat {
        // A destination that cannot be reached is the lane's and the loaders' to report.
        do throws(ReplayError) { try renewWhileConnected() } catch {}
      } while pause()
    }
  }

  /// Ends the thread soon.
  func stop() {
    stopBell.ring()
    monitor.withLock {
      isStopping = true
      monitor.broadcast()
    }
  }

  private func renewWhileConnected() throws(ReplayError) {
    var connection = try connector.open(interrupt: stopBell)
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(runner.identity.database)".utf8)])
    var clock = ClockReading()
    repeat {
      switch try runner.renew(&connection) {
      case .renewed: break
      case .retaken:
        // This process may have slept, or all of the destination may be gone.
        if try !JobRecord.exists(runner.identity, &connection) {
          progress.fail(ReplayError("the destination has lost the job's record", .restart))
        }
      case .takenOver:
        return progress.fail(
          ReplayError("job \(runner.identity.name) was taken over by another process"))
      }
      try ReplayError.wrap { () throws(LinkError) in try readClock(&connection, &clock) }
    } while pause()
  }

  /// Reads the destination's clock, by which it expires keys, and whether it still does not.
  private func readClock(
    _ connection: inout RedisConnection, _ clock: inout ClockReading
  ) throws(LinkError) {
    let sent = Clock.monotonicMilliseconds()
    if let time = try connection.command("TIME").milliseconds {
      let received = Clock.monotonicMilliseconds()
      if let offset = clock.offset(of: time, between: sent, and: received) {
        progress.clocks.noteDestination(offset)
      }
    }
    guard connector.knowsImportMode else { return }
    // A user that may not ask has to leave it on.
    let mode = try connection.command("CONFIG", "GET", "import-mode").array
    if mode?.last?.text == "no" { progress.clocks.noteImport(false) }
  }

  /// Waits for the next renewal; false when it is time to end.
  private func pause() -> Bool {
    let deadline = Clock.monotonicMilliseconds() + Self.intervalMilliseconds
    return monitor.withLock {
      while !isStopping, monitor.wait(untilMilliseconds: deadline) {}
      return !isStopping
    }
  }
}
