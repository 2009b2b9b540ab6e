// The steps of a cutover up to the hand-over.

import Glibc
import ReplicaLink

extension Cutover {
  // MARK: - Before the fence

  /// Whether everything is in order; opens what the fence will need.
  func examine() throws(CutoverError) -> String {
    if settings.reverses {
      log.begin(.examine, "asking both servers whether they can change roles")
    }
    let snapshot = subject.job.progressSnapshot()
    try examine(snapshot)
    try examineDirection()
    let fence = try SourceFence.open(
      subject.source, kind: settings.fence, filters: subject.options.routes.map(\.filter),
      timeouts: subject.options.timeouts)
    if fence.facts.isReplica {
      throw CutoverError(
        "\(fence.peer) is a replica: its writers are at \(fence.facts.masterAddress) (run sync with that"
          + " as its source; --prefer-replica takes the snapshot from a replica)")
    }
    let method = fence.description(milliseconds: settings.fenceMilliseconds)
    self.fence = consume fence
    if settings.queued == .refuse { try self.fence!.tryEnding() }
    try examineCarrying()
    ends.ends = []
    for replay in replays {
      do {
        ends.ends.append(
          DestinationEnds.End(try replay.connector.openAsRunner(interrupt: bell)))
      } catch {
        throw CutoverError(error)
      }
    }
    if settings.checkMilliseconds > 0 { try prepareCheck() }
    return
      "following, lag \(snapshot.lagMilliseconds) ms; the fence is \(method.joined(separator: " · "))"
  }

  /// The conditions, by the numbers of now.
  func examine(_ snapshot: ProgressSnapshot) throws(CutoverError) {
    guard snapshot.phase == .following else {
      throw CutoverError("the run is \(snapshot.phase.title) (wait until it follows)")
    }
    if gate.isPaused { throw CutoverError("the run is paused (resume it first)") }
    if snapshot.lagMilliseconds > settings.maxLagMilliseconds {
      throw CutoverError(
        "the lag is \(snapshot.lagMilliseconds) ms, more than --max-lag"
          + " \(settings.maxLagMilliseconds)ms (wait, or raise it)")
    }
    if let warning = snapshot.warning { throw CutoverError(warning) }
    for replay in replays
    where replay.progress.acknowledgeCeiling.load(ordering: .acquiring) != .max {
      throw CutoverError("keys are being read again from the source (wait a moment)")
    }
    let skipped = replays.reduce(0) { $0 + $1.progress.skippedKeys.count }
    if skipped > 0, !settings.acceptsSkippedKeys {
      throw CutoverError(
        "\(skipped) keys were left as the destination had them, with all their later writes"
          + " (--accept-skipped to hand over all the same)")
    }
    switch subject.verification() {
    case .clean: break
    case .none where settings.skipsVerify: break
    case .none:
      throw CutoverError(
        "the job has not compared both ends (run migr8sync verify \(subject.identity.name), or say"
          + " --skip-verify)")
    case .unclear where settings.skipsVerify: break
    case .unclear(let reason):
      throw CutoverError(
        "\(reason) (run migr8sync verify \(subject.identity.name) again, or say --skip-verify)")
    case .different(let count):
      throw CutoverError(
        "the last comparison of both ends found \(count) differences (mend them with 'migr8sync verify"
          + " -s URL -d URL --fix', then run migr8sync verify \(subject.identity.name) again)")
    }
  }

  private func prepareCheck() throws(CutoverError) {
    for (replay, end) in zip(replays, ends.ends) {
      do throws(LinkError) {
        let source = try RedisConnection.open(
          try subject.source.locate(interrupt: bell), timeouts: subject.options.timeouts,
          interrupt: bell)
        end.check = LastCheck(
          source: source, destination: try openPlain(replay), mapping: replay.plan.mapping)
      } catch {
        throw CutoverError(error)
      }
    }
  }

  private func openPlain(_ replay: DestinationReplay) throws(LinkError) -> RedisConnection {
    try RedisConnection.open(
      try replay.plan.locator.locate(interrupt: bell), timeouts: subject.options.timeouts,
      interrupt: bell)
  }

  /// Gathers the keys that change, for the check.
  func observe() -> String {
    for replay in replays { replay.recentKeys.gather(true) }
    wait(milliseconds: settings.observeMilliseconds) { false }
    let count = replays.reduce(0) { $0 + $1.recentKeys.all.count }
    return "\(count) keys have changed last"
  }

  /// Waits until the operator's file has gone.
  func postpone() throws(CutoverError) -> String {
    guard let file = settings.postponeFile, access(file, F_OK) == 0 else { return "not asked for" }
    log.begin(.postpone, "ready; waiting until \(LogLine.harmless(file)) is removed")
    while access(file, F_OK) == 0 {
      if isStopRequested { throw CutoverError("the run is to stop") }
      wait(milliseconds: 100) { false }
    }
    // Connections may have been closed in the meantime.
    _ = try examine()
    return "the file was removed"
  }

  // MARK: - In the fence

