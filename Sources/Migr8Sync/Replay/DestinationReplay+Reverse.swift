// The replay of a reverse, from the moment its link is attached: while the job still runs it only looks
// for the place where it is to begin, and once the application has moved it leaves word at both servers.

import ReplicaLink

extension DestinationReplay {
  /// Reads the stream up to the command that marks the hand-over in a job's record. Up to there all of it
  /// is the job's own doing or was there before, and behind it comes the application's. Before `run`.
  ///
  /// - Parameters:
  ///   - key: of the record.
  ///   - end: the offset that the mark names.
  /// - Returns: nil when it did not come in time.
  func findMark(
    inRecord key: [UInt8], of end: UInt64, untilMilliseconds deadline: Int64
  ) throws(ReplayError) -> ReplicationPlace? {
    while !feed.isStreaming {
      if Clock.monotonicMilliseconds() >= deadline { return nil }
      try feed.awaitBeginning()
    }
    var decoder = CommandDecoder(offset: feed.streamStart?.offset ?? 0)
    while Clock.monotonicMilliseconds() < deadline {
      let step = try ReplayError.wrap { () throws(LinkError) in try decoder.next() }
      switch step {
      case .needsInput:
        _ = try decoder.fill(minimum: 1 << 16) { room throws(ReplayError) -> Int in
          try feed.streamBytes(into: room)
        }
      case .largeCommand: break
      case .command:
        let isMark = decoder.withCommand { (bytes, arguments) in
          arguments.count == 4 && bytes[arguments[1]].elementsEqual(key)
            && bytes[arguments[2]].elementsEqual(JobRecord.handOverFields[0].utf8)
            && bytes[arguments[3]].elementsEqual("\(end)".utf8)
        }
        if isMark {
          return ReplicationPlace(replicationID: feed.replicationID, offset: decoder.endOffset)
        }
      }
    }
    return nil
  }

  /// Goes on from `record` as if it had been read at the destination, and writes it there when it can.
  /// Before `run`.
  func begin(with record: JobRecord) {
    firstRecord = record
    isLoaded = true
    isRepeated = true
    origin = record.origin ?? ""
    mayExpire = true
    progress.resume(at: record.place.offset)
  }

  /// Writes the reverse's first record where there is none, then into the other server's that the job has
  /// been turned round: in this order, so that whoever is told so finds it. Can be done again.
  func establish() throws(ReplayError) {
    guard let record = firstRecord, let job = plan.reverses else { return }
    var connection = try openOnRecord()
    if watch.mark == nil { try write(record, &connection) }
    CrashPoint.reversing.pass()
    var other = try ReplayError.wrap { () throws(LinkError) in
      try RedisConnection.open(
        try plan.sourceLocator.locate(interrupt: stopBell), timeouts: plan.timeouts,
        interrupt: stopBell)
    }
    let phase = JobRecord.Phase.reversed.rawValue
    for words in [
      ["SELECT", "\(job.database)"], ["HSET", job.recordName, "phase", phase],
      ["HDEL", job.recordName] + JobRecord.handOverFields,
    ] {
      _ = try Self.ask(&other, words.map { Array($0.utf8) })
    }
    firstRecord = nil
  }

  /// A reverse takes no snapshot unasked: what the source has kept may be all that there is, where the
  /// place was lost because the other server lost its data.
  func refuseReverseSnapshot() throws(ReplayError) {
    guard plan.reverses != nil, !plan.takesReverseSnapshot else { return }
    let reason =
      feed.announced?.reason ?? snapshotReason ?? "\(plan.address) holds no whole copy"
    throw ReplayError(
      "the reverse cannot go on where it was: \(reason); nothing was written to \(plan.address) since"
        + " (look at the data of \(plan.sourceAddress) first; then the same command with"
        + " --reverse-snapshot copies what it has anew, and removes what it has not)")
  }
}
