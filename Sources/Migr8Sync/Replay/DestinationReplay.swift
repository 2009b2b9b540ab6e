// The replay of one destination: its thread, and the one loop in which everything that can happen to
// it comes down to "begin again from the checkpoint".
//
//   ┌─▶ session: connect, confirm the lease, read the record
//   │      no snapshot there yet ─▶ load one (+Snapshot)
//   │      follow the stream behind the checkpoint (+Stream)
//   └── connection lost, destination busy, link gone back, new snapshot …

import RDBParser
import ReplicaLink
import Synchronization

/// How a run that did not fail ended.
enum ReplayOutcome: Sendable {
  /// Snapshot and catch-up are done, as `--once` asked.
  case converged
  /// The operator stopped it.
  case interrupted
}

/// What a destination's replay needs of the job it is part of.
protocol ReplayHost: AnyObject, Sendable {
  var isStopRequested: Bool { get }
  /// Whether the run ends here, because every destination has caught up.
  var isComplete: Bool { get }
  /// How far the source's stream has come, and when.
  var pulse: SourcePulse { get }
  /// The offset at which a destination has caught up; asked when the stream begins.
  func catchUpGoal() -> UInt64
  /// When the byte behind `offset` of the stream arrived, in milliseconds since 1970.
  func receiptTime(at offset: UInt64) -> Int64?
  /// Whether that byte was written at the source before it was asked for, so that its arrival says
  /// nothing of when.
  func isLate(at offset: UInt64) -> Bool
  /// How far the stream may be applied, and how fast.
  var gate: StreamGate { get }
  var pacer: Pacer { get }
  /// Everything up to `offset` is applied at a destination. On any thread.
  ///
  /// - Parameter generation: the beginning of the link's that the offset belongs to.
  func applied(_ offset: UInt64, generation: Int, at destination: Int)
  /// The source asks to be told as soon as everything up to `offset` is applied everywhere.
  func acknowledge(onceApplied offset: UInt64)
  /// Whether a destination has caught up: what it has is as new as the source was.
  func setConverged(_ isSo: Bool, at destination: Int)
}

/// Brings the source's data to one destination. `run` occupies a thread.
///
/// `@unchecked Sendable`: what other threads read (`progress`, the counters, `phases`)
/// guards itself; the rest is the replay thread's alone.
final class DestinationReplay: @unchecked Sendable {
  let plan: DestinationPlan
  let runner: JobRunner
  /// What keeps the job this run's; nil where nothing is written.
  let lease: LeaseKeeper?
  let host: any ReplayHost
  let progress: ReplayProgress
  let snapshotCounters = SnapshotCounters()
  let streamCounters = StreamCounters()
  let phases = PhaseClock()
  /// For a cutover: what the stream has changed last, and what came behind its end.
  let recentKeys = RecentKeys()
  let lateWrites = LateWrites()
  /// What had waited at the fence of a cutover, and was carried over.
  let carriedWrites = LateWrites()
  /// Rung when the operator wants the run to end: no question to the destination is waited for then.
  let stopBell: WakePipe

  let feed: Feed
  let connector: DestinationConnector
  let targets: DestinationDatabases
  /// Whether the destination holds a whole snapshot of this job.
  var isLoaded: Bool
  /// Whether keys of an earlier snapshot of this job may be there.
  var isRepeated: Bool
  /// The snapshot that the destination's data go back to, as the record names it.
  var origin: String
  /// What this run knows of the record at the destination.
  let watch: RecordWatch
  /// What a reverse begins with, until both servers know.
  var firstRecord: JobRecord?
  /// The place that the source was last asked to go back to.
  var requestedPlace: ReplicationPlace?
  /// When keys that the destination keeps were last written down.
  var skipsPersistedMilliseconds: Int64 = 0
  /// Why the next snapshot is needed.
  var snapshotReason: String?
  /// Whether a first catching up since the last snapshot is behind it.
  var hasConverged = false {
    didSet { host.setConverged(hasConverged, at: plan.index) }
  }
  /// Whether any key of the job may have a time to live.
  var mayExpire: Bool

