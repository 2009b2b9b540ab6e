// Keeps the job's lease at a destination alive, on a connection and a thread of its own, from the moment
// that the job is taken: neither a question to the operator nor a long snapshot nor a full lane lets it run
// out, only a destination that answers nobody.

import ReplicaLink

/// Renews the lease until stopped.
///
/// `@unchecked Sendable`: what changes is guarded by `monitor`.
final class LeaseKeeper: @unchecked Sendable {
  /// So often that a destination with a `timeout` of one second does not close the connection.
  private static let intervalMilliseconds = JobRunner.leaseMilliseconds / 20

  private let runner: JobRunner
  private let connector: DestinationConnector
  private let watch: RecordWatch
  private let isReverse: Bool
  private let stopBell = WakePipe()
  private let monitor = Monitor()
  private var thread: NamedThread?
  /// Whether others can see by now that a process is at work, where the destination lets them.
  private var hasBegun = false
  /// Who is told of a loss; nil before the run.
  private var progress: ReplayProgress?
  private var isStopping = false
  /// How the job was lost before the run.
  private var loss: ReplayError?

  init(_ plan: DestinationPlan, _ runner: JobRunner, _ watch: RecordWatch) {
    self.runner = runner
    self.watch = watch
    isReverse = plan.reverses != nil
    var connector = DestinationConnector(
      locator: plan.locator, timeouts: plan.timeouts, runner: runner)
    connector.knowsImportMode = plan.facts?.knowsImportMode ?? false
    connector.isForLease = true
    self.connector = connector
  }

  /// Starts the thread, and waits until it is connected, or could not connect.
  func start() {
    let thread = NamedThread("lease") { [self] in
      repeat {
        // A destination that cannot be reached is the lane's and the loaders' to report.
        do throws(ReplayError) { try renewWhileConnected() } catch {}
        begin()
      } while pause()
    }
    monitor.withLock {
      self.thread = thread
      while !hasBegun { monitor.wait() }
    }
  }

  /// The run begins: from now on a lease that has vanished is taken again, and what is lost is told.
  func serve(_ progress: ReplayProgress) {
    let loss = monitor.withLock {
      self.progress = progress
      return self.loss
    }
    if let loss { progress.fail(loss) }
  }

  /// Ends the thread.
  func stop() {
    stopBell.ring()
    let thread = monitor.withLock {
      isStopping = true
      monitor.broadcast()
      defer { self.thread = nil }
      return self.thread
    }
    thread?.join()
  }

  /// Ends the run, which may not have begun.
  private func fail(_ error: ReplayError) throws(ReplayError) {
    let progress = monitor.withLock {
      loss = loss ?? error
      return self.progress
    }
    progress?.fail(error)
    throw error
  }

  private func begin() {
    monitor.withLock {
      hasBegun = true
      monitor.broadcast()
    }
  }

  private func renewWhileConnected() throws(ReplayError) {
    var connection = try connector.open(interrupt: stopBell)
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(runner.identity.database)".utf8)])
    var clock = ClockReading()
    repeat {
      guard let progress = monitor.withLock({ self.progress }) else {
        do throws(ReplayError) {
          try runner.prolong(&connection)
        } catch {
          // A reverse is attached long before it begins, and its server may be held still for longer than a
          // lease lasts; when it begins, it looks at its record.
          if error.kind == .failure, !isReverse { try fail(error) }
          throw error
        }
        begin()
        continue
      }
      // Behind a hand-over the record is that of the reverse.
      if !progress.gate.isHandedOver, let error = try watch.look(&connection) { try fail(error) }
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
      try ReplayError.wrap { () throws(LinkError) in
        try readClock(&connection, &clock, progress.clocks)
      }
    } while pause()
  }

  /// Reads the destination's clock, by which it expires keys, and whether it still does not.
  private func readClock(
    _ connection: inout RedisConnection, _ clock: inout ClockReading, _ clocks: DestinationClocks
  ) throws(LinkError) {
    let sent = Clock.monotonicMilliseconds()
    if let time = try connection.command("TIME").milliseconds {
      let received = Clock.monotonicMilliseconds()
      if let offset = clock.offset(of: time, between: sent, and: received) {
        clocks.noteDestination(offset)
      }
    }
    guard connector.knowsImportMode else { return }
    // A user that may not ask has to leave it on.
    let mode = try connection.command("CONFIG", "GET", "import-mode").array
    if mode?.last?.text == "no" { clocks.noteImport(false) }
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
