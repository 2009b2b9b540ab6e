// migr8sync jobs: what jobs a destination knows of, and the end of one that will not go on.

import ReplicaLink

/// The `jobs` subcommand.
struct JobsCommand {
  let options: JobsOptions

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    do {
      var catalogue = try JobCatalogue(
        ServerLocator(options.destination, timeouts: options.timeouts), timeouts: options.timeouts)
      if let name = options.forgets { return try forget(name, &catalogue) }
      let entries = try catalogue.all()
      StandardOutput.write(
        options.view.logFormat == .json
          ? entries.map { JobList.json($0) + "\n" }.joined()
          : JobList.text(
            entries, at: "\(options.destination.endpoint)",
            wallMilliseconds: Clock.wallMilliseconds()))
      return .converged
    } catch {
      StandardError.write("migr8sync: \(error)\n")
      return .failed
    }
  }

  private func forget(
    _ name: String, _ catalogue: inout JobCatalogue
  ) throws(ReplayError) -> ExitCode {
    let entries = try catalogue.entries(of: name)
    let endpoint = options.destination.endpoint
    guard let entry = entries.first else {
      return refuse("\(endpoint) keeps nothing of a job \(name) (see 'migr8sync jobs -d URL')")
    }
    guard entries.count == 1 else {
      let databases = entries.map { "\($0.database)" }.joined(separator: " and ")
      return refuse(
        "\(endpoint) keeps a job \(name) in db \(databases) (name the db in the URL of --dest)")
    }
    if let runner = entry.runner, runner.mayWrite { return refuse(Self.alive(name, runner)) }
    if entry.fields["phase"] == JobRecord.Phase.reversed.rawValue, !options.isForced {
      let source = JobList.shown(entry.fields["source"])
      return refuse(
        "job \(name) has handed the application over to \(endpoint), and its reverse, which"
          + " \(source) keeps, may be at work: without this record the same command would copy \(source) over what the"
          + " application has written (end the reverse with 'migr8sync cutover --complete', or its"
          + " process, and forget the job at \(source); then add --force here)")
    }
    guard options.assumesYes || confirm(entry) else {
      return refuse("not confirmed: nothing was removed (add --yes where there is no terminal)")
    }
    guard try catalogue.forget(entry) else {
      return refuse("a process has just begun to work on job \(name): nothing was removed")
    }
    StandardError.write("forgot job \(name)\n")
    return .converged
  }

  private static func alive(_ name: String, _ runner: JobCatalogue.Runner) -> String {
    switch runner.state {
    case .stalled:
      "job \(name) is held by \(runner.id), which is connected and does not answer: it may be paused"
        + " (end that process first)"
    case .unknown:
      "job \(name) is held by \(runner.id), whose lease lasts \(runner.leaseMilliseconds) ms more;"
        + " whether it lives cannot be asked, for want of CLIENT LIST (try again when it has run out)"
    case .working, .gone:
      "job \(name) is being worked on by \(runner.id) (end that process first)"
    }
  }

  private func confirm(_ entry: JobCatalogue.Entry) -> Bool {
    Confirmation.ask(
      JobList.text(
        [entry], at: "\(options.destination.endpoint)",
        wallMilliseconds: Clock.wallMilliseconds())
        + "\nThe keys that it moved stay. It cannot go on where it is: the same command begins anew.\n"
        + "Type the name of the job to forget it: ",
      expecting: entry.name)
  }

  private func refuse(_ reason: String) -> ExitCode {
    StandardError.write("migr8sync: \(reason)\n")
    return .refused
  }
}

/// What `jobs` prints.
enum JobList {
  /// The times that are taken for one, in milliseconds: up to the year 9999.
  private static let times: ClosedRange<Int64> = 0...253_402_300_799_999

  /// A table.
  static func text(
    _ entries: [JobCatalogue.Entry], at place: String, wallMilliseconds: Int64
  ) -> String {
    if entries.isEmpty { return "No jobs at \(place).\n" }
    var rows = [["job", "db", "phase", "offset", "written", "process", "source", "rules"]]
    for entry in entries {
      let written = entry.fields["time"].flatMap { Int64($0) }.map { time in
        // A clock that is behind the other one makes no time negative.
        let (age, overflows) = wallMilliseconds.subtractingReportingOverflow(time)
        return HumanNumber.duration(milliseconds: overflows ? 0 : age) + " ago"
      }
      rows.append([
        entry.name, "\(entry.database)", shown(entry.fields["phase"]),
        shown(entry.fields["offset"]), written ?? "-", process(entry.runner),
        shown(entry.fields["source"]), shown(entry.fields["rules"]),
      ])
    }
    return TextTable.lines(rows, right: [1, 3]).joined(separator: "\n") + "\n"
  }

  /// One object.
  static func json(_ entry: JobCatalogue.Entry) -> String {
    var object = JSONObject()
    object.add("job", entry.name)
    object.add("db", UInt64(clamping: entry.database))
    for name in ["phase", "source", "replid", "rules", "version"] {
      if let value = entry.fields[name] { object.add(name, value) }
    }
    for (field, name) in [("offset", "offset"), ("db", "source_db")] {
      if let value = entry.fields[field].flatMap({ UInt64($0) }) { object.add(name, value) }
    }
    if let time = entry.fields["time"].flatMap({ Int64($0) }), times.contains(time) {
      object.add("written", LogLine.timestamp(time))
    }
    object.add("skipped_keys", entry.skippedKeys)
    if let runner = entry.runner {
      object.add("process", runner.id)
      object.add("process_state", runner.state.rawValue)
      object.add("lease_ms", runner.leaseMilliseconds)
    }
    return object.text
  }

  private static func process(_ runner: JobCatalogue.Runner?) -> String {
    guard let runner else { return "none" }
    switch runner.state {
    case .working: return runner.id
    case .stalled: return "\(runner.id) (paused?)"
    case .gone: return "\(runner.id) (gone)"
    case .unknown: return "\(runner.id) (may live)"
    }
  }

  /// What somebody else wrote, made fit for a terminal.
  fileprivate static func shown(_ text: String?) -> String {
    guard let text, !text.isEmpty else { return "-" }
    return text.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) }
      ? text : Printable.key(Array(text.utf8))
  }
}