  /// - Parameter record: what the destination had of the job before.
  init(
    plan: DestinationPlan, runner: JobRunner, lease: LeaseKeeper?, watch: RecordWatch,
    record: JobRecord?, reader: LinkReader, stopBell: WakePipe, host: any ReplayHost
  ) {
    self.plan = plan
    self.runner = runner
    self.lease = lease
    self.watch = watch
    self.host = host
    progress = ReplayProgress(gate: host.gate, pacer: host.pacer)
    self.stopBell = stopBell
    feed = Feed(reader)
    var connector = DestinationConnector(
      locator: plan.locator, timeouts: plan.timeouts, runner: runner)
    connector.knowsImportMode = plan.facts?.knowsImportMode ?? false
    self.connector = connector
    mayExpire = record != nil
    targets = DestinationDatabases(connector, interrupt: stopBell)
    isLoaded = record?.phase == .stream
    isRepeated = record != nil
    origin = record?.origin ?? ""
    if let record {
      progress.resume(
        at: record.place.offset,
        confirmed: record.isConfirmed ? nil : record.confirmed.offset)
    }
  }

  /// Works until the run is over.
  ///
  /// - Throws: why it cannot go on: `.failure`, or `.interruption`.
  func run() throws(ReplayError) -> ReplayOutcome {
    lease?.serve(progress)
    var pause = Backoff.forStream()
    var snapshotPause = Backoff.forSnapshot()
    while true {
      do throws(ReplayError) {
        let outcome = try session(&pause)
        watch.end(at: progress.appliedOffset.load(ordering: .sequentiallyConsistent))
        return outcome
      } catch {
        progress.forgetFailure()
        if host.gate.isHandedOver, !error.isInterruption {
          progress.notices.note("behind the hand-over: \(error)")
          continue
        }
        switch error.kind {
        case .failure:
          if error.leavesGap { markIncomplete() }
          if let name = error.strangersKey { remember(name) }
          throw error
        case .interruption: throw error
        case .restart: continue
        case .transient:
          progress.notices.waiting("\(error); trying again")
          try rest(milliseconds: isLoaded ? pause.next() : snapshotPause.next())
        }
      }
    }
  }

  /// Waits between two sessions. What the lease keeper finds meanwhile, and may pass, only ends the wait: the
  /// next session begins anew in any case.
  private func rest(milliseconds: Int64) throws(ReplayError) {
    do throws(ReplayError) {
      try wait(milliseconds: milliseconds)
    } catch {
      switch error.kind {
      case .failure, .interruption: throw error
      case .restart, .transient: progress.forgetFailure()
      }
    }
  }

  /// A command was refused inside a transaction whose checkpoint says that it is applied: later runs
  /// must not go on behind it.
  private func markIncomplete() {
    do throws(ReplayError) {
      var connection = try openForFarewell()
      let phase = JobRecord.Phase.snapshot.rawValue
      watch.willWrite(watch.mark?.with(.snapshot))
      _ = try Self.ask(
        &connection,
        [
          Array("HSET".utf8), runner.identity.recordKey, Array("phase".utf8), Array(phase.utf8),
        ])
    } catch {}
  }

  /// The same command must not go over it unasked.
  private func remember(_ strangersKey: KeyName) {
    do throws(ReplayError) {
      var connection = try openForFarewell()
      try StrangersKey.remember(strangersKey, of: runner.identity, &connection)
    } catch {}
  }

  private func session(_ pause: inout Backoff) throws(ReplayError) -> ReplayOutcome {
    if host.gate.isHandedOver { return try awaitClosing() }
    if plan.isByScan { return try copyByScan() }
    try establish()
    try awaitLink { feed.announced != nil || feed.isStreaming }
    if feed.announced != nil { isLoaded = false }
    if !isLoaded { try load() }
    try awaitLink { feed.isStreaming }
    return try follow(&pause)
  }

  /// Everything was applied before the hand-over, and what the record says now is not this side's business.
  private func awaitClosing() throws(ReplayError) -> ReplayOutcome {
    while !host.gate.isClosed {
      if host.isStopRequested { throw .interrupted }
      host.gate.wait(milliseconds: Feed.patienceMilliseconds)
    }
    return .converged
  }

  /// Waits while a cutover is under way: a snapshot would go over what the application has written since.
  func awaitLeaveForSnapshot() throws(ReplayError) {
    while host.gate.holdsSnapshots {
      try throwIfOver()
      if host.gate.isHandedOver { throw ReplayError("the application was handed over", .restart) }
      host.gate.wait(milliseconds: Feed.patienceMilliseconds)
    }
  }

  /// Waits for the link to announce something; what comes before that is void.
  func awaitLink(_ condition: () -> Bool) throws(ReplayError) {
    while !condition() {
      try throwIfOver()
      try feed.awaitBeginning()
    }
  }

