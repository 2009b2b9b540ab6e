// The source's side of a cutover: holds its writers off for a bounded time, says where its stream ends
// then, and lets them go again. Everything that can be prepared is, before the fence begins.

import ReplicaLink

/// Why a step of a cutover did not succeed.
struct CutoverError: Error, Sendable, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }

  init(_ error: any Error) {
    description = "\(error)"
  }
}

/// The fence, on a connection of its own. For one thread.
struct SourceFence: ~Copyable {
  /// The way it is done at this source.
  enum Method: Sendable, Equatable {
    case pauseWrites
    /// Nobody is answered until the time is over, not even who wants to end it.
    case pauseAll
    case user(String)
    case nothing
    case hook
  }

  let method: Method
  let facts: ServerFacts
  private var connection: RedisConnection
  /// What the user might before.
  private var rules: ACLRules?
  private let prefixes: [String]
  private let narrows: Bool
  /// Whether somebody may be held off: from before it is asked for until it was refused, or taken back.
  private(set) var mayBeUp = false

  /// Connects to the source that takes the writes.
  ///
  /// - Parameter filters: which keys move.
  /// - Throws: when it cannot be asked, or cannot be fenced that way.
  static func open(
    _ locator: ServerLocator, kind: FenceKind, filters: [KeyFilter], timeouts: Timeouts
  ) throws(CutoverError) -> SourceFence {
    var connection = try connect(locator, timeouts)
    let read: ServerFacts?
    do {
      read = try ServerFacts.read(&connection)
    } catch {
      throw CutoverError(error)
    }
    guard let facts = read else {
      throw CutoverError("the source's user may not run INFO (grant +info)")
    }
    var fence = SourceFence(connection, kind: kind, filters: filters, facts: facts)
    if case .user(let user) = fence.method {
      fence.rules = try fence.readRules(of: user)
      try fence.tryRight(on: user)
    }
    return fence
  }

  private init(
    _ connection: consuming RedisConnection, kind: FenceKind, filters: [KeyFilter],
    facts: ServerFacts
  ) {
    self.connection = connection
    self.facts = facts
    let isNew = facts.version >= ServerVersion(6, 2)
    method =
      switch kind {
      case .pause: isNew ? .pauseWrites : .pauseAll
      case .pauseAll: .pauseAll
      case .user(let user): .user(user)
      case .nothing: .nothing
      case .hook: .hook
      }
    prefixes = filters.flatMap(\.prefixes).map { String(decoding: $0, as: UTF8.self) }
    narrows = filters.allSatisfy(\.movesWholePrefixes)
  }

  private static func connect(
    _ locator: ServerLocator, _ timeouts: Timeouts, _ interrupt: WakePipe? = nil
  ) throws(CutoverError) -> RedisConnection {
    do {
      return try RedisConnection.open(
        try locator.locate(interrupt: interrupt), timeouts: timeouts, interrupt: interrupt)
    } catch {
      throw CutoverError(error)
    }
  }

  /// Connects anew: a pause ends by itself, but a user's rights do not come back.
  mutating func reconnect(
    _ locator: ServerLocator, timeouts: Timeouts, interrupt: WakePipe? = nil
  ) throws(CutoverError) {
    connection = try Self.connect(locator, timeouts, interrupt)
  }

  /// The user whose rights it takes, and how a person gives them back.
  var remedy: (user: String, command: String)? {
    guard case .user(let user) = method, let rules else { return nil }
    return (user, rules.remedy(for: user, on: facts.version))
  }

  /// The source, for messages.
  var peer: String { connection.peer }

  /// Whether only the moved keys are closed to the user.
  var isNarrow: Bool {
    guard narrows, facts.version >= ServerVersion(7) else { return false }
    return rules?.isNarrow(prefixes: prefixes) ?? false
  }

