// What the state of two servers means for a run: decided from what was read, without I/O. Each rule gives
// one row; `check` prints them all, `sync` refuses on those that fail.

import RDBParser
import ReplicaLink

/// Everything that was read.
struct CheckFacts: Sendable {
  var source: ServerSurvey
  var destination: ServerSurvey
  /// The rules of this destination.
  var mapping: KeyMapping
  /// The same in words, by which a job is recognised.
  var words = ""
  /// What attaching may cost; nil where the source could not be asked.
  var attachWarnings: [AttachWarning]?
  /// Nil where no sample was taken.
  var sample: KeySample?
  /// Keys of the destination that match; nil where they were not looked for.
  var existing: DestinationKeys.Findings?
  /// What stands in a file; nil where none was named.
  var file: FileCensus?
  /// How the source will be read.
  var way = SourceWay.psync
  /// What to do with them.
  var onConflict = ConflictPolicy.fail
  /// How many loaders there will be.
  var workers = LoaderPool.defaultCount
  /// What could not be looked at, and why.
  var troubles: [CheckFinding] = []
  /// Jobs whose state lies at the destination; nil where they were not looked for.
  var jobs: [JobCatalogue.Entry]?
  /// Free bytes where the queue goes, and why nothing can be written there.
  var spoolFreeBytes: UInt64?
  var spoolProblem: String?
  var spoolDirectory = ""
}

/// The rules.
enum CheckRules {
  /// Latency that a run feels, in microseconds.
  static let latencyMicrosecondsMax: Int64 = 20_000
  /// Clocks farther apart than this make keys expire early or late, in milliseconds.
  static let clockMillisecondsMax: Int64 = 1_000
  /// Connections that a run opens beside its loaders.
  static let connectionsNeeded: UInt64 = 6
  /// So many more leave room for the application.
  static let connectionsSpare: UInt64 = 32
  /// Space for the queue below which a slow destination soon stops the source's stream, in bytes.
  static let spoolBytesWanted: UInt64 = 1 << 30

  /// Every row.
  static func all(_ facts: CheckFacts) -> [CheckFinding] {
    var rows = [reach("source", facts.source), reach("destination", facts.destination)]
    guard facts.source.failure == nil, facts.destination.failure == nil else { return rows }
    rows += roles(facts)
    rows += [versions(facts), databases(facts), clocks(facts)]
    rows += [sourceRights(facts), destinationRights(facts)]
    rows += [memory(facts), eviction(facts), connections(facts), writable(facts)].compactMap { $0 }
    rows += [modules(facts), types(facts), largeStrings(facts), existing(facts), jobs(facts)]
      .compactMap { $0 }
    if facts.way == .psync { rows += attaching(facts) + commands(facts) + spool(facts) }
    return rows + file(facts) + facts.troubles
  }

  // MARK: - Servers

  static func reach(_ side: String, _ survey: ServerSurvey) -> CheckFinding {
    if let failure = survey.failure {
      return .fail("\(side) reachable", failure, "nothing can run without it")
    }
    let microseconds = survey.latencyMicroseconds ?? 0
    let text =
      "\(survey.endpoint) answers in \(microseconds / 1_000).\(microseconds % 1_000 / 100) ms"
    if microseconds > latencyMicrosecondsMax {
      return .warn(
        "\(side) reachable", text,
        "run the tool nearer to the destination: every batch waits for it")
    }
    return .pass("\(side) reachable", text)
  }

