// What a job does, before it begins, about the keys that its destinations hold already: refuse, remove or
// leave alone. All destinations are looked at before anything is done at one of them.

import ReplicaLink

/// The keys that were there before the job.
struct ExistingKeys {
  let options: SyncOptions

  /// Obeys `--on-conflict` and `--clear-dest` at those destinations that know nothing of the job.
  ///
  /// - Returns: what was removed, in words.
  func settle(_ starts: inout [JobStart]) throws(PreflightError) -> [String] {
    let fresh = starts.indices.filter { starts[$0].record == nil }
    if !options.clearsDestination, case .skip = options.onConflict {
      for index in fresh { try skip(&starts[index]) }
      return []
    }
    guard options.clearsDestination || options.onConflict == .fail else { return [] }
    var occupied: [(start: JobStart, found: DestinationKeys.Findings)] = []
    for index in fresh {
      let found = try count(at: starts[index].plan)
      if found.count > 0 { occupied.append((starts[index], found)) }
    }
    guard let first = occupied.first else { return [] }
    guard options.clearsDestination else {
      throw .refused(
        PreflightRefusal(
          "the destination \(first.start.plan.address) already holds \(first.found.words):"
            + " nothing was written (choose --on-conflict replace|skip, or --clear-dest to remove them"
            + " first)"))
    }
    try confirmClearing(occupied)
    var lines: [String] = []
    for (start, _) in occupied {
      let removed = try remove(start)
      lines.append(
        "removed \(HumanNumber.count(removed)) keys from the destination \(start.plan.address)")
    }
    return lines
  }

  /// Removes what is there, as the job's runner: whoever has taken the job meanwhile ends this connection,
  /// or is found before anything goes that he has written.
  private func remove(_ start: JobStart) throws(PreflightError) -> UInt64 {
    do throws(ReplayError) {
      let plan = start.plan
      var record = try JobStart.open(plan, start.runner)
      var keys = DestinationKeys(
        try JobStart.open(plan, start.runner), mapping: plan.mapping,
        databases: plan.occupiedDatabases)
      return try keys.remove(confirm: { () throws(ReplayError) in
        try start.runner.prolong(&record)
      })
    } catch {
      throw .failed(error)
    }
  }

  /// Counts the keys of a destination that stand for some that move.
  func count(at plan: DestinationPlan) throws(PreflightError) -> DestinationKeys.Findings {
    try walk(plan) { (keys) throws(ReplayError) in try keys.count() }
  }

  private func skip(_ start: inout JobStart) throws(PreflightError) {
    var members: [KeyName] = []
    _ = try walk(start.plan) { (keys) throws(ReplayError) in
      try keys.forEach { (_, _, name) throws(ReplayError) in members.append(name) }
    }
    do throws(ReplayError) {
      var connection = try JobStart.open(start.plan, start.runner)
      try start.runner.prolong(&connection)
      try SkippedKeys.add(members, to: start.runner.identity.skippedKey, &connection)
    } catch {
      throw .failed(error)
    }
    for member in members { start.skipped.insert(member.key.span, database: member.database) }
  }

  private func confirmClearing(
    _ occupied: [(start: JobStart, found: DestinationKeys.Findings)]
  ) throws(PreflightError) {
    if options.assumesYes { return }
    let total = occupied.reduce(0) { $0 + $1.found.count }
    let places = occupied.map(\.start.plan.address).joined(separator: " and ")
    guard Confirmation.isPossible else {
      throw .refused(
        PreflightRefusal(
          "--clear-dest would remove \(HumanNumber.count(total)) keys from \(places) and there is no"
            + " terminal to confirm it on (add --yes)"))
    }
    let lines = occupied.map { start, found in
      "This removes \(found.words), from \(start.plan.address).\n"
    }
    let question = lines.joined() + "Type the number of keys to go on: "
    if !Confirmation.ask(question, expecting: "\(total)") {
      throw .refused(PreflightRefusal("not confirmed: nothing was removed or written"))
    }
  }

  private func walk<R>(
    _ plan: DestinationPlan, _ body: (inout DestinationKeys) throws(ReplayError) -> R
  ) throws(PreflightError) -> R {
    do throws(ReplayError) {
      let connection = try ReplayError.wrap { () throws(LinkError) in
        try RedisConnection.open(try plan.locator.locate(), timeouts: plan.timeouts)
      }
      var keys = DestinationKeys(
        connection, mapping: plan.mapping, databases: plan.occupiedDatabases)
      return try body(&keys)
    } catch {
      throw .failed(error)
    }
  }
}
