// The snapshot's way to the destination: the record first says that one is being written, then the
// loaders write it, then what the destination has beyond it goes, then the record says it is there.

import RDBParser
import ReplicaLink

extension DestinationReplay {
  /// Loads the snapshot that the link has announced, or asks it for one.
  func load() throws(ReplayError) {
    try awaitLeaveForSnapshot()
    try refuseReverseSnapshot()
    guard let start = feed.takeSnapshot() else {
      // A destination that takes nothing must not cost the source one snapshot after another.
      try insist { () throws(ReplayError) in
        try writeRecord(.snapshot, ReplicationPlace(replicationID: "", offset: 0))
      }
      progress.notices.goesOn()
      feed.requestSnapshot(
        plan.named(snapshotReason ?? "the destination does not hold a whole snapshot"))
      try awaitLink { feed.announced != nil }
      return try load()
    }
    snapshotReason = nil
    phases.enter(.snapshot)
    hasConverged = false
    snapshotCounters.reset()
    progress.beginSnapshot()
    origin = "\(start.replicationID):\(start.offset)"
    let place = ReplicationPlace(replicationID: start.replicationID, offset: start.offset)
    try insist { () throws(ReplayError) in try writeRecord(.snapshot, place) }
    progress.notices.goesOn()
    let server = watch.server
    let repeats = isRepeated
    isRepeated = true
    let known = try write(repeats: repeats)
    if let known { try insist { () throws(ReplayError) in try reconcile(known) } }
    if snapshotCounters.mayExpire.load(ordering: .relaxed) { mayExpire = true }
    try persistLateSkips(isLast: true)
    CrashPoint.snapshotWritten.pass()
    try insist { () throws(ReplayError) in try writeRecord(.stream, place, at: server) }
    CrashPoint.snapshotRecorded.pass()
    isLoaded = true
    progress.resume(at: start.offset)
    applied(start.offset, generation: feed.generation)
  }

  /// Brings the snapshot to the destination.
  ///
  /// - Parameter repeats: whether an earlier attempt has written some of it: that is ours to
  ///   overwrite.
  /// - Returns: the keys of it, when it repeats.
  private func write(repeats: Bool) throws(ReplayError) -> KeyHashSet? {
    var sink = loaderSink(repeats: repeats)
    defer { sink.close() }
    let reader = SnapshotReader(
      feed: feed, counters: snapshotCounters,
      features: plan.facts?.commandFeatures ?? RDBCommandFeatures()
    ) { [self] () throws(ReplayError) in
      try throwIfOver()
      try persistLateSkips()
    }
    var snapshot = SnapshotReplay(
      reader, filter: plan.filter, counters: snapshotCounters, skipped: progress.skippedKeys,
      remembersKeys: repeats)
    do {
      try snapshot.run(into: &sink) { [self] (names) throws(ReplayError) in
        // Beside the loaders, whose connections no other may end.
        var connection = try snapshotConnector.openAsRunner(interrupt: stopBell)
        try SkippedKeys.add(names, to: runner.identity.otherTypesKey, &connection)
      }
      try sink.drain()
    } catch {
      // What was handed over is finished when the operator stops; a failure ends at once.
      if error.isInterruption { try finish(&sink) }
      throw error
    }
    progress.setOtherTypes(snapshot.otherTypes)
    return snapshot.known
  }

  /// Waits for what is under way when the run is to stop. A stranger's key that turns up then has to be
  /// remembered.
  func finish(_ sink: inout LoaderSink) throws(ReplayError) {
    do throws(ReplayError) {
      try sink.drain()
    } catch {
      if error.strangersKey != nil { throw error }
    }
  }

  /// The loaders and what encodes for them.
  func loaderSink(repeats: Bool) -> LoaderSink {
    let version = plan.facts?.version ?? Preflight.destinationVersionMin
    let conflicts = repeats ? .replace : plan.onConflict
    return LoaderSink(
      loaders: LoaderPool(
        count: plan.workers, connector: snapshotConnector, conflicts: conflicts,
        mapping: plan.mapping, targets: targets, progress: progress,
        isStopRequested: { [host] in host.isStopRequested }),
      encoder: EntryEncoder(
        mapping: plan.mapping, conflicts: conflicts,
        setTakesExpiry: version >= ServerVersion(6, 2)),
      types: RestorableTypes(plan.facts),
      movesFunctions: plan.movesFunctions, counters: snapshotCounters)
  }

  func reconcile(_ known: KeyHashSet) throws(ReplayError) {
    var reconciliation = Reconciliation(
      connection: try snapshotConnector.openAsRunner(interrupt: stopBell), plan: plan,
      snapshot: known,
      skipped: progress.skippedKeys)
    let removed = try reconciliation.run { () throws(ReplayError) in try throwIfOver() }
    if removed > 0 {
      progress.notices.note(
        "removed \(HumanNumber.count(removed)) keys that the source no longer has")
    }
  }

  /// Keys that appeared at the destination while the snapshot is written are to be left alone by later
  /// runs, too, whatever becomes of this one: they are written down once a second, and at the end.
  func persistLateSkips(isLast: Bool = false) throws(ReplayError) {
    let now = Clock.monotonicMilliseconds()
    guard isLast || now - skipsPersistedMilliseconds >= 1_000 else { return }
    skipsPersistedMilliseconds = now
    let late = progress.lateSkippedKeys
    if late.isEmpty { return }
    try insist { () throws(ReplayError) in
      // Beside the loaders, whose connections no other may end.
      var connection = try snapshotConnector.openAsRunner(interrupt: stopBell)
      try SkippedKeys.add(late, to: runner.identity.skippedKey, &connection)
    }
    progress.forgetLateSkips(late.count)
  }

  /// - Parameter server: where the snapshot was written. One that has restarted since may have lost the
  ///   end of it.
  func writeRecord(
    _ phase: JobRecord.Phase, _ place: ReplicationPlace, at server: ServerIdentity? = nil
  ) throws(ReplayError) {
    var connection = try openOnRecord()
    if let server, !ServerIdentity.isSame(watch.server, server) {
      requestSnapshot("the destination has restarted while the snapshot was written")
      throw ReplayError("a new snapshot is needed", .restart)
    }
    let record = JobRecord(
      phase: phase, place: place, origin: origin, database: 0, rules: runner.identity.rules,
      source: plan.sourceAddress)
    let forgetting = [Array("DEL".utf8), runner.identity.repairsKey]
    guard phase == .snapshot else {
      // Whoever reads that the snapshot is there must find no key of before under repair.
      _ = try Self.ask(&connection, forgetting)
      return try write(record, &connection)
    }
    // The other way round: as long as the record says that the data are of use, they are only so together
    // with what is under repair.
    try write(record, &connection)
    _ = try Self.ask(&connection, forgetting)
    _ = try Self.ask(&connection, [Array("UNLINK".utf8), runner.identity.otherTypesKey])
    try StrangersKey.forget(of: runner.identity, &connection)
  }

  func write(
    _ record: JobRecord, _ connection: inout RedisConnection
  ) throws(ReplayError) {
    watch.willWrite(RecordMark(record))
    _ = try Self.ask(&connection, record.command(runner.identity))
    watch.hasWritten()
  }

  /// Opens the connections with which the snapshot is written, as long as the record says that it is.
  private var snapshotConnector: DestinationConnector {
    var connector = connector
    connector.claim = watch.claim
    return connector
  }
}
