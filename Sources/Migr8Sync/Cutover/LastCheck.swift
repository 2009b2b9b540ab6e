// The last look at the data, inside the fence: the keys that changed last are read at both ends and
// compared. Bounded in time: what does not fit is not looked at, and the report says how many were.

import ReplicaLink

/// Compares single keys of two servers that both hold still.
struct LastCheck: ~Copyable {
  /// Keys that are read in one go.
  private static let batchSize = 16
  /// A value larger than this at the source is left out, in bytes.
  private static let valueBytesMax: Int64 = 64 << 10

  /// What was found.
  struct Findings: Sendable {
    var compared = 0
    /// Keys there was no time for, or that were too large.
    var leftOut = 0
    var different: [KeyName] = []
  }

  private var source: RedisConnection
  private var destination: RedisConnection
  private let mapping: KeyMapping

  init(
    source: consuming RedisConnection, destination: consuming RedisConnection, mapping: KeyMapping
  ) {
    self.source = source
    self.destination = destination
    self.mapping = mapping
  }

  /// Compares until `deadline` on the monotonic clock.
  mutating func run(
    _ keys: [KeyName], untilMilliseconds deadline: Int64
  ) throws(CutoverError) -> Findings {
    var findings = Findings()
    var rest = keys[...]
    while !rest.isEmpty, Clock.monotonicMilliseconds() < deadline {
      let batch = try small(Array(rest.prefix(Self.batchSize)))
      findings.leftOut += min(rest.count, Self.batchSize) - batch.count
      rest = rest.dropFirst(Self.batchSize)
      let ours = try Self.ask(&source, batch.map { (Self.dump($0.key), $0.database) })
      let theirs = try Self.ask(&destination, batch.map { there("DUMP", $0) })
      for (index, key) in batch.enumerated() {
        // The same value may be laid out in two ways: then it is read itself.
        let isEqual = Self.isSame(ours[index], theirs[index])
        if !isEqual, try differs(key) { findings.different.append(key) }
        findings.compared += 1
      }
    }
    findings.leftOut += rest.count
    return findings
  }

  private static func dump(_ key: [UInt8]) -> [[UInt8]] { [Array("DUMP".utf8), key] }

  private func there(
    _ command: String, _ name: KeyName, _ arguments: [String] = []
  ) -> ([[UInt8]], Int) {
    let key = mapping.destinationKey(of: name.key)
    return (
      [Array(command.utf8), key] + arguments.map { Array($0.utf8) },
      mapping.destination(of: name.database)
    )
  }

  private mutating func small(_ keys: [KeyName]) throws(CutoverError) -> [KeyName] {
    let sizes = try Self.ask(
      &source,
      keys.map { name in
        let words = ["MEMORY", "USAGE"].map { Array($0.utf8) }
        return (words + [name.key] + ["SAMPLES", "1"].map { Array($0.utf8) }, name.database)
      })
    return zip(keys, sizes).filter { ($1.integer ?? 0) <= Self.valueBytesMax }.map(\.0)
  }

  /// Two payloads of DUMP are of the same value when they are the same, but for the version of the format
  /// and the checksum over it, the last ten bytes.
  private static func isSame(_ one: RESPValue, _ other: RESPValue) -> Bool {
    guard case .bulk(let first) = one, case .bulk(let second) = other else { return one == other }
    return first.dropLast(10) == second.dropLast(10)
  }

  private mutating func differs(_ name: KeyName) throws(CutoverError) -> Bool {
    let type = try Self.ask(&source, [([Array("TYPE".utf8), name.key], name.database)])[0]
    if try Self.ask(&destination, [there("TYPE", name)])[0] != type { return true }
    let reading: (command: String, arguments: [String], width: Int, isOrdered: Bool)
    switch type.text {
    case "none": return false
    case "string": reading = ("GET", [], 1, true)
    case "list": reading = ("LRANGE", ["0", "-1"], 1, true)
    case "set": reading = ("SMEMBERS", [], 1, false)
    case "zset": reading = ("ZRANGE", ["0", "-1", "WITHSCORES"], 1, true)
    case "hash": reading = ("HGETALL", [], 2, false)
    case "stream": reading = ("XRANGE", ["-", "+"], 1, true)
    // A type that only a module or a later version can read: its payload has to do.
    default: return true
    }
    let words = [Array(reading.command.utf8), name.key] + reading.arguments.map { Array($0.utf8) }
    let ours = try Self.ask(&source, [(words, name.database)])[0]
    let theirs = try Self.ask(&destination, [there(reading.command, name, reading.arguments)])[0]
    if reading.isOrdered { return ours != theirs }
    return Self.sorted(ours, reading.width) != Self.sorted(theirs, reading.width)
  }

  private static func sorted(_ reply: RESPValue, _ width: Int) -> [[[UInt8]]] {
    let elements = (reply.array ?? []).map { element -> [UInt8] in
      if case .bulk(let bytes) = element { return bytes }
      return []
    }
    let groups = stride(from: 0, to: elements.count - width + 1, by: width).map {
      Array(elements[$0..<$0 + width])
    }
    return groups.sorted { $0[0].lexicographicallyPrecedes($1[0]) }
  }

  /// Asks each question in its db; the answers in order.
  private static func ask(
    _ connection: inout RedisConnection, _ questions: [(command: [[UInt8]], database: Int)]
  ) throws(CutoverError) -> [RESPValue] {
    for question in questions {
      connection.enqueue([Array("SELECT".utf8), Array("\(question.database)".utf8)])
      connection.enqueue(question.command)
    }
    var answers: [RESPValue] = []
    do throws(LinkError) {
      for _ in questions {
        _ = try connection.receive()
        answers.append(try connection.receive())
      }
    } catch {
      throw CutoverError(error)
    }
    for answer in answers {
      if let line = answer.errorLine { throw CutoverError("\(connection.peer): \(line)") }
    }
    return answers
  }
}
