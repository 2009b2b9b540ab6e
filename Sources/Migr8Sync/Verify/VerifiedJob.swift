// The job that keeps a destination current, if one does: its checkpoint tells how far the destination is
// in the source's history, and so what it must hold by now.

import ReplicaLink

/// A job whose checkpoint can be read at the destination.
struct VerifiedJob: Sendable {
  let identity: JobIdentity
  /// The keys that it leaves alone, as the source calls them: there before it, or of other types.
  private let skipped: [KeyHashSet]

  /// The destination's db where its record lies.
  var database: Int { identity.database }

  /// Whether the job leaves a key of the source alone, so that the two ends have nothing to do with each
  /// other there.
  func leavesAlone(_ key: Span<UInt8>, database: Int) -> Bool {
    for keys in skipped where keys.contains(key, database: database) { return true }
    return false
  }

  /// What was found.
  enum Finding: Sendable {
    case job(VerifiedJob)
    /// Nobody works there on what this source sends.
    case none
    /// A reason why it cannot be known, or cannot be relied on.
    case unclear(String)
  }

  /// Looks for the job that carries these keys from this source to this destination, in all dbs of it:
  /// a job of another db may carry them, too.
  ///
  /// - Parameters:
  ///   - plan: the two ends, the rules, and what `--job` says.
  ///   - source: what the source says of itself.
  ///   - isThorough: whether jobs at rest are looked for, too, which takes a SCAN of the destination, and
  ///     whether one of which nobody can say that it is another source's is reason enough for `.unclear`.
  static func find(
    _ plan: VerifyPlan, source: ServerFacts, isThorough: Bool
  ) throws(ReplayError) -> Finding {
    var connection = try ReplayError.wrap { () throws(LinkError) in
      try RedisConnection.open(try plan.destination.locate(), timeouts: plan.timeouts)
    }
    var catalogue = try JobCatalogue(
      plan.destination, timeouts: plan.timeouts, everywhere: true)
    var entries: [JobCatalogue.Entry] = []
    if let name = plan.jobName {
      entries = try catalogue.entries(of: name)
      if entries.isEmpty {
        throw ReplayError(
          "\(connection.peer) keeps nothing of a job \(name) (see 'migr8sync jobs -d URL')")
      }
    } else if let names = try JobConnection.all(&connection)?.map(\.job), !isThorough {
      for name in Set(names).sorted() { entries += try catalogue.entries(of: name) }
    } else {
      entries = try catalogue.all()
      if isThorough, let reason = Self.stranger(among: entries, plan, source) {
        return .unclear(reason)
      }
    }
    var candidates = entries.filter { entry in
      entry.fields["replid"].map { source.knowsHistory($0) } ?? false
    }
    if candidates.count > 1, let database = plan.jobDatabase ?? plan.destination.url.database,
      plan.jobName != nil
    {
      candidates = candidates.filter { $0.database == database }
    }
    if candidates.count > 1 {
      candidates = candidates.filter { $0.fields["rules"]?.hasPrefix(plan.words) ?? false }
      if candidates.count != 1 { return .unclear("several jobs write there: name one with --job") }
    }
    guard let entry = candidates.first else {
      guard let name = plan.jobName else { return .none }
      return .unclear("job \(name) follows another history than this source's")
    }
    if let reason = objection(to: entry) { return .unclear(reason) }
    let identity = JobIdentity(name: entry.name, rules: "", database: entry.database)
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(entry.database)".utf8)])
    let before = try SkippedKeys.read(identity.skippedKey, &connection)
    let others = try SkippedKeys.read(identity.otherTypesKey, &connection)
    return .job(VerifiedJob(identity: identity, skipped: [before, others]))
  }

  private static func objection(to entry: JobCatalogue.Entry) -> String? {
    if entry.fields["phase"] == JobRecord.Phase.reversed.rawValue {
      return
        "job \(entry.name) has handed the application over, and goes the other way now (exchange"
        + " source and destination)"
    }
    if entry.fields["phase"] != JobRecord.Phase.stream.rawValue {
      return "job \(entry.name) has not copied its snapshot yet"
    }
    guard let runner = entry.runner, runner.mayWrite else {
      return "job \(entry.name) is stopped at offset \(entry.fields["offset"] ?? "?"), and no"
        + " process works on it (start it again, or end it with 'migr8sync jobs --forget')"
    }
    return nil
  }
}
