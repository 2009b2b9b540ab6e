// What a source says of its own commands in the reply to COMMAND: commands of modules, and of versions
// newer than the built-in table. The built-in entries stay: they know more than the reply does.

import ReplicaLink

extension CommandTable {
  /// So many commands are learned; no server with its modules has a tenth of them.
  static let learnedMax = 10_000

  /// The built-in table with the commands that only the source knows.
  ///
  /// - Parameter reply: the answer to COMMAND. What makes no sense in it is passed over, and what comes behind
  ///   `learnedMax` new names: such a command stays unknown.
  static func learned(
    from reply: RESPValue, builtIn: [(name: String, shape: CommandShape)] = entries
  ) -> CommandTable {
    var entries = builtIn
    var known = Set(entries.map(\.name))
    var specifications: [[KeySpecification]] = []
    for row in reply.array ?? [] {
      if entries.count - builtIn.count == learnedMax { break }
      guard let description = CommandDescription(row), !known.contains(description.name) else {
        continue
      }
      known.insert(description.name)
      entries.append((description.name, description.shape(&specifications)))
    }
    return CommandTable(entries, specifications: specifications)
  }

  /// Asks a source for its commands.
  ///
  /// - Returns: the table; the built-in one where the user may not run COMMAND.
  static func learned(from connection: inout RedisConnection) throws(LinkError) -> CommandTable {
    let reply = try connection.command("COMMAND")
    return reply.array == nil ? builtIn : learned(from: reply)
  }
}

/// One row of COMMAND: name, arity, flags, first key, last key, step; since 6.0 categories; since 7.0
/// tips, key specifications and subcommands.
private struct CommandDescription {
  let name: String
  private let flags: Set<String>
  private let first: Int
  private let last: Int
  private let step: Int
  private let specifications: [RESPValue]
  private let hasSubcommands: Bool

  init?(_ row: RESPValue) {
    guard let fields = row.array, fields.count >= 6, let name = fields[0].text,
      let first = Self.number(fields[3]), let last = Self.number(fields[4]),
      let step = Self.number(fields[5])
    else { return nil }
    self.name = name.lowercased()
    flags = Set((fields[2].array ?? []).compactMap(\.text))
    (self.first, self.last, self.step) = (first, last, step)
    specifications = fields.count > 8 ? fields[8].array ?? [] : []
    hasSubcommands = fields.count > 9 && !(fields[9].array ?? []).isEmpty
  }

  func shape(_ table: inout [[KeySpecification]]) -> CommandShape {
    // A container: where the keys are depends on the word behind the name.
    if hasSubcommands { return CommandShape(kind: .asked) }
    if !specifications.isEmpty {
      let parsed = specifications.compactMap { Self.specification($0) }
      guard parsed.count == specifications.count else { return CommandShape(kind: .asked) }
      table.append(parsed)
      return CommandShape(kind: .movable(.specified(table.count - 1)))
    }
    if flags.contains("movablekeys") { return CommandShape(kind: .asked) }
    guard first > 0, step > 0 else { return CommandShape(kind: .keyless(.foreign)) }
    return CommandShape(
      kind: .keyed, first: first, last: last, step: step, hazard: .unknown)
  }

  /// One key specification; `nil` when the source itself says that it does not say all.
  private static func specification(_ value: RESPValue) -> KeySpecification? {
    let fields = pairs(value)
    let flags = (fields["flags"]?.array ?? []).compactMap(\.text)
    guard !flags.contains("incomplete"), let begin = begin(pairs(fields["begin_search"])),
      let find = find(pairs(fields["find_keys"]))
    else { return nil }
    return KeySpecification(begin: begin, find: find)
  }

  private static func begin(_ fields: [String: RESPValue]) -> KeySpecification.Begin? {
    let spec = pairs(fields["spec"])
    switch fields["type"]?.text {
    case "index":
      return number(spec["index"]).map { .index($0) }
    case "keyword":
      guard let word = spec["keyword"]?.text, let from = number(spec["startfrom"]) else {
        return nil
      }
      return .keyword(Array(word.lowercased().utf8), from: from)
    default:
      return nil
    }
  }

  private static func find(_ fields: [String: RESPValue]) -> KeySpecification.Find? {
    let spec = pairs(fields["spec"])
    switch fields["type"]?.text {
    case "range":
      guard let last = number(spec["lastkey"]), let step = number(spec["keystep"]),
        let limit = number(spec["limit"])
      else { return nil }
      return .range(last: last, step: step, limit: limit)
    case "keynum":
      guard let index = number(spec["keynumidx"]), let first = number(spec["firstkey"]),
        let step = number(spec["keystep"])
      else { return nil }
      return .counted(number: index, first: first, step: step)
    default:
      return nil
    }
  }

  /// Small numbers only: sums of them with argument counts cannot overflow.
  private static func number(_ value: RESPValue?) -> Int? {
    guard let number = value?.integer, let small = Int32(exactly: number) else { return nil }
    return Int(small)
  }

  /// A map as RESP2 gives it: names and values in turn.
  private static func pairs(_ value: RESPValue?) -> [String: RESPValue] {
    guard let items = value?.array, items.count % 2 == 0 else { return [:] }
    var fields: [String: RESPValue] = [:]
    for index in stride(from: 0, to: items.count, by: 2) {
      if let name = items[index].text { fields[name] = items[index + 1] }
    }
    return fields
  }
}
