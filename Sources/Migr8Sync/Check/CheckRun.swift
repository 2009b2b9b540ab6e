// Reads what the rules of a check need, of one destination. Changes nothing at either server.

import Glibc
import ReplicaLink

/// The questions of a check.
struct CheckRun: Sendable {
  let source: ServerLocator
  let destination: ServerLocator
  let mapping: KeyMapping
  let onConflict: ConflictPolicy
  let spoolDirectory: String
  let timeouts: Timeouts
  /// What `PSYNC` is called at the source.
  var psyncCommand = "PSYNC"
  /// Whether keys are looked at, with SCAN: the source's for a sample, the destination's for matches and
  /// jobs; and the place where the queue goes. A sync does without: it scans no source, and looks at the rest
  /// by itself.
  var looksAtKeys = true

  /// Every row about a source and its destinations; what is true of the source is told once.
  ///
  /// - Parameter adjust: changes what is asked of each destination.
  static func findings(
    _ options: some TwoEnded, _ onConflict: ConflictPolicy, _ spoolDirectory: String,
    adjust: (inout CheckRun) -> Void = { _ in }
  ) -> [CheckFinding] {
    var rows: [CheckFinding] = []
    for route in options.routes {
      var run = CheckRun(
        source: options.sourceLocator, destination: options.locator(of: route),
        mapping: route.mapping, onConflict: onConflict, spoolDirectory: spoolDirectory,
        timeouts: options.timeouts)
      adjust(&run)
      rows += CheckRules.all(run.read()).filter { !rows.contains($0) }
    }
    return rows
  }

  private func read() -> CheckFacts {
    let start = mapping.filter.prefixes.first ?? []
    let key = String(decoding: mapping.destinationKey(of: start), as: UTF8.self) + "migr8sync:check"
    var facts = CheckFacts(
      source: survey(
        source, needed: CheckRules.sourceCommands, names: [psyncCommand]),
      destination: survey(
        destination, needed: CheckRules.destinationCommands(key), names: []),
      mapping: mapping)
    facts.onConflict = onConflict
    facts.spoolDirectory = spoolDirectory
    if looksAtKeys { readSpool(&facts) }
    guard facts.source.failure == nil, facts.destination.failure == nil else { return facts }
    if looksAtKeys {
      facts.attachWarnings = attachWarnings(facts.source.facts)
      // What cannot be looked at has a row of its own: rights, or reachability.
      facts.sample = try? sample()
      facts.existing = try? existing(facts.destination.facts)
      facts.jobs = try? jobs()
    }
    return facts
  }

  private func survey(
    _ locator: ServerLocator, needed: [[String]], names: [String]
  ) -> ServerSurvey {
    do throws(LinkError) {
      return ServerSurvey.read(
        try locator.locate(), timeouts: timeouts, needed: needed, names: names)
    } catch {
      var survey = ServerSurvey(endpoint: "\(locator.url.endpoint)")
      survey.failure = error.description
      return survey
    }
  }

  private func attachWarnings(_ first: ServerFacts?) -> [AttachWarning]? {
    do throws(LinkError) {
      var connection = try RedisConnection.open(try source.locate(), timeouts: timeouts)
      let now = try ServerFacts.read(&connection) ?? first
      let conditions = try AttachConditions.read(
        &connection, first: now, readAt: Clock.monotonicMilliseconds())
      return AttachWarning.all(conditions)
    } catch {
      return nil
    }
  }

  private func sample() throws(ReplayError) -> KeySample {
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