  private static func roles(_ facts: CheckFacts) -> [CheckFinding] {
    guard let source = facts.source.facts, let destination = facts.destination.facts else {
      let side = facts.source.facts == nil ? "source" : "destination"
      return [
        .warn("\(side) info", "the user may not run INFO: much cannot be checked", "grant +info")
      ]
    }
    var rows: [CheckFinding] = []
    func fail(_ subject: String, _ isWrong: Bool, _ text: String, _ advice: String) {
      if isWrong { rows.append(.fail(subject, text, advice)) }
    }
    fail(
      "two servers", source.runID != nil && source.runID == destination.runID,
      "source and destination are the same server", "name two servers")
    let id = source.replicationID ?? ""
    fail(
      "two servers",
      source.runID != destination.runID && id == destination.replicationID
        && id.contains { $0 != "0" },
      "source and destination replicate each other", "detach one with REPLICAOF NO ONE")
    fail("source state", source.isLoading, "it is still loading its dataset", "wait")
    fail(
      "source state", source.isReplica && !source.isMasterLinkUp,
      "it is a replica whose link to \(source.masterAddress) is down", "name the master")
    fail(
      "source state", source.isCluster, "it is a cluster node, which is not supported yet",
      "use a server without cluster mode")
    rows += destinationState(facts)
    if rows.isEmpty {
      rows.append(.pass("two servers", "a source to attach to and a destination to write to"))
    }
    return rows
  }

  /// What stands against writing there.
  static func destinationState(_ facts: CheckFacts) -> [CheckFinding] {
    guard let destination = facts.destination.facts else { return [] }
    var rows: [CheckFinding] = []
    if destination.isLoading {
      rows.append(.fail("destination state", "it is still loading its dataset", "wait"))
    }
    if destination.isReadOnlyReplica {
      rows.append(
        .fail(
          "destination state", "it is a read-only replica of \(destination.masterAddress)",
          "name its master as --dest"))
    }
    if destination.isCluster {
      rows.append(
        .fail(
          "destination state", "it is a cluster node, which is not supported yet",
          "use a server without cluster mode"))
    }
    return rows
  }

  private static func versions(_ facts: CheckFacts) -> CheckFinding {
    guard let source = facts.source.facts, let destination = facts.destination.facts else {
      return .warn("versions", "they are not known", "grant +info on both sides")
    }
    let text = "\(source.product) to \(destination.product)"
    if destination.version < Preflight.destinationVersionMin {
      return .fail("versions", text, "a destination of 5.0 or newer is needed")
    }
    if destination.version < source.version {
      return .warn(
        "versions", text + ": an older destination", "what it cannot hold stops the run by name")
    }
    return .pass("versions", text)
  }

  private static func databases(_ facts: CheckFacts) -> CheckFinding {
    guard let source = facts.source.facts, let count = facts.destination.number("databases") else {
      return .warn(
        "databases", "how many the destination has is not known", "grant +config|get there")
    }
    let used = source.keyCounts.keys.filter { facts.mapping.filter.matches(database: $0) }
    let targets = used.map { facts.mapping.destination(of: $0) }
    if let highest = targets.max(), UInt64(highest) >= count {
      let filter = facts.mapping.filter
      // A db may hold nothing but keys that do not move.
      if filter.matchesEveryKey || filter.databases != nil {
        return .fail(
          "databases", "keys go to db \(highest), and the destination has \(count)",
          "raise databases there, or use --db or --db-map")
      }
      return .warn(
        "databases", "keys may go to db \(highest), and the destination has \(count)",
        "if none of them moves, say so with --db")
    }
    return .pass("databases", "\(used.count) in use at the source, \(count) at the destination")
  }

  private static func clocks(_ facts: CheckFacts) -> CheckFinding {
    guard let one = facts.source.clockAheadMilliseconds,
      let other = facts.destination.clockAheadMilliseconds
    else { return .warn("clocks", "a server does not tell its time", "grant +time") }
    let apart = other - one
    let text =
      "the destination's is \(HumanNumber.duration(milliseconds: Int64(apart.magnitude)))"
      + (apart >= 0 ? " ahead" : " behind")
    if apart.magnitude > UInt64(clockMillisecondsMax) {
      return .warn("clocks", text, "keys expire by the destination's clock: set both with NTP")
    }
    return .pass("clocks", text)
  }

  // MARK: - The run

  static func connections(_ facts: CheckFacts) -> CheckFinding? {
    guard let most = facts.destination.number("maxclients"),
      let present = facts.destination.info("connected_clients")
    else { return nil }
    let text = "\(present) of \(most) clients at the destination"
    let needed = connectionsNeeded + UInt64(facts.workers)
    if present.saturatingAdd(needed) > most {
      return .fail("connections", "\(text), and a run takes \(needed)", "raise maxclients there")
    }
    if present.saturatingAdd(needed + connectionsSpare) > most {
      return .warn("connections", "\(text), and a run takes \(needed)", "raise maxclients there")
    }
    return .pass("connections", text)
  }

