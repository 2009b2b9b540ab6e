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
  /// What the user may not run; nil when the server may not be asked.
  var denied: [Request]?
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
  static func read(
    _ url: RedisURL, timeouts: Timeouts, needed: [Request], names: [String]
  ) -> ServerSurvey {
    var survey = ServerSurvey(endpoint: "\(url.endpoint)")
    do throws(LinkError) {
      var connection = try RedisConnection.open(url, timeouts: timeouts)
      survey.facts = try ServerFacts.read(&connection)
      try survey.measure(&connection)
      let settings = try ask(
        Self.settingNames.map { Self.words("CONFIG", "GET", $0) }, &connection)
      for (name, reply) in zip(Self.settingNames, settings) {
        guard let values = reply.array, values.count > 1 else { continue }
        survey.settings[name] = values[1].text
      }
      try survey.readCommands(&connection, needed, names)
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
    _ connection: inout RedisConnection, _ needed: [Request], _ names: [String]
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
    guard let user = try connection.command("ACL", "WHOAMI").text else { return }
    self.user = user
    let replies = try Self.ask(
      needed.map { Self.words("ACL", "DRYRUN", user) + $0.words }, &connection)
    if replies.contains(where: { $0.errorLine != nil }) { return }
    denied = zip(needed, replies).filter { $1.text != "OK" }.map(\.0)
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
