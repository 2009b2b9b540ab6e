// What a server tells that a run depends on, asked for in a few questions that change nothing. What is made
// of it is in CheckRules.

import ReplicaLink

/// One server, as it is before a run.
struct ServerSurvey: Sendable {
  /// A command of which to ask whether the user may run it.
  struct Request: Sendable, Equatable {
    let words: [[UInt8]]
    /// Where access to keys is asked, not the command: how they begin.
    var beginning: [UInt8]?

    /// Its name, in small letters.
    var command: String { String(decoding: words.first ?? [], as: UTF8.self).lowercased() }
  }

  /// What a user may do of what was asked.
  enum Rights: Sendable, Equatable {
    /// The server knows no users, or this one may do everything.
    case everything
    /// All but `denied`, as far as the server has the commands: it does not know those of `missing`.
    case told(denied: [Request], missing: [String])
    /// It cannot be asked, for this reason.
    case untold(String)
  }

  /// So often a PING is timed.
  static let pings = 5

  /// The server by its address.
  let endpoint: String
  /// Why it could not be asked at all.
  var failure: String?
  /// Nil where INFO is not permitted.
  var facts: ServerFacts?
  /// The quickest of a few answers, in microseconds.
  var latencyMicroseconds: Int64?
  /// How far its clock is ahead of this machine's, in milliseconds.
  var clockAheadMilliseconds: Int64?
  /// Settings that it shows.
  var settings: [String: String] = [:]
  /// The user that the run would be, where the server knows users.
  var user: String?
  /// What the user may do of what was asked.
  var rights = Rights.untold("it was not asked")
  /// Why it takes no writes, as it says itself; nil where it was not tried or takes them.
  var writeRefusal: String?
  /// Calls of commands, by name in small letters.
  var calls: [String: UInt64] = [:]
  /// Names of modules that are loaded; nil when the server does not say.
  var modules: [String]?
  /// Commands that a run needs and the server does not have.
  var missingCommands: [String] = []

  init(endpoint: String) {
    self.endpoint = endpoint
  }

  /// Asks a server.
  ///
  /// - Parameters:
  ///   - needed: commands of which to ask whether the user may run them.
  ///   - names: commands that must be there.
  ///   - probes: commands that write nothing and tell whether one that does would be taken.
  static func read(
    _ url: RedisURL, timeouts: Timeouts, needed: [Request], names: [String],
    probes: [[[UInt8]]]
  ) -> ServerSurvey {
    var survey = ServerSurvey(endpoint: "\(url.endpoint)")
    do throws(LinkError) {
      var connection = try RedisConnection.open(url, timeouts: timeouts)
      survey.facts = try ServerFacts.read(&connection)
      try survey.measure(&connection)
      let answers = try ask(
        Self.settingNames.map { Self.words("CONFIG", "GET", $0) } + probes, &connection)
      for (name, reply) in zip(Self.settingNames, answers) {
        guard let values = reply.array, values.count > 1 else { continue }
        survey.settings[name] = values[1].text
      }
      survey.writeRefusal =
        answers.dropFirst(Self.settingNames.count).compactMap(Preflight.writeRefusal).first
      try survey.readCommands(&connection, names)
      try survey.readRights(&connection, needed)
      if let list = try connection.command("MODULE", "LIST").array {
        survey.modules = list.compactMap { $0.array.flatMap { $0.count > 1 ? $0[1].text : nil } }
      }
    } catch {
      survey.failure = error.description
    }
    return survey
  }

  private static let settingNames = [
    "databases", "maxclients", "maxmemory-policy", "min-replicas-to-write", "proto-max-bulk-len",
    "stop-writes-on-bgsave-error", "appendonly", "appendfsync",
  ]

  /// Asks everything before the first answer is read: a server that is far away costs its distance once.
  private static func ask(
    _ commands: [[[UInt8]]], _ connection: inout RedisConnection
  ) throws(LinkError) -> [RESPValue] {
    for command in commands { connection.enqueue(command) }
    var replies: [RESPValue] = []
    for _ in commands { replies.append(try connection.receive()) }
    return replies
  }

  private static func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  private mutating func measure(_ connection: inout RedisConnection) throws(LinkError) {
    let clock = ContinuousClock()
    for _ in 0..<Self.pings {
      let start = clock.now
      let before = Clock.wallMilliseconds()
      let reply = try connection.command("TIME")
      let taken = (clock.now - start).components
      let microseconds = taken.seconds * 1_000_000 + taken.attoseconds / 1_000_000_000_000
      guard microseconds < latencyMicroseconds ?? .max else { continue }
      latencyMicroseconds = microseconds
      guard let time = reply.milliseconds else { continue }
      clockAheadMilliseconds = time - before - microseconds / 2_000
    }
  }

  private mutating func readCommands(
    _ connection: inout RedisConnection, _ names: [String]
  ) throws(LinkError) {
    let stats = InfoFields(try connection.command("INFO", "commandstats").text ?? "")
    for (name, value) in stats.values where name.hasPrefix("cmdstat_") {
      let calls = value.split(separator: ",").first { $0.hasPrefix("calls=") }
      self.calls[String(name.dropFirst(8))] = calls.flatMap { UInt64($0.dropFirst(6)) }
    }
    for name in names {
      guard let answer = try connection.command("COMMAND", "INFO", name).array else { break }
      if answer.first == .null || answer.first?.array?.isEmpty ?? true {
        missingCommands.append(name)
      }
    }
  }

  private mutating func readRights(
    _ connection: inout RedisConnection, _ needed: [Request]
  ) throws(LinkError) {
    let reply = try connection.command("ACL", "WHOAMI")
    guard let user = reply.text else {
      let isBeforeUsers = facts.map { $0.version < ServerVersion(6) } ?? false
      rights = isBeforeUsers ? .everything : .untold(reply.errorLine ?? "no answer")
      return
    }
    self.user = user
    if let facts, facts.version < ServerVersion(7) {
      // What a user who may not do everything may do cannot be asked there.
      let flags = try connection.command("ACL", "GETUSER", user).array?.dropFirst().first?.array
      let names = Set((flags ?? []).compactMap(\.text))
      rights =
        names.isSuperset(of: ["allkeys", "allcommands"])
        ? .everything : .untold("servers before 7.0 have no ACL DRYRUN")
      return
    }
    let replies = try Self.ask(
      needed.map { Self.words("ACL", "DRYRUN", user) + $0.words }, &connection)
    rights = Self.judge(needed, replies)
  }

  /// What the answers to ACL DRYRUN say. A command that was renamed says nothing of the others.
  static func judge(_ needed: [Request], _ replies: [RESPValue]) -> Rights {
    var denied: [Request] = []
    var missing: [String] = []
    for (request, reply) in zip(needed, replies) {
      if let line = reply.errorLine {
        // ERR Command 'psync' not found
        guard line.hasPrefix("ERR Command '"), line.hasSuffix("' not found") else {
          return .untold(line)
        }
        if !missing.contains(request.command) { missing.append(request.command) }
      } else if reply.text != "OK" {
        denied.append(request)
      }
    }
    return .told(denied: denied, missing: missing)
  }

  /// A setting that is a number.
  func number(_ name: String) -> UInt64? {
    settings[name].flatMap { UInt64($0) }
  }

  /// A number of INFO.
  func info(_ name: String) -> UInt64? {
    facts?.fields.number(name)
  }
}
