// The rules about an RDB file: whether the destination can take what stands in it.

import RDBParser
import ReplicaLink

extension CheckRules {
  /// Every row where there is a file and no source.
  static func allOfFile(_ facts: CheckFacts) -> [CheckFinding] {
    var rows = [reach("destination", facts.destination)]
    guard facts.destination.failure == nil else { return rows + file(facts) }
    rows += destinationState(facts) + [destinationRights(facts)]
    rows += [memory(facts), eviction(facts), connections(facts), writable(facts)].compactMap { $0 }
    rows += [existing(facts), jobs(facts)].compactMap { $0 }
    return rows + file(facts) + facts.troubles
  }

  /// The rows about the file.
  static func file(_ facts: CheckFacts) -> [CheckFinding] {
    guard let file = facts.file else { return [] }
    var rows = [whole(file)]
    rows += typeRows(file, facts.destination.facts)
    rows += [fieldExpiry(file, facts.destination.facts), groups(file)].compactMap { $0 }
    rows += moduleRows(file, facts.destination.modules)
    rows += [functions(file, facts), fileDatabases(file, facts), longStrings(file, facts)]
      .compactMap { $0 }
    return rows
  }

  private static func whole(_ file: FileCensus) -> CheckFinding {
    let family = file.header.family == .valkey ? "Valkey" : "Redis"
    let text =
      "\(file.name): RDB version \(file.header.version) of \(family),"
      + " \(HumanNumber.count(file.sample.keysMatched)) of \(HumanNumber.count(file.sample.keysSeen))"
      + " keys match"
    guard let damage = file.damage else { return .pass("file", text) }
    return .fail("file", damage, "the rows below are about what stands before that")
  }

  /// A row for each type, by its name.
  private static func typeRows(
    _ file: FileCensus, _ destination: ServerFacts?
  ) -> [CheckFinding] {
    let restorable = RestorableTypes(destination)
    let named = Dictionary(grouping: file.sample.types) { $0.key.logicalName }
    return named.sorted { $0.key < $1.key }.map { name, types in
      let count = types.reduce(0) { $0 + $1.value }
      let text = "\(HumanNumber.count(count)) key\(count == 1 ? "" : "s")"
      let others = types.filter { !restorable.contains($0.key) }.sorted { $0.value > $1.value }
      if others.isEmpty { return .pass("type \(name)", text) }
      let forms = others.map { "\(HumanNumber.count($0.value)) of type \($0.key)" }
        .joined(separator: ", ")
      guard others.allSatisfy({ $0.key.goesAsCommands }) else {
        return .fail(
          "type \(name)", "\(text): \(forms) the destination does not know",
          "use a destination as new as the file's server")
      }
      return .warn(
        "type \(name)", "\(text): \(forms) the destination cannot RESTORE",
        "they go as plain commands: extract --dest does so by itself, a file needs --target-version"
      )
    }
  }

  private static func fieldExpiry(
    _ file: FileCensus, _ destination: ServerFacts?
  ) -> CheckFinding? {
    if file.expiringHashes == 0 { return nil }
    let text = "fields of \(HumanNumber.count(file.expiringHashes)) hashes expire by themselves"
    guard let destination, !destination.commandFeatures.fieldExpiry else {
      return .pass("field expiry", text)
    }
    return .fail(
      "field expiry", "\(text), which the destination cannot do",
      "use a destination as new as the file's server")
  }

  private static func groups(_ file: FileCensus) -> CheckFinding? {
    if file.groups == 0 { return nil }
    return .pass(
      "consumer groups",
      "\(HumanNumber.count(file.groups)) in \(HumanNumber.count(file.streamsWithGroups)) streams, with"
        + " \(HumanNumber.count(file.pending)) pending entries")
  }

  /// What a module calls its type is not what it is called itself, so no name can be looked up.
  private static func moduleRows(_ file: FileCensus, _ loaded: [String]?) -> [CheckFinding] {
    let names = (loaded ?? []).sorted().joined(separator: ", ")
    return file.modules.sorted { $0.key < $1.key }.map { name, count in
      let text = "\(HumanNumber.count(count)) keys hold values of it"
      if loaded?.isEmpty ?? false {
        return .fail(
          "module \(name)", "\(text), and the destination has no module",
          "load it there, or leave"
            + " them out")
      }
      return .warn(
        "module \(name)", "\(text); the destination has \(names.isEmpty ? "untold ones" : names)",
        "make sure that it is among them, as new as the file's server had it")
    }
  }

  private static func functions(_ file: FileCensus, _ facts: CheckFacts) -> CheckFinding? {
    if file.functions == 0 { return nil }
    let text = "\(HumanNumber.count(file.functions)) libraries"
    if let facts = facts.destination.facts, facts.version < ServerVersion(7) {
      return .warn("functions", "\(text), which the destination does not know", "they stay behind")
    }
    return .pass("functions", text)
  }

  private static func fileDatabases(_ file: FileCensus, _ facts: CheckFacts) -> CheckFinding? {
    guard let count = facts.destination.number("databases") else { return nil }
    let targets = file.databases.map { facts.mapping.destination(of: $0) }
    guard let highest = targets.max() else { return nil }
    if UInt64(highest) >= count {
      return .fail(
        "file databases", "keys go to db \(highest), and the destination has \(count)",
        "raise databases there, or use --db or --db-map")
    }
    return .pass("file databases", "\(targets.count) in the file, \(count) at the destination")
  }

  private static func longStrings(_ file: FileCensus, _ facts: CheckFacts) -> CheckFinding? {
    guard let most = facts.destination.number("proto-max-bulk-len"), file.longestString > most
    else {
      return nil
    }
    return .fail(
      "string length",
      "a string takes \(HumanNumber.bytes(file.longestString)), and the destination takes"
        + " \(HumanNumber.bytes(most))", "raise proto-max-bulk-len there")
  }
}

extension RDBType {
  /// Whether a value can be said in commands at all.
  var goesAsCommands: Bool {
    ![.module, .array, .unknown].contains(kind)
  }
}