  /// The commands that `raise` sends, for a person.
  func description(milliseconds: Int64) -> [String] {
    switch method {
    case .pauseWrites:
      ["MULTI", "CLIENT PAUSE \(milliseconds) WRITE", "INFO replication", "EXEC"]
    case .pauseAll: ["MULTI", "CLIENT PAUSE \(milliseconds)", "INFO replication", "EXEC"]
    case .user(let user):
      [
        "ACL SETUSER \(user) "
          + (isNarrow ? "(its patterns of what moves for reading alone)" : "... -@write"),
        "INFO replication",
      ]
    case .nothing, .hook: ["INFO replication"]
    }
  }

  /// Holds the writers off, for so long at the most, and says where the stream ends.
  mutating func raise(milliseconds: Int64) throws(CutoverError) -> ReplicationPlace {
    mayBeUp = true
    switch method {
    case .pauseWrites: return try pause(["CLIENT", "PAUSE", "\(milliseconds)", "WRITE"])
    case .pauseAll: return try pause(["CLIENT", "PAUSE", "\(milliseconds)"])
    case .user(let user):
      let fencing =
        rules?.fencing(prefixes: prefixes, narrows: narrows, on: facts.version) ?? []
      let words = ["ACL", "SETUSER", user] + fencing
      let reply = try answer(words)
      // It is one command: whoever is refused it has changed nothing.
      mayBeUp = reply.errorLine == nil
      try refuse(reply, words)
    case .nothing, .hook: break
    }
    return try place(try ask(["INFO", "replication"]))
  }

  /// One connection, one transaction: the end is that of the moment at which the pause began.
  private mutating func pause(_ command: [String]) throws(CutoverError) -> ReplicationPlace {
    for words in [["MULTI"], command, ["INFO", "replication"], ["EXEC"]] {
      connection.enqueue(words.map { Array($0.utf8) })
    }
    var replies: [RESPValue] = []
    do throws(LinkError) {
      for _ in 0..<4 { replies.append(try connection.receive()) }
    } catch {
      throw CutoverError(error)
    }
    for reply in replies { try refuse(reply, command) }
    guard let results = replies[3].array, results.count == 2 else {
      throw CutoverError("\(connection.peer) answers EXEC with something else")
    }
    try refuse(results[0], command)
    return try place(results[1])
  }

  /// Lets the writers go.
  ///
  /// - Returns: whether it was done; otherwise the pause ends by its own time.
  mutating func lower() throws(CutoverError) -> Bool {
    switch method {
    case .pauseWrites: try ask(["CLIENT", "UNPAUSE"])
    case .user(let user):
      if let rules { try ask(["ACL", "SETUSER", user] + rules.restoring(on: facts.version)) }
    case .pauseAll: return false
    case .nothing, .hook: break
    }
    mayBeUp = false
    return true
  }

  /// Ends the connections that wait with a write, so that none of these writes ever runs. Whoever has one
  /// gets no answer, connects anew, and finds where the keys are now. A consumer that waits for an element
  /// is one of them: whether the pause holds it up or it found nothing, it cannot be told, and the first
  /// takes its element as soon as the pause is over.
  ///
  /// - Returns: how many there were.
  mutating func endWaiting() throws(CutoverError) -> Int {
    guard method == .pauseWrites else { return 0 }
    var seen: Set<String> = []
    var count = 0
    // Each round finds those that have come since; when there is none, the pause can end.
    for _ in 0..<5 {
      let waiting = Self.blocked(
        in: try ask(["CLIENT", "LIST"]).text ?? "", except: Self.writingNothing
      ).filter { !seen.contains($0) }
      if waiting.isEmpty { break }
      for id in waiting { connection.enqueue(Self.kill(id).map { Array($0.utf8) }) }
      var replies: [RESPValue] = []
      do throws(LinkError) {
        for _ in waiting { replies.append(try connection.receive()) }
      } catch {
        throw CutoverError(error)
      }
      for reply in replies { try refuse(reply, Self.kill("")) }
      // 0: it has gone by itself.
      count += replies.count { $0.integer != 0 }
      seen.formUnion(waiting)
    }
    return count
  }

  /// Whether the connections that will wait can be told, and ended: nobody is, because no client has this
  /// number.
  mutating func tryEnding() throws(CutoverError) {
    guard method == .pauseWrites else { return }
    do {
      try ask(["CLIENT", "LIST"])
      try ask(Self.kill("\(Int64.max)"))
    } catch {
      throw CutoverError(
        "\(error) (connections that wait could not be ended: grant +client|list +client|kill, or say"
          + " --queued run)")
    }
  }

