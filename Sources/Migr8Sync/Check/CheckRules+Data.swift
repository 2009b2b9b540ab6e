// The rules about memory, types of values and commands.

import RDBParser
import ReplicaLink

extension CheckRules {
  // MARK: - Memory

  static func memory(_ facts: CheckFacts) -> CheckFinding? {
    guard let sample = facts.sample else { return nil }
    let needed = sample.bytesEstimated
    let keys = HumanNumber.count(sample.keysEstimated)
    let text = "about \(HumanNumber.bytes(needed)) for about \(keys) keys"
    if sample.keysMatched == 0 {
      return .warn(
        "memory", "no key matches, of \(HumanNumber.count(sample.keysSeen)) looked at",
        "check --prefix and --db")
    }
    guard let limit = facts.destination.info("maxmemory"), limit > 0,
      let used = facts.destination.info("used_memory")
    else {
      if let machine = facts.destination.info("total_system_memory"),
        let used = facts.destination.info("used_memory"), used.saturatingAdd(needed) > machine
      {
        return .fail(
          "memory", "\(text), and the destination's machine has \(HumanNumber.bytes(machine))",
          "use a larger one")
      }
      return .pass("memory", "\(text); the destination sets itself no limit")
    }
    let free = limit > used ? limit - used : 0
    if needed > free {
      return .fail(
        "memory", "\(text), and \(HumanNumber.bytes(free)) are left of its maxmemory",
        "raise maxmemory at the destination")
    }
    if needed.saturatingMultiply(5) / 4 > free {
      return .warn(
        "memory", "\(text), of \(HumanNumber.bytes(free)) that are left",
        "raise maxmemory at the destination: keys take more while they are loaded")
    }
    return .pass("memory", "\(text), of \(HumanNumber.bytes(free)) that are left")
  }

  static func eviction(_ facts: CheckFacts) -> CheckFinding? {
    guard let limit = facts.destination.info("maxmemory"), limit > 0 else { return nil }
    guard let policy = facts.destination.facts?.fields["maxmemory_policy"] else { return nil }
    if policy == "noeviction" { return .pass("eviction", "the destination evicts nothing") }
    return .warn(
      "eviction", "the destination evicts keys when it is full (\(policy)), without a word",
      "CONFIG SET maxmemory-policy noeviction while keys move")
  }

  // MARK: - Values

  static func modules(_ facts: CheckFacts) -> CheckFinding? {
    guard let loaded = facts.source.modules, !loaded.isEmpty else { return nil }
    let there = Set(facts.destination.modules ?? [])
    let missing = loaded.filter { !there.contains($0) }
    if missing.isEmpty { return .pass("modules", "those of the source are at the destination") }
    let text = "the destination does not have \(missing.sorted().joined(separator: ", "))"
    // What a module calls its type is not what it is called itself: which one a value needs is not known.
    guard facts.sample?.types.keys.contains(where: { $0.kind == .module }) ?? false else {
      return .warn("modules", text, "load it there, if keys that move need it")
    }
    if facts.destination.modules?.isEmpty ?? false {
      return .fail("modules", "\(text), and keys that move are values of modules", "load it there")
    }
    return .warn(
      "modules", "\(text), and keys that move are values of modules",
      "load it there, unless they are of another")
  }

