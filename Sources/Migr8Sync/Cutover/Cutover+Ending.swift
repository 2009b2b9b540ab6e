// The steps of a cutover behind the hand-over, and those of the way back.

import ReplicaLink

extension Cutover {
  /// Lets the source's writers go: they find their new home, or are told that they may not.
  func lift() throws(CutoverError) -> String {
    if settings.queued != .carry { gate.handOver() }
    var message = ""
    if settings.queued == .refuse {
      do {
        endedConnections = try self.fence!.endWaiting()
        if endedConnections > 0 { message = "\(endedConnections) waiting connections were ended; " }
      } catch {
        // The writers must be let go whatever else fails; what they wrote is found in `settle`.
        message = "waiting connections could not be ended: \(error); "
      }
    }
    if case .user = fence?.method {
      // He must not write there any more: that is the point of it.
      fenceLowered = Clock.monotonicMicroseconds()
      return "the user stays without the right to write what has moved"
    }
    return message + (try lowerFence())
  }

  func lowerFence() throws(CutoverError) -> String {
    if settings.fence == .hook {
      _ = try hook(.lift, milliseconds: settings.hookMilliseconds)
      fenceLowered = Clock.monotonicMicroseconds()
      return "lifted by the command of --on-lift"
    }
    let isLowered = try self.fence!.lower()
    fenceLowered = Clock.monotonicMicroseconds()
    if isLowered { return "the source takes writes again" }
    let left = (machine.fenceEndsMilliseconds ?? 0) - Clock.monotonicMilliseconds()
    return "the source answers again in \(max(0, left)) ms, by itself: this pause cannot be ended"
  }

  /// Looks at what still came to the source.
  func settle() throws(CutoverError) -> String {
    let replays = replays
    wait(milliseconds: settings.lingerMilliseconds) { false }
    // Asked over the link's own bytes: what has arrived is all there is to look at.
    let received = subject.job.link.status.boundaryOffset
    let isSeen = gate.await(untilMilliseconds: Clock.monotonicMilliseconds() + 2_000) {
      replays.allSatisfy { replay in
        max(
          replay.lateWrites.seenOffset.load(ordering: .acquiring),
          replay.progress.appliedOffset.load(ordering: .acquiring)) >= received
      }
    }
    let late = replays.reduce(0) { $0 + $1.lateWrites.all.count }
    if !isSeen {
      throw CutoverError("not all that came to the source meanwhile could be looked at")
    }
    if late == 0 { return "no write on what has moved came to the source" }
    return "\(late) writes on what has moved came to the source, and are nowhere else"
  }

  func finish() -> String {
    do {
      return try hook(.done, milliseconds: settings.hookMilliseconds)
    } catch {
      return error.description
    }
  }

  // MARK: - The way back

  /// Lets the writers go again. A lost connection must not leave a user without his rights.
  func lower() throws(CutoverError) -> String {
    // An --on-fence that fails may have done a part of it; of the other fences the source's answer tells.
    let mayBeUp = settings.fence == .hook ? fenceBegun > 0 : fence?.mayBeUp ?? false
    guard mayBeUp else { return "it was not up" }
    do {
      return try lowerFence()
    } catch {
      guard settings.fence != .hook else { throw error }
      do {
        try self.fence!.reconnect(subject.source, timeouts: subject.options.timeouts)
        return try lowerFence()
      } catch {
        throw CutoverError("\(error)\(owedRights.map { "; \($0); it is tried again" } ?? "")")
      }
    }
  }

  /// Takes the mark from every record that may have it, each on a connection of its own: the former may be
  /// what has failed, and the run may be about to stop.
  func unmark() throws(CutoverError) -> String {
    var trouble: String?
    for (replay, end) in zip(replays, ends.ends) where end.isMarked {
      var connector = replay.connector
      connector.timeouts = JobStart.farewellTimeouts
      let words = ["HDEL", replay.runner.identity.recordName] + JobRecord.handOverFields
      do {
        end.record = try connector.openAsRunner(interrupt: nil)
        _ = try DestinationReplay.ask(&end.record, words.map { Array($0.utf8) })
        end.isMarked = false
      } catch {
        trouble = trouble ?? "\(error)"
      }
    }
    if let trouble { throw CutoverError(trouble) }
    return "the mark is gone"
  }

  func reopen() -> String {
    gate.open()
    subject.job.source.pacer.lift(false)
    return "the stream is applied again"
  }

  // MARK: - Dry run

  /// Says what each step would do, with the numbers of now.
  func dryRun() -> JSONObject {
    var object = JSONObject()
    object.add("event", "cutover_end")
    object.add("dry_run", true)
    do throws(CutoverError) {
      log.plan(.examine, try examine())
    } catch {
      log.plan(.examine, "would end here: \(error)")
      object.add("ok", false)
      object.add("error", "examine: \(error)")
      return object
    }
    let job = subject.identity
    let record = Printable.key(job.recordKey)
    if settings.checkMilliseconds > 0 {
      log.plan(.observe, "gather the keys that change within \(settings.observeMilliseconds) ms")
    }
    for (step, event) in [(CutoverStep.ready, HookEvent.ready)] where settings.hooks[event] != nil {
      log.plan(step, "run the command of --\(event.option)")
    }
    if let file = settings.postponeFile {
      log.plan(.postpone, "wait while \(LogLine.harmless(file)) is there")
    }
    if let reversePlan {
      let backlog =
        reversePlan.needsBacklog
        ? " (it has no backlog: PSYNC ? -1 makes one, and is given up at once)" : ""
      log.plan(.attach, "destination: INFO replication · PSYNC from there on\(backlog)")
    }
    let method = fence?.description(milliseconds: settings.fenceMilliseconds) ?? []
    log.plan(.fence, "source: " + method.joined(separator: " · "))
    let snapshot = subject.job.progressSnapshot()
    log.plan(.drain, "apply what is on its way, now \(snapshot.lagBytes) bytes")
    if settings.checkMilliseconds > 0 {
      log.plan(
        .check, "compare up to \(RecentKeys.keysMax) keys, \(settings.checkMilliseconds) ms at most"
      )
    }
    log.plan(.mark, "destination: HSET \(record) handover OFFSET")
    if settings.hooks[.cutover] != nil {
      log.plan(.handOver, "run the command of --\(HookEvent.cutover.option)")
    }
    log.plan(.lift, liftPlan)
    if settings.queued == .carry {
      log.plan(.carry, "wait until nobody waits · source: INFO replication · apply up to there")
    }
    if let reversePlan {
      let source = reversePlan.options.routes[0].destination.endpoint
      log.plan(
        .turn, "\(source): HSET \(record), the reverse's · destination: HSET \(record) phase")
    }
    log.plan(.settle, "watch the source for \(settings.lingerMilliseconds) ms")
    log.plan(
      .finish,
      settings.reverses
        ? "the run goes on as the reverse" : "destination: DEL \(record); the run ends")
    object.add("ok", true)
    return object
  }

  private var liftPlan: String {
    switch fence?.method {
    case .pauseWrites:
      (settings.queued == .refuse ? "source: CLIENT KILL of each that waits · " : "source: ")
        + "CLIENT UNPAUSE"
    case .pauseAll: "nothing: such a pause ends by its own time"
    case .user: "nothing: the user stays without the right"
    case .hook: "run the command of --\(HookEvent.lift.option)"
    case .nothing, nil: "nothing"
    }
  }
}
