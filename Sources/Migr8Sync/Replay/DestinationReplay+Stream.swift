// The stream's way to the destination, from the checkpoint on.

import ReplicaLink

extension DestinationReplay {
  /// Follows the stream until the run is over or has to begin again.
  func follow(_ pause: inout Backoff) throws(ReplayError) -> ReplayOutcome {
    let (record, repairs) = try readCheckpoint()
    if !hasConverged { phases.enter(.catchingUp) }
    // A key under repair may be so since long before: the record does not say since when.
    let confirmed = repairs.isEmpty ? (record.isConfirmed ? nil : record.confirmed.offset) : 0
    progress.resume(at: record.place.offset, confirmed: confirmed)
    // What the lane says later belongs to the beginning that it was made in.
    let generation = feed.generation
    var connector = connector
    connector.claim = RecordClaim(stream: record)
    applied(record.place.offset, generation: generation)
    let pipeline = Pipeline(
      connector, mapping: plan.mapping, progress: progress,
      role: .lane(onApplied: { [self] offset in applied(offset, generation: generation) }))
    let lane = Lane(
      pipeline: pipeline, targets: targets, progress: progress,
      checkpoint: CheckpointEncoder(record, runner.identity),
      replicationID: { [feed] in Array(feed.replicationID.utf8) }, record: record)
    var stream = StreamReplay(replay: self, lane: lane, record: record, repairs: repairs)
    defer { stream.end() }
    pause.reset()
    progress.notices.goesOn()
    return try stream.run()
  }

  /// Goes to where the destination stands, or rather to where the replies to it were read, and reads
  /// what is under repair there.
  private func readCheckpoint() throws(ReplayError) -> (JobRecord, RepairBook) {
    var connection = try openOnRecord()
    let record = try JobRecord.read(runner.identity, &connection)
    guard let record, record.phase == .stream, record.origin ?? origin == origin else {
      isLoaded = false
      progress.notices.note("the destination has lost this job's data: a new snapshot is needed")
      throw ReplayError("the record is gone", .restart)
    }
    let place = record.resumePlace
    switch feed.rewind(to: place.offset, applied: record.place.offset) {
    case .done: break
    case .lost:
      requestSnapshot(
        "the destination stands at offset \(record.place.offset), and the source has lost what came"
          + " before that: it was promoted, or restarted, without it")
      throw ReplayError("the source has lost writes", .restart)
    case .notHeld:
      // The source's backlog may reach back further than what is held here.
      if requestedPlace != place || feed.streamStart?.offset != place.offset {
        requestedPlace = place
        feed.requestStream(from: place)
        throw ReplayError("the stream is asked for again", .restart)
      }
      requestSnapshot(
        "the destination stands at offset \(place.offset), which is held no more")
      throw ReplayError("the stream is not held", .restart)
    }
    requestedPlace = nil
    let repairs = try RepairBook.read(
      runner.identity, &connection, atBoundary: record.place.offset)
    return (record, repairs)
  }
}