  static func types(_ facts: CheckFacts) -> CheckFinding? {
    // Of a file there is a row for each type.
    guard facts.file == nil, let types = facts.sample?.types, !types.isEmpty else { return nil }
    let restorable = RestorableTypes(facts.destination.facts)
    let others = types.keys.filter { !restorable.contains($0) }
    let count = types.values.reduce(0, +)
    if others.isEmpty {
      return .pass("value types", "the destination takes all of \(count) values looked at")
    }
    let names = Set(others.map(\.logicalName)).sorted().joined(separator: ", ")
    let expiring: Set<RDBType> = [.hashTTL, .hashListpackTTL, .valkeyHash2]
    let losesFields =
      facts.destination.facts.map { !$0.commandFeatures.fieldExpiry } ?? false
    if losesFields, others.contains(where: expiring.contains) {
      return .fail(
        "value types", "hash fields expire, which the destination cannot do",
        "use a destination as new as the source")
    }
    // The row on modules is about theirs.
    let untold = others.filter { !$0.goesAsCommands && $0.kind != .module }
    if !untold.isEmpty {
      let names = Set(untold.map(\.logicalName)).sorted().joined(separator: ", ")
      return .fail(
        "value types", "the destination has no such type: \(names)",
        "use a destination as new as the source")
    }
    return .warn(
      "value types", "the destination cannot RESTORE this form of \(names)",
      "they go as plain commands, which takes longer")
  }

  static func largeStrings(_ facts: CheckFacts) -> CheckFinding? {
    guard let mine = facts.source.number("proto-max-bulk-len"),
      let other = facts.destination.number("proto-max-bulk-len"), other < mine
    else { return nil }
    return .warn(
      "string length",
      "the destination takes strings of up to \(HumanNumber.bytes(other)), the"
        + " source of \(HumanNumber.bytes(mine))", "raise proto-max-bulk-len there")
  }

  // MARK: - Commands

  /// Commands of which an operator should know what becomes of them when a part of the keys moves.
  private static let notable: [(name: String, meaning: String)] = [
    ("flushall", "removes the matching keys at the destination, too"),
    ("flushdb", "removes the matching keys at the destination, too"),
    ("swapdb", "is carried over only where both dbs move"),
    ("move", "is carried over only where both dbs move"),
    ("eval", "of sources before 7.0 needs its keys declared"),
    ("evalsha", "of sources before 7.0 needs its keys declared"),
    ("function|load", "moves only where everything moves"),
    ("publish", "is not moved without --publish"),
  ]

  /// Those that may have keys on both sides of the rules. What they wrote is read again then, unless the
  /// command says it.
  private static let crossing = [
    "rename", "renamenx", "copy", "sort", "smove", "lmove", "blmove", "rpoplpush", "brpoplpush",
    "sinterstore", "sunionstore", "sdiffstore", "zinterstore", "zunionstore", "zdiffstore",
    "zrangestore", "geosearchstore", "georadius", "georadiusbymember", "bitop", "pfmerge",
  ]

  static func commands(_ facts: CheckFacts) -> [CheckFinding] {
    if facts.source.calls.isEmpty { return [] }
    let rows = notableRows(facts) + [crossingRow(facts)].compactMap { $0 }
    return rows.isEmpty ? [.pass("commands", "none in use that needs a thought")] : rows
  }

  private static func crossingRow(_ facts: CheckFacts) -> CheckFinding? {
    if facts.mapping.filter.matchesEverything { return nil }
    let seen = crossing.filter { facts.source.calls[$0] ?? 0 > 0 }
    if seen.isEmpty { return nil }
    let calls = seen.map { "\($0) \(HumanNumber.count(facts.source.calls[$0] ?? 0))" }
    return .warn(
      "commands of several keys",
      "calls since the source started: \(calls.joined(separator: ", ")); where their keys are on both"
        + " sides of the rules, a key may have to be read again", "see --explain")
  }

  private static func notableRows(_ facts: CheckFacts) -> [CheckFinding] {
    let before7 = facts.source.facts.map { $0.version < ServerVersion(7) } ?? true
    let seen = notable.filter { command in
      if command.name.hasPrefix("eval"), !before7 { return false }
      return facts.source.calls[command.name] ?? 0 > 0
    }
    return seen.map { command in
      .warn(
        "command \(command.name)",
        "was called \(HumanNumber.count(facts.source.calls[command.name] ?? 0)) times since the"
          + " source started: it \(command.meaning)", "see docs/the-fine-print.md and --explain")
    }
  }
}