  func raiseFence() throws(CutoverError) -> String {
    if settings.fence == .hook {
      fenceBegun = Clock.monotonicMicroseconds()
      _ = try hook(.fence, milliseconds: settings.hookMilliseconds)
    }
    subject.job.source.pacer.lift(true)
    fullResyncs = subject.job.link.status.fullResyncCount
    gate.hold()
    if settings.fence != .hook { fenceBegun = Clock.monotonicMicroseconds() }
    sleptMilliseconds = Clock.sleptMilliseconds()
    let begun = Clock.monotonicMilliseconds()
    machine.fenceBegins(endsMilliseconds: begun + settings.fenceMilliseconds)
    let place = try self.fence!.raise(milliseconds: settings.fenceMilliseconds)
    let linked = subject.job.link.status.replicationID
    guard linked == place.replicationID else {
      throw CutoverError(
        "the source's history is \(place.replicationID), the link's \(linked ?? "unknown"): there was a"
          + " failover")
    }
    endPlace = place
    CrashPoint.fenced.pass()
    gate.admit(upTo: place.offset)
    return "the stream ends at offset \(place.offset)"
  }

  func drain() throws(CutoverError) -> String {
    guard let end = endPlace?.offset, let fenceEnd = machine.fenceEndsMilliseconds else {
      throw CutoverError("there is no end")
    }
    let replays = replays
    let isThere = gate.seal(
      untilMilliseconds: fenceEnd - CutoverSettings.reserveMilliseconds
    ) {
      replays.allSatisfy { $0.progress.isSettled(upTo: end) }
    }
    guard isThere else {
      let applied = replays.map { $0.progress.appliedOffset.load(ordering: .acquiring) }.min() ?? 0
      let reason = replays.compactMap(\.progress.notices.current).first.map { ": \($0)" } ?? ""
      if applied >= end {
        throw CutoverError(
          "keys were still being read again from the source when the time was up\(reason)")
      }
      throw CutoverError(
        "a destination had come to offset \(applied) only when the time was up\(reason)")
    }
    for replay in replays
    where replay.progress.appliedOffset.load(ordering: .acquiring) != end
      || subject.job.link.status.fullResyncCount != fullResyncs
    {
      throw CutoverError("the stream was begun anew meanwhile")
    }
    return "everything is applied, at \(replays.count) destination\(replays.count == 1 ? "" : "s")"
  }

  func check() throws(CutoverError) -> String {
    if fence?.method == .pauseAll { return "not done: the source answers nobody in such a pause" }
    var compared = 0
    var leftOut = 0
    for (replay, end) in zip(replays, ends.ends) {
      let keys = Array(replay.recentKeys.all)
      let deadline = Clock.monotonicMilliseconds() + settings.checkMilliseconds
      guard let findings = try end.check?.run(keys, untilMilliseconds: deadline) else { continue }
      if let key = findings.different.first {
        throw CutoverError(
          "\(findings.different.count) of \(findings.compared) keys differ, such as \(key)")
      }
      compared += findings.compared
      leftOut += findings.leftOut
    }
    return "\(compared) keys are equal; \(leftOut) were not looked at"
  }

  /// Writes into every record that the hand-over has begun: a run that finds the mark does not go on by
  /// itself.
  func mark() throws(CutoverError) -> String {
    for (replay, end) in zip(replays, ends.ends) {
      let record = replay.runner.identity.recordName
      end.isMarked = true
      do {
        // An earlier attempt may have left the place of its reverse.
        for words in [
          ["HDEL", record] + JobRecord.handOverFields,
          ["HSET", record, JobRecord.handOverFields[0], "\(endPlace?.offset ?? 0)"],
        ] {
          _ = try DestinationReplay.ask(&end.record, words.map { Array($0.utf8) })
        }
      } catch {
        throw CutoverError(error)
      }
      try markReverse(end)
    }
    CrashPoint.marked.pass()
    try confirmFence()
    return "the destinations know of the hand-over, and the fence stands"
  }

  /// The last question before the hand-over: whether the source is still the one that was fenced. A failover,
  /// a restart, and the sleep of this machine let writers in whose writes nobody would miss.
  private func confirmFence() throws(CutoverError) {
    let slept = Clock.sleptMilliseconds() - sleptMilliseconds
    if slept >= CutoverSettings.reserveMilliseconds {
      throw CutoverError(
        "this machine slept for \(slept) ms since the fence, which does not wait for it")
    }
    let status = subject.job.link.status
    var histories = [status.replicationID]
    // Nobody is answered in the other pause.
    if fence?.method != .pauseAll { histories.append(try fence?.place().replicationID) }
    guard status.fullResyncCount == fullResyncs,
      histories.allSatisfy({ $0 == endPlace?.replicationID })
    else {
      throw CutoverError("the source's history has changed in the fence: there was a failover")
    }
  }

  func switchOver() throws(CutoverError) -> String {
    let left = (machine.fenceEndsMilliseconds ?? 0) - Clock.monotonicMilliseconds()
    let milliseconds = min(
      settings.hookMilliseconds, left - CutoverSettings.reserveMilliseconds / 2)
    return try hook(.cutover, milliseconds: max(1, milliseconds))
  }

  /// Waits, until something is so or the run is to stop.
  func wait(milliseconds: Int64, _ condition: () -> Bool) {
    let deadline = Clock.monotonicMilliseconds() + milliseconds
    while !isStopRequested, !condition(), Clock.monotonicMilliseconds() < deadline {
      gate.wait(milliseconds: min(50, deadline - Clock.monotonicMilliseconds()))
    }
  }
}