  /// Throws the failure of another thread, or the operator's wish.
  func throwIfOver() throws(ReplayError) {
    try progress.throwFailure()
    if host.isStopRequested { throw .interrupted }
  }

  /// Everything up to `offset` is applied here, but for keys under repair. On any thread.
  func applied(_ offset: UInt64, generation: Int) {
    host.applied(
      min(offset, progress.acknowledgeCeiling.load(ordering: .acquiring)), generation: generation,
      at: plan.index)
    host.gate.note()
  }

  /// The source asks to be told as soon as everything up to `offset` is applied.
  func acknowledge(onceApplied offset: UInt64) {
    host.acknowledge(onceApplied: offset)
    let now = progress.appliedOffset.load(ordering: .sequentiallyConsistent)
    applied(now, generation: feed.generation)
  }

  /// The stream is caught up with.
  func converge() {
    hasConverged = true
    if !host.isComplete { phases.enter(.following) }
  }

  /// Whether keys that expire at the destination too early can be found out: they are read again at an
  /// offset, which needs INFO.
  var watchesExpiry: Bool { plan.source != nil }

  /// Says so when the destination's clock makes commands look old that are not.
  func warnOfClocks() {
    let skew = progress.clocks.skewMilliseconds
    guard skew > DestinationClocks.ageMillisecondsMax / 2 else { return }
    progress.notices.note(
      ofKind: "clocks",
      "the destination's clock is \(skew) ms ahead of the source's: keys expire there so much too early"
        + " and are read again from the source (set both clocks by NTP)")
  }

  /// Nothing that is held can serve the destination: the next session begins with a snapshot.
  func requestSnapshot(_ reason: String) {
    isLoaded = false
    snapshotReason = reason
  }

  /// Does something that can be done twice, and does it again when the destination was away: cheaper
  /// than beginning again from the checkpoint, where that is a new snapshot.
  func insist(_ step: () throws(ReplayError) -> Void) throws(ReplayError) {
    var pause = Backoff.forStream()
    var hasWaited = false
    while true {
      do throws(ReplayError) {
        try step()
        if hasWaited { progress.notices.goesOn() }
        return
      } catch {
        guard error.kind == .transient else { throw error }
        progress.notices.waiting("\(error); trying again")
        hasWaited = true
        try wait(milliseconds: pause.next())
      }
    }
  }

  /// Opens a connection of the job, on the db of its record. No other may be in use.
  func openOnRecord() throws(ReplayError) -> RedisConnection {
    var connection = try connector.openAsRunner(interrupt: stopBell)
    try runner.endAbandoned(&connection)
    try confirmRecord(&connection)
    return connection
  }

  /// The same for the last word of a run, which is said also when it is to stop.
  private func openForFarewell() throws(ReplayError) -> RedisConnection {
    var connector = connector
    connector.timeouts = JobStart.farewellTimeouts
    var connection = try connector.openAsRunner(interrupt: nil)
    try runner.endAbandoned(&connection)
    try confirmRecord(&connection)
    return connection
  }

  /// Makes sure that nobody else has worked on the job. The record is written before the job's first key,
  /// and a server that has lost it has lost what came behind it, too: matching keys there are not the job's,
  /// unless such were there before.
  private func confirmRecord(_ connection: inout RedisConnection) throws(ReplayError) {
    let finding = try watch.confirm(&connection)
    guard finding == .atAnotherServer, watch.mark == nil, watch.server != nil else { return }
    if plan.reverses == nil, !plan.isCleared { isRepeated = false }
  }

  /// Sends a command whose refusal ends the session.
  static func ask(
    _ connection: inout RedisConnection, _ command: [[UInt8]]
  ) throws(ReplayError) -> RESPValue {
    let reply = try ReplayError.wrap { () throws(LinkError) in try connection.command(command) }
    if let line = reply.errorLine {
      throw DestinationRefusal.error(
        line, command: String(decoding: command[0], as: UTF8.self),
        key: command.count > 1 ? command[1] : nil, place: "", peer: connection.peer)
    }
    return reply
  }

  /// Waits; a stop ends it early.
  func wait(milliseconds: Int64) throws(ReplayError) {
    let deadline = Clock.monotonicMilliseconds() + milliseconds
    try progress.monitor.withLock { () throws(ReplayError) in
      while Clock.monotonicMilliseconds() < deadline {
        try progress.throwFailureLocked()
        if host.isStopRequested { throw .interrupted }
        _ = progress.monitor.wait(
          untilMilliseconds: min(deadline, Clock.monotonicMilliseconds() + 100))
      }
    }
  }
}
