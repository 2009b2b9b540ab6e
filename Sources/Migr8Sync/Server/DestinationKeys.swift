// The keys a destination already holds: counted, shown and, when asked for, removed. Always with
// SCAN in small steps, never with KEYS or a flush.

import ReplicaLink

/// Walks over the destination's keys that stand for keys of the source which move.
struct DestinationKeys: ~Copyable {
  /// Keys looked at by one SCAN: a millisecond or so of the server's time.
  static let scanCount = 1_000
  /// Where the search for dbs ends when the server may not be asked how many it has.
  static let databasesMax = 1_024
  /// How many examples a refusal shows.
  static let examplesMax = 3

  /// What a walk found.
  struct Findings: Sendable {
    var count: UInt64 = 0
    /// Some of the keys by the destination's names, each behind its db there.
    var examples: [(database: Int, key: [UInt8])] = []

    /// `12 matching keys, such as a, b, c`.
    var words: String {
      let examples = examples.map { example in
        let name = Printable.key(example.key)
        return example.database == 0 ? name : "\(name) in db \(example.database)"
      }
      return "\(HumanNumber.count(count)) matching key\(count == 1 ? "" : "s"),"
        + " such as \(examples.joined(separator: ", "))"
    }
  }

  private var connection: RedisConnection
  private let mapping: KeyMapping
  private let databases: [Int]?

  /// - Parameter databases: the destination dbs to look at; nil for all it has.
  init(_ connection: consuming RedisConnection, mapping: KeyMapping, databases: [Int]?) {
    self.connection = connection
    self.mapping = mapping
    self.databases = databases
  }

  /// The destination dbs that take something and held anything when it was asked; nil for all.
  static func databases(_ facts: ServerFacts?, _ mapping: KeyMapping) -> [Int]? {
    guard let facts else { return mapping.destinations }
    return facts.keyCounts.keys.filter { mapping.source(of: $0) != nil }.sorted()
  }

  /// Counts the matching keys.
  mutating func count() throws(ReplayError) -> Findings {
    var findings = Findings()
    try walk { (_, database, keys) throws(ReplayError) in
      findings.count += UInt64(keys.count)
      for key in keys.prefix(Self.examplesMax - findings.examples.count) {
        findings.examples.append((database, key.there))
      }
    }
    return findings
  }

  /// Hands every matching key to `body`, perhaps more than once: its db and name at the destination, and
  /// what it is at the source.
  mutating func forEach(
    _ body: (Int, [UInt8], KeyName) throws(ReplayError) -> Void
  ) throws(ReplayError) {
    try walk { (_, database, keys) throws(ReplayError) in
      for key in keys { try body(database, key.there, key.name) }
    }
  }

  /// Removes the matching keys of which `isUnwanted` says so, asked with the source's names.
  ///
  /// - Parameter confirm: called before every command that removes; throws to end it.
  /// - Returns: how many were removed.
  mutating func remove(
    _ isUnwanted: (KeyName) throws(ReplayError) -> Bool = { _ in true },
    confirm: () throws(ReplayError) -> Void = {}
  ) throws(ReplayError) -> UInt64 {
    var removed: UInt64 = 0
    try walk { (connection, _, keys) throws(ReplayError) in
      var unwanted: [[UInt8]] = []
      for key in keys where try isUnwanted(key.name) { unwanted.append(key.there) }
      if unwanted.isEmpty { return }
      try confirm()
      let count = try Self.ask(&connection, [Array("UNLINK".utf8)] + unwanted).integer
      removed = removed.saturatingAdd(UInt64(clamping: count ?? 0))
    }
    return removed
  }

  /// Selects a db; false behind the last one. What else the server may say, that it is busy or gone, is no
  /// reason to pass over the keys of all that follow.
  private mutating func select(_ database: Int) throws(ReplayError) -> Bool {
    let command = [Array("SELECT".utf8), Array("\(database)".utf8)]
    let reply = try ReplayError.wrap { () throws(LinkError) in try connection.command(command) }
    guard let line = reply.errorLine else { return true }
    if databases == nil, database > 0, line.hasPrefix("ERR ") { return false }
    throw DestinationRefusal.error(
      line, command: "SELECT", key: command[1], place: "", peer: connection.peer)
  }

  /// A key by its name at the destination, and as the source has it.
  private typealias Found = (there: [UInt8], name: KeyName)

  private mutating func walk(
    _ body: (inout RedisConnection, Int, [Found]) throws(ReplayError) -> Void
  ) throws(ReplayError) {
    let pattern = mapping.scanPattern
    for database in databases ?? Array(0..<Self.databasesMax) {
      if try !select(database) { return }
      guard let origin = mapping.source(of: database) else { continue }
      var cursor = Array("0".utf8)
      repeat {
        var command = [Array("SCAN".utf8), cursor]
        if let pattern { command += [Array("MATCH".utf8), pattern] }
        command += [Array("COUNT".utf8), Array("\(Self.scanCount)".utf8)]
        guard let reply = try Self.ask(&connection, command).array, reply.count == 2,
          case .bulk(let next) = reply[0], let found = reply[1].array
        else { throw ReplayError("scanning \(connection.peer): the answer to SCAN makes no sense") }
        cursor = next
        let keys = found.compactMap { value -> Found? in
          guard case .bulk(let there) = value, let key = mapping.sourceKey(of: there) else {
            return nil
          }
          return (there, KeyName(database: origin, key: key))
        }
        if !keys.isEmpty { try body(&connection, database, keys) }
      } while cursor != Array("0".utf8)
    }
  }

  private static func ask(
    _ connection: inout RedisConnection, _ command: [[UInt8]]
  ) throws(ReplayError) -> RESPValue {
    let reply = try ReplayError.wrap { () throws(LinkError) in try connection.command(command) }
    if let line = reply.errorLine {
      let name = String(decoding: command[0], as: UTF8.self)
      throw DestinationRefusal.error(
        line, command: name, key: nil, place: "", peer: connection.peer)
    }
    return reply
  }
}
