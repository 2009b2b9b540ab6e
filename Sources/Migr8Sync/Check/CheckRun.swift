// Reads what the rules of a check need, of one destination. Changes nothing at either server.

import Glibc
import ReplicaLink

/// The questions of a check.
struct CheckRun: Sendable {
  /// Nil where a file stands in its place.
  var source: ServerLocator?
  let destination: ServerLocator
  let mapping: KeyMapping
  /// The rules in words.
  let words: String
  let onConflict: ConflictPolicy
  let spoolDirectory: String
  let timeouts: Timeouts
  /// What `PSYNC` is called at the source.
  var psyncCommand = "PSYNC"
  /// How the source will be read.
  var way = SourceWay.psync
  /// How many loaders there will be.
  var workers = LoaderPool.defaultCount
  /// Whether keys are looked at, with SCAN: the source's for a sample, the destination's for matches and
  /// jobs; and the place where the queue goes. A sync does without: it scans no source, and looks at the rest
  /// by itself.
  var looksAtKeys = true

  /// What stands in a file that is to be moved.
  var file: FileCensus?

  /// Every row about a source and its destinations; what is true of the source is told once.
  ///
  /// - Parameter adjust: changes what is asked for each destination.
  static func findings<E: Error>(
    _ options: some TwoEnded, _ onConflict: ConflictPolicy, _ spoolDirectory: String,
    adjust: (inout CheckRun) throws(E) -> Void
  ) throws(E) -> [CheckFinding] {
    var rows: [CheckFinding] = []
    var places: [RoutePlace] = []
    for route in options.routes {
      var run = CheckRun(
        source: options.sourceLocator, destination: options.locator(of: route),
        mapping: route.mapping, words: route.words.joined(separator: ", "), onConflict: onConflict,
        spoolDirectory: spoolDirectory,
        timeouts: options.timeouts)
      try adjust(&run)
      let facts = run.read()
      let found = run.source == nil ? CheckRules.allOfFile(facts) : CheckRules.all(facts)
      rows += found.filter { !rows.contains($0) }
      let place = RoutePlace(facts.destination.endpoint, facts.destination.facts, route.mapping)
      if let conflict = places.compactMap({ place.conflict(with: $0) }).first {
        rows.append(.fail("two routes", conflict.text, conflict.advice))
      }
      places.append(place)
    }
    return rows
  }

  private func read() -> CheckFacts {
    if let source { return read(source) }
    var facts = CheckFacts(
      source: ServerSurvey(endpoint: file?.name ?? ""), destination: surveyDestination(),
      mapping: mapping)
    facts.words = words
    facts.onConflict = onConflict
    facts.file = file
    facts.sample = file?.sample
    if facts.destination.failure == nil { readKeys(&facts) }
    return facts
  }

  private func read(_ source: ServerLocator) -> CheckFacts {
    var facts = CheckFacts(
      source: survey(
        source,
        needed: CheckRules.sourceRequests(
          way, psync: psyncCommand, mapping),
        names: way == .psync ? [psyncCommand] : [], probes: []),
      destination: surveyDestination(), mapping: mapping)
    facts.way = way
    facts.workers = workers
    facts.words = words
    facts.onConflict = onConflict
    facts.spoolDirectory = spoolDirectory
    if looksAtKeys, way == .psync { readSpool(&facts) }
    guard facts.source.failure == nil, facts.destination.failure == nil else { return facts }
    if looksAtKeys {
      if way == .psync {
        let first = facts.source.facts
        facts.attachWarnings = look("attaching", &facts.troubles) { () throws(ReplayError) in
          try attachWarnings(source, first)
        }
      }
      facts.sample =
        file?.sample
        ?? look("memory and value types", &facts.troubles) { () throws(ReplayError) in
          try sample(source)
        }
      facts.file = file
      readKeys(&facts)
    }
    return facts
  }

  private func readKeys(_ facts: inout CheckFacts) {
    let destination = facts.destination.facts
    facts.existing = look("existing keys", &facts.troubles) { () throws(ReplayError) in
      try existing(destination)
    }
    facts.jobs = look("jobs", &facts.troubles) { () throws(ReplayError) in try jobs() }
  }

  /// What cannot be looked at has a row that says so.
  private func look<R>(
    _ subject: String, _ troubles: inout [CheckFinding], _ body: () throws(ReplayError) -> R
  ) -> R? {
    do throws(ReplayError) {
      return try body()
    } catch {
      troubles.append(
        .warn(subject, "could not be looked at: \(error)", "nothing is known of this"))
      return nil
    }
  }

  private func surveyDestination() -> ServerSurvey {
    survey(
      destination, needed: CheckRules.destinationRequests(mapping),
      names: [], probes: Preflight.writeProbes(mapping))
  }

  private func survey(
    _ locator: ServerLocator, needed: [ServerSurvey.Request], names: [String],
    probes: [[[UInt8]]]
  ) -> ServerSurvey {
    do throws(LinkError) {
      return ServerSurvey.read(
        try locator.locate(), timeouts: timeouts, needed: needed, names: names, probes: probes)
    } catch {
      var survey = ServerSurvey(endpoint: "\(locator.url.endpoint)")
      survey.failure = error.description
      return survey
    }
  }

  private func attachWarnings(
    _ source: ServerLocator, _ first: ServerFacts?
  ) throws(ReplayError) -> [AttachWarning] {
    try ReplayError.wrap { () throws(LinkError) in
      var connection = try RedisConnection.open(try source.locate(), timeouts: timeouts)
      let now = try ServerFacts.read(&connection) ?? first
      let conditions = try AttachConditions.read(
        &connection, first: now, readAt: Clock.monotonicMilliseconds())
      return AttachWarning.all(conditions)
    }
  }

  private func sample(_ source: ServerLocator) throws(ReplayError) -> KeySample {
    var end = try VerifyEnd(source, timeouts: timeouts)
    return try KeySample.take(&end, mapping.filter)
  }

  /// Matching keys of the destination, by the names that they have there.
  private func existing(_ facts: ServerFacts?) throws(ReplayError) -> DestinationKeys.Findings {
    var end = try VerifyEnd(destination, timeouts: timeouts)
    var findings = DestinationKeys.Findings()
    let pattern = mapping.renamesKeys ? nil : mapping.filter.scanPattern
    for database in end.databases where mapping.source(of: database) != nil {
      try end.select(database)
      var cursor = Array("0".utf8)
      repeat {
        let page = try end.scan(cursor, pattern)
        cursor = page.cursor
        for key in page.keys where mapping.sourceKey(of: key) != nil {
          findings.count += 1
          if findings.examples.count < DestinationKeys.examplesMax {
            findings.examples.append((database, key))
          }
        }
      } while cursor != Array("0".utf8)
    }
    return findings
  }

  private func jobs() throws(ReplayError) -> [JobCatalogue.Entry] {
    var catalogue = try JobCatalogue(destination, timeouts: timeouts)
    return try catalogue.all()
  }

  private func readSpool(_ facts: inout CheckFacts) {
    var status = statvfs()
    guard statvfs(spoolDirectory, &status) == 0 else {
      facts.spoolProblem = String(cString: strerror(errno))
      return
    }
    guard access(spoolDirectory, W_OK | X_OK) == 0 else {
      facts.spoolProblem = String(cString: strerror(errno))
      return
    }
    facts.spoolFreeBytes = UInt64(status.f_bavail).saturatingMultiply(UInt64(status.f_frsize))
  }
}
