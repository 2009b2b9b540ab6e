// The jobs whose state lies at a destination: found with SCAN, never with KEYS, and taken away again.

import ReplicaLink

/// A connection to a destination that knows where jobs keep their state.
struct JobCatalogue: ~Copyable {
  /// What a destination keeps of one job.
  struct Entry: Sendable {
    let name: String
    /// The db where it lies.
    let database: Int
    /// The record, field by field; empty where there is none.
    var fields: [String: String] = [:]
    /// The process that works on the job, or did.
    var runner: Runner?
    /// Keys that the job leaves alone.
    var skippedKeys: UInt64 = 0

    fileprivate init(_ name: String, _ database: Int) {
      self.name = name
      self.database = database
    }
  }

  /// A process that holds a job, by its lease, its connections, or both.
  struct Runner: Sendable, Equatable {
    /// What is known of its life.
    enum State: String, Sendable {
      /// It has a lease and is connected.
      case working
      /// It is connected and its lease has run out: it is paused, or cut off from its own connections.
      case stalled
      /// It has a lease and no connection: it has died, or is just connecting anew.
      case gone
      /// It has a lease, and its connections may not be asked for, or carry no name.
      case unknown
    }

    let id: String
    let state: State
    /// How long its lease lasts, in milliseconds.
    let leaseMilliseconds: Int64

    /// Whether it may still write.
    var mayWrite: Bool { state != .gone }
  }

  private var connection: RedisConnection
  private let database: Int?

  /// Connects.
  ///
  /// - Parameter everywhere: whether jobs are looked for in every db, also where the URL names one.
  init(
    _ locator: ServerLocator, timeouts: Timeouts, everywhere: Bool = false
  ) throws(ReplayError) {
    database = everywhere ? nil : locator.url.database
    connection = try ReplayError.wrap { () throws(LinkError) in
      try RedisConnection.open(try locator.locate(), timeouts: timeouts)
    }
  }

  /// Every job, by db and name. Looks at every key of the server, a thousand at a time.
  mutating func all() throws(ReplayError) -> [Entry] {
    let runners = try JobConnection.all(&connection)
    var entries: [Entry] = []
    for database in try databases() {
      guard try select(database) else { break }
      for name in try scan().sorted() {
        if let entry = try read(name, database, runners) { entries.append(entry) }
      }
    }
    return entries
  }

  /// What is kept of one job, in whatever dbs. Looks at no other key.
  mutating func entries(of name: String) throws(ReplayError) -> [Entry] {
    let runners = try JobConnection.all(&connection)
    var entries: [Entry] = []
    for database in try databases() {
      guard try select(database) else { break }
      if let entry = try read(name, database, runners) { entries.append(entry) }
    }
    return entries
  }

  /// Removes what is kept of a job, unless a process may be working on it by now.
  ///
  /// - Returns: false when one is; nothing was removed then.
  mutating func forget(_ entry: Entry) throws(ReplayError) -> Bool {
    _ = try ask("SELECT", "\(entry.database)")
    let identity = JobIdentity(name: entry.name, rules: "", database: entry.database)
    _ = try ask([Array("WATCH".utf8), identity.runnerKey])
    let now = try read(entry.name, entry.database, try JobConnection.all(&connection))
    if now?.runner?.mayWrite ?? false {
      _ = try ask("UNWATCH")
      return false
    }
    _ = try ask("MULTI")
    _ = try ask([Array("UNLINK".utf8), identity.runnerKey] + identity.dataKeys)
    return try ask("EXEC") != .null
  }

  // MARK: - Reading

  private mutating func read(
    _ name: String, _ database: Int, _ connected: [JobConnection]?
  ) throws(ReplayError) -> Entry? {
    let identity = JobIdentity(name: name, rules: "", database: database)
    var entry = Entry(name, database)
    let record = try ask([Array("HGETALL".utf8), identity.recordKey]).array ?? []
    for index in stride(from: 0, to: record.count - 1, by: 2) {
      entry.fields[record[index].text ?? ""] = record[index + 1].text
    }
    let skipped = try ask([Array("SCARD".utf8), identity.skippedKey]).integer ?? 0
    entry.skippedKeys = UInt64(clamping: skipped)
    let holder = try ask([Array("GET".utf8), identity.runnerKey]).text
    let lease = try ask([Array("PTTL".utf8), identity.runnerKey]).integer ?? 0
    if record.isEmpty, skipped == 0, holder == nil { return nil }
    let mine = connected?.filter { $0.job == name && $0.database == database }.map(\.runner)
    if let holder {
      let listed = JobRunner.isNamed(holder) ? mine : nil
      let state: Runner.State =
        listed.map { $0.contains(holder) ? .working : $0.isEmpty ? .gone : .stalled } ?? .unknown
      entry.runner = Runner(id: holder, state: state, leaseMilliseconds: max(0, lease))
    } else if let id = mine?.first {
      entry.runner = Runner(id: id, state: .stalled, leaseMilliseconds: 0)
    }
    return entry
  }

  /// The names of the jobs of the selected db.
  private mutating func scan() throws(ReplayError) -> Set<String> {
    let prefix = KeyFilter.reservedPrefix
    let pattern = GlobPattern.escaped(prefix) + [UInt8(ascii: "*")]
    var names: Set<String> = []
    var cursor = Array("0".utf8)
    repeat {
      let reply = try ask(
        [
          Array("SCAN".utf8), cursor, Array("MATCH".utf8), pattern, Array("COUNT".utf8),
          Array("\(DestinationKeys.scanCount)".utf8),
        ])
      guard let parts = reply.array, parts.count == 2, case .bulk(let next) = parts[0],
        let keys = parts[1].array
      else { throw ReplayError("scanning \(connection.peer): the answer to SCAN makes no sense") }
      for case .bulk(let key) in keys where key.starts(with: prefix) {
        // The name of a job has no colon; what follows one names a part of its state.
        let name = key.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: ":") }
        let text = String(decoding: name, as: UTF8.self)
        if JobIdentity.isName(text) { names.insert(text) }
      }
      cursor = next
    } while cursor != Array("0".utf8)
    return names
  }

  /// The dbs to look at, those that hold anything.
  private mutating func databases() throws(ReplayError) -> [Int] {
    if let database { return [database] }
    let facts = try ReplayError.wrap { () throws(LinkError) in
      try ServerFacts.read(&connection)
    }
    guard let facts else { return Array(0..<DestinationKeys.databasesMax) }
    return facts.keyCounts.keys.sorted()
  }

  /// Selects a db; false where the server has no such one.
  private mutating func select(_ database: Int) throws(ReplayError) -> Bool {
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("SELECT", "\(database)")
    }
    guard let line = reply.errorLine else { return true }
    if database > 0, self.database == nil { return false }
    throw ReplayError("asking \(connection.peer): SELECT \(database): \(line)")
  }

  private mutating func ask(_ words: String...) throws(ReplayError) -> RESPValue {
    try ask(words.map { Array($0.utf8) })
  }

  private mutating func ask(_ command: [[UInt8]]) throws(ReplayError) -> RESPValue {
    let reply = try ReplayError.wrap { () throws(LinkError) in try connection.command(command) }
    if let line = reply.errorLine {
      let words = [String(decoding: command[0], as: UTF8.self)]
      let keys = command.dropFirst().prefix(1).map { Printable.key($0) }
      throw ReplayError(
        "asking \(connection.peer): \((words + keys).joined(separator: " ")): \(line)")
    }
    return reply
  }
}
