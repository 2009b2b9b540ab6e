// ServerLoad: what extract --dest adds to a run over a file: a server in place of outputs. The loaders are those
// of sync; there is no job, since a file can be loaded again: nothing is kept at the server but the keys.

import RDBParser
import ReplicaLink

/// The server that a file's keys go into, and how far they are. Shared by the reading thread, which writes
/// to it, and the main thread, which shows it and sees that it does not wait for ever.
///
/// `@unchecked Sendable`: the numbers guard themselves; `waitsSince` and `stopSeen` are the main
/// thread's alone.
final class ServerLoad: RunPeer, @unchecked Sendable {
  let server: ExtractOptions.Server
  let progress: ReplayProgress
  private let facts: ServerFacts?
  private let bell = WakePipe()
  /// What the operator should know of the choice of the server.
  let remark: String?
  private var waitsSince: Int64?
  private var stopSeen: Int64?

  /// Checks the server, and that it holds none of the keys unless that was asked for.
  init(_ server: ExtractOptions.Server) throws(PreflightError) {
    self.server = server
    progress = ReplayProgress(
      gate: StreamGate(), pacer: Pacer(server.maximumRate), remembersSkipped: false)
    let locator = ServerLocator(server.url, timeouts: server.timeouts)
    let found = try Preflight.destination(
      locator, server.mapping, timeouts: server.timeouts, writes: true)
    facts = found.facts
    remark = found.remark
    guard case .fail = server.onConflict else { return }
    let existing = try Self.existingKeys(server, at: found)
    if existing.count > 0 {
      throw Preflight.refuse(
        "the destination \(server.url.endpoint) already holds \(existing.words): nothing was written"
          + " (choose --on-conflict replace|skip)")
    }
  }

  private static func existingKeys(
    _ server: ExtractOptions.Server, at found: DestinationFindings
  ) throws(PreflightError) -> DestinationKeys.Findings {
    var keys = DestinationKeys(
      try Preflight.connect(found.url, server.timeouts), mapping: server.mapping,
      databases: DestinationKeys.databases(found.facts, server.mapping))
    do throws(ReplayError) {
      return try keys.count()
    } catch {
      throw .failed(error)
    }
  }

  /// How values become commands for this server.
  var commandOptions: RDBCommandOptions {
    var options = RDBCommandOptions()
    options.features = facts?.commandFeatures ?? RDBCommandFeatures()
    options.appliesExpiry = false
    return options
  }

  /// Starts the loaders.
  ///
  /// - Parameter movesFunctions: whether functions are to go along.
  func sink(movesFunctions: Bool, counters: SnapshotCounters) -> LoaderSink {
    let version = facts?.version ?? Preflight.destinationVersionMin
    let connector = DestinationConnector(
      locator: ServerLocator(server.url, timeouts: server.timeouts), timeouts: server.timeouts,
      runner: nil)
    return LoaderSink(
      loaders: LoaderPool(
        count: server.workers, connector: connector, conflicts: server.onConflict,
        mapping: server.mapping, targets: DestinationDatabases(connector, interrupt: bell),
        progress: progress, isStopRequested: { false }),
      encoder: EntryEncoder(
        mapping: server.mapping, conflicts: server.onConflict,
        setTakesExpiry: version >= ServerVersion(6, 2)),
      types: RestorableTypes(facts),
      movesFunctions: movesFunctions && version >= ServerVersion(7), counters: counters)
  }

  // MARK: The main thread

  func add(to snapshot: inout ProgressSnapshot) {
    snapshot.keysWritten = progress.keysWritten.load(ordering: .relaxed)
    snapshot.keysSkipped = progress.keysSkipped.load(ordering: .relaxed)
    snapshot.bytesWritten = progress.bytesWritten.load(ordering: .relaxed)
    snapshot.warning = progress.notices.current
  }

  func takeNotices(isStopping: Bool) -> [String] {
    look(isStopping: isStopping)
    return progress.notices.take()
  }

  /// Ends the run when the server has been away, or has taken nothing, for too long, or when the operator
  /// does not want to wait for it.
  private func look(isStopping: Bool) {
    let now = Clock.monotonicMilliseconds()
    if isStopping {
      let seen = stopSeen ?? now
      stopSeen = seen
      if now - seen > SyncCommand.stopPatienceMilliseconds { progress.fail(.interrupted) }
    }
    guard let obstacle = progress.notices.current else { return waitsSince = nil }
    let since = waitsSince ?? now
    waitsSince = since
    if now - since > server.timeouts.ioMilliseconds {
      let reason = obstacle.replacing("; trying again", with: "")
      let time = HumanNumber.duration(milliseconds: server.timeouts.ioMilliseconds)
      progress.fail(ReplayError("\(reason); given up after \(time) (--io-timeout)"))
    }
  }

  /// What is at the server, in words. What it was sent and has not answered may be there, too.
  var result: String {
    let isExact = progress.bytesInFlight.load(ordering: .relaxed) == 0
    let count = HumanNumber.count(progress.keysWritten.load(ordering: .relaxed))
    let written = (isExact ? "" : "at least ") + count
    let skipped = progress.keysSkipped.load(ordering: .relaxed)
    return "\(written) keys were written to \(server.url.endpoint)"
      + (skipped > 0 ? ", \(HumanNumber.count(skipped)) that it had were left alone" : "")
  }
}