  static func writable(_ facts: CheckFacts) -> CheckFinding {
    let destination = facts.destination
    if let needed = destination.number("min-replicas-to-write"), needed > 0,
      destination.info("connected_slaves") ?? 0 < needed
    {
      return .fail(
        "destination writes",
        "it takes writes only with \(needed) replicas and has"
          + " \(destination.info("connected_slaves") ?? 0)",
        "attach them, or set"
          + " min-replicas-to-write 0 there")
    }
    if destination.facts?.fields["rdb_last_bgsave_status"] == "err",
      destination.settings["stop-writes-on-bgsave-error"] == "yes"
    {
      return .fail(
        "destination writes", "its last snapshot failed, and it refuses writes since",
        "see its log; free disk space")
    }
    if destination.facts?.fields["aof_last_write_status"] == "err" {
      return .fail(
        "destination writes", "its append-only file cannot be written", "free disk space there")
    }
    // What a user may not has a row of its own, and so has a server that plays another part.
    if let refusal = destination.writeRefusal, !refusal.hasPrefix("NOPERM"),
      destinationState(facts).isEmpty
    {
      return .fail(
        "destination writes", Preflight.writeTrouble(refusal, peer: destination.endpoint), "")
    }
    return .pass("destination writes", "nothing stands against them")
  }

  static func existing(_ facts: CheckFacts) -> CheckFinding? {
    guard let existing = facts.existing else { return nil }
    if existing.count == 0 { return .pass("existing keys", "none match at the destination") }
    let example = existing.examples.first.map { Printable.key($0.key) } ?? ""
    let text =
      "\(HumanNumber.count(existing.count)) match at the destination, such as \(example)"
    let words = facts.words + (facts.way == .scan ? ", by scan" : "")
    let own = facts.jobs?.first {
      $0.fields["rules"] == words && $0.fields["source"] == facts.source.endpoint
    }
    if let job = own {
      return .warn(
        "existing keys", text,
        "a sync with these rules goes on with job \(job.name); as another --job it would be refused"
      )
    }
    guard case .fail = facts.onConflict else {
      return .warn("existing keys", text, "--on-conflict says what becomes of them")
    }
    return .fail("existing keys", text, "choose --on-conflict replace|skip, or --clear-dest")
  }

  static func jobs(_ facts: CheckFacts) -> CheckFinding? {
    guard let jobs = facts.jobs else { return nil }
    if jobs.isEmpty { return .pass("jobs", "none are known at the destination") }
    let names = jobs.prefix(3).map(\.name).joined(separator: ", ")
    let text = "the destination keeps the state of \(jobs.count): \(names)"
    return .warn("jobs", text, "see 'migr8sync jobs'; --forget removes what will not go on")
  }

  private static func attaching(_ facts: CheckFacts) -> [CheckFinding] {
    guard let warnings = facts.attachWarnings else { return [] }
    if warnings.isEmpty {
      return [.pass("attaching", "memory, buffers and backlog of the source suffice")]
    }
    return warnings.map { warning in
      // Advice stands in brackets at the end of the line.
      CheckFinding(level: .warn, subject: "attaching (\(warning.subject))", text: warning.text)
    }
  }

  private static func spool(_ facts: CheckFacts) -> [CheckFinding] {
    let place = "in \(facts.spoolDirectory)"
    if let problem = facts.spoolProblem {
      return [.fail("spool", "nothing can be written \(place): \(problem)", "name a --spool-dir")]
    }
    guard let free = facts.spoolFreeBytes else { return [] }
    let text = "\(HumanNumber.bytes(free)) free \(place)"
    if free < spoolBytesWanted {
      return [
        .warn("spool", text, "a destination that is slow or down fills it: name a --spool-dir")
      ]
    }
    return [.pass("spool", text)]
  }
}
