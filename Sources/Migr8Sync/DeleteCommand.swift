// migr8sync delete: removes keys that have moved from their source.

import ReplicaLink

/// The `delete` subcommand.
struct DeleteCommand {
  let options: DeleteOptions
  private let signals = StopSignals()
  private let progress = VerifyProgress()

  init(options: DeleteOptions) {
    self.options = options
  }

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    signals.install()
    let progress = progress
    signals.onStop { progress.cancel() }
    var counts = DeleteCounts()
    let lines = DeleteLines(options)
    do throws(ReplayError) {
      if let reason = try objection() {
        lines.failed(reason)
        return .refused
      }
      if !options.isDryRun, !options.assumesYes {
        guard try confirm() else {
          lines.failed("not confirmed: nothing was removed (add --yes where there is no terminal)")
          return .refused
        }
        // Counting and asking take their time.
        if let reason = try objection() {
          lines.failed("nothing was removed: \(reason)")
          return .refused
        }
      }
      for (plan, route) in plans { try remove(plan, route, lines, &counts) }
    } catch {
      lines.summary(counts)
      if !error.isInterruption {
        lines.failed("\(error)")
        return .failed
      }
      StandardError.write("migr8sync: interrupted; the same command goes on\n")
      return .interrupted
    }
    lines.summary(counts)
    return counts.keptCount > 0 ? .differences : .converged
  }

  private var plans: [(DeletePlan, Route?)] {
    func plan(_ mapping: KeyMapping) -> DeletePlan {
      var plan = DeletePlan(
        source: options.sourceLocator, mapping: mapping, timeouts: options.timeouts)
      plan.isDryRun = options.isDryRun
      plan.keysPerSecondMax = options.keysPerSecondMax
      plan.latencyMicrosecondsMax = options.latencyMillisecondsMax * 1_000
      return plan
    }
    if options.routes.isEmpty { return [(plan(KeyMapping(options.filter)), nil)] }
    return options.routes.map { (plan($0.mapping), $0) }
  }

  private func remove(
    _ plan: DeletePlan, _ route: Route?, _ lines: DeleteLines, _ counts: inout DeleteCounts
  ) throws(ReplayError) {
    var comparer: KeyRemover.Comparer?
    if options.verifies, let route {
      comparer = KeyRemover.Comparer(
        PairReader(
          source: try VerifyEnd(plan.source, timeouts: options.timeouts),
          destination: try VerifyEnd(options.locator(of: route), timeouts: options.timeouts),
          mapping: plan.mapping, job: nil, settleMilliseconds: 200, rules: options.rules,
          progress: progress))
    }
    var remover = try KeyRemover(
      plan, comparer: comparer, progress: progress, onKept: lines.kept)
    do {
      try remover.run()
    } catch {
      counts.add(remover.counts)
      throw error
    }
    counts.add(remover.counts)
  }

  // MARK: - Before

  /// Why removing keys at the source would remove them elsewhere, too; nil when it would not.
  private func objection() throws(ReplayError) -> String? {
    let source = try VerifyEnd(options.sourceLocator, timeouts: options.timeouts)
    if source.facts.runID == nil, !options.routes.isEmpty {
      return
        "the source does not say which server it is (run_id in INFO server): whether the destination"
        + " is another one cannot be told"
    }
    if source.facts.isReplica {
      return "the source is a replica of \(source.facts.masterAddress): name its master"
    }
    for route in options.routes {
      let locator = options.locator(of: route)
      let destination = try VerifyEnd(locator, timeouts: options.timeouts)
      if let id = source.facts.runID, id == destination.facts.runID {
        return "source and destination are the same server: the keys would be lost"
      }
      if destination.facts.isReplica,
        destination.facts.replicationID == source.facts.replicationID
      {
        return "the destination is a replica of the source: the keys would be lost there, too"
          + " (REPLICAOF NO ONE first)"
      }
      var plan = VerifyPlan(
        source: options.sourceLocator, destination: locator, mapping: route.mapping,
        words: route.words.joined(separator: ", "), timeouts: options.timeouts)
      plan.unrelatedJobs = options.unrelatedJobs
      let finding = try VerifiedJob.find(plan, source: source.facts, isThorough: true)
      switch finding {
      case .none: break
      case .job(let job):
        return "job \(job.identity.name) still follows this source: what is removed here would be"
          + " removed at the destination, too (end it, then 'migr8sync jobs --forget"
          + " \(job.identity.name)')"
      case .unclear(let reason):
        return "what is removed here a job would remove at the destination, too: \(reason)"
      }
    }
    return objectionToFollowers(of: source.facts)
  }

  /// What follows a source and listens on no port is a tool like this one, and no replica.
  private func objectionToFollowers(of source: ServerFacts) -> String? {
    guard let follower = source.followersWithoutPort.first else { return nil }
    let advice =
      options.routes.isEmpty
      ? "name it with --dest, or end it first"
      : "no job of the destination explains it: end it first"
    return "a job at \(follower) follows this source: what is removed here may be removed at its"
      + " destination, too (\(advice))"
  }

  private func confirm() throws(ReplayError) -> Bool {
    guard Confirmation.isPossible else { return false }
    var count: UInt64 = 0
    for (plan, _) in plans {
      var remover = try KeyRemover(
        plan, comparer: nil, progress: progress, onKept: { (_, _) in })
      count += try remover.count()
    }
    let condition =
      options.verifies
      ? ", those that the destination holds with the same value"
      : ", without a look at a destination"
    return Confirmation.ask(
      "This removes up to \(HumanNumber.count(count)) keys from \(options.source.endpoint)"
        + "\(condition).\nType their number to go on: ", expecting: "\(count)")
  }
}

/// What `delete` writes: keys that stay to stdout, a line each; the rest to stderr.
struct DeleteLines {
  private let options: DeleteOptions

  init(_ options: DeleteOptions) {
    self.options = options
  }

  func kept(_ name: KeyName, _ reason: KeptReason) {
    guard options.writesJSON else {
      return StandardOutput.write("kept \(name): \(reason.text)\n")
    }
    var object = JSONObject()
    object.add("event", "kept")
    object.add("key", bytes: name.key)
    object.add("db", UInt64(clamping: name.database))
    object.add("reason", reason.text)
    StandardOutput.write(object.text + "\n")
  }

  func summary(_ counts: DeleteCounts) {
    if options.writesJSON {
      var object = JSONObject()
      object.add("event", "summary")
      object.add(options.isDryRun ? "would_remove" : "removed", counts.removed)
      object.add("bytes", counts.removedBytes)
      object.add("kept", counts.keptCount)
      object.add("gone", counts.gone)
      return StandardOutput.write(object.text + "\n")
    }
    guard !options.view.isQuiet else { return }
    let verb = options.isDryRun ? "would remove" : "removed"
    StandardError.write(
      "\(verb) \(HumanNumber.count(counts.removed)) keys (\(HumanNumber.bytes(counts.removedBytes))"
        + " of memory); kept \(HumanNumber.count(counts.keptCount)) that are not the same at the"
        + " destination; \(HumanNumber.count(counts.gone)) were gone already\n")
  }

  func failed(_ reason: String) {
    StandardError.write("migr8sync: \(LogLine.harmless(reason))\n")
  }
}