  private static func kill(_ id: String) -> [String] { ["CLIENT", "KILL", "ID", id] }

  /// Whether a client waits with a write, other than one that may wait for an element.
  mutating func hasWaiting() throws(CutoverError) -> Bool {
    let list = try ask(["CLIENT", "LIST"]).text ?? ""
    return !Self.blocked(in: list, except: Self.writingNothing.union(Self.consuming)).isEmpty
  }

  /// The ids of the clients in an answer to CLIENT LIST that are blocked, by whatever, with another command
  /// than those, and are not this program's.
  static func blocked(in list: String, except commands: Set<String>) -> [String] {
    list.split(separator: "\n").compactMap { line in
      var fields: [Substring: Substring] = [:]
      for field in line.split(separator: " ") {
        guard let equals = field.firstIndex(of: "=") else { continue }
        fields[field[..<equals]] = field[field.index(after: equals)...]
      }
      // A reverse renews its lease at the source, and can wait.
      if JobConnection(line: line) != nil { return nil }
      guard let flags = fields["flags"], flags.contains("b"), let id = fields["id"] else {
        return nil
      }
      return commands.contains(fields["cmd"]?.lowercased() ?? "") ? nil : String(id)
    }
  }

  /// Commands that write no key and may be blocked all the same: those that wait by themselves, for data or
  /// for replicas, and those that a pause of writes holds up. Sentinel's PUBLISH is one.
  static let writingNothing: Set<String> = [
    "publish", "spublish", "pfcount", "xread", "wait", "waitaof",
  ]

  /// Writes that wait by themselves where there is no element to take.
  static let consuming: Set<String> = [
    "blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop",
    "xreadgroup",
  ]

  /// Where the source's stream stands now; throws where it is no master.
  mutating func place() throws(CutoverError) -> ReplicationPlace {
    try place(try ask(["INFO", "replication"]))
  }

  private func place(_ reply: RESPValue) throws(CutoverError) -> ReplicationPlace {
    let facts = ServerFacts(info: reply.text ?? "")
    if facts.isReplica {
      throw CutoverError(
        "\(connection.peer) is a replica of \(facts.masterAddress) by now: there was a failover")
    }
    guard let id = facts.replicationID, let offset = facts.replicationOffset else {
      throw CutoverError("\(connection.peer) does not say where its stream stands")
    }
    return ReplicationPlace(replicationID: id, offset: offset)
  }

  /// Whether rights may be taken and given back. Without rules the command changes nothing.
  private mutating func tryRight(on user: String) throws(CutoverError) {
    do {
      try ask(["ACL", "SETUSER", user])
    } catch {
      throw CutoverError("\(error) (--fence acl: needs +acl|list +acl|setuser)")
    }
  }

  private mutating func readRules(of user: String) throws(CutoverError) -> ACLRules {
    let lines = try ask(["ACL", "LIST"]).array?.compactMap(\.text) ?? []
    guard let rules = ACLRules(user: user, in: lines) else {
      throw CutoverError("the source has no user \(user) (see ACL LIST)")
    }
    return rules
  }

  @discardableResult
  private mutating func ask(_ words: [String]) throws(CutoverError) -> RESPValue {
    let reply = try answer(words)
    try refuse(reply, words)
    return reply
  }

  /// The reply, also where it is a refusal.
  private mutating func answer(_ words: [String]) throws(CutoverError) -> RESPValue {
    do {
      return try connection.command(words.map { Array($0.utf8) })
    } catch {
      throw CutoverError(error)
    }
  }

  /// An error reply, without the words behind the command: a user's rules hold his passwords' hashes.
  private func refuse(_ reply: RESPValue, _ words: [String]) throws(CutoverError) {
    guard let line = reply.errorLine else { return }
    let name = words.prefix(2).joined(separator: " ")
    throw CutoverError("\(connection.peer) refuses \(name): \(line)")
  }
}
