// The rules about rights: what is asked of each user, and the line that makes one who may do it.

import ReplicaLink

extension CheckRules {
  // MARK: - What a run sends

  /// What the source's user runs. `PSYNC` cannot be tried without attaching.
  ///
  /// - Parameter mapping: which keys he must be able to read.
  static func sourceRequests(
    _ way: SourceWay, psync: String, _ mapping: KeyMapping
  ) -> [ServerSurvey.Request] {
    let beginnings = mapping.beginnings.source
    let common = [["ping"], ["info"], ["time"]]
    guard way == .scan else {
      // ACL DRYRUN is as old as PEXPIRETIME.
      return requests(
        [[psync, "?", "-1"], ["replconf", "ack", "0"]] + common + [
          ["select", "0"], ["multi"], ["exec"], ["dump", keyMark], ["pexpiretime", keyMark],
          ["memory", "usage", keyMark],
        ], access: ["dump", keyMark], beginnings, mapping)
    }
    return requests(
      [
        ["scan", "0"], ["select", "0"], ["dump", keyMark], ["pttl", keyMark], ["type", keyMark],
        ["memory", "usage", keyMark], ["watch", keyMark], ["multi"], ["exec"],
      ] + common, access: ["dump", keyMark], beginnings, mapping)
  }

  /// What the destination's user runs.
  ///
  /// - Parameter mapping: which keys he must be able to write.
  static func destinationRequests(_ mapping: KeyMapping) -> [ServerSurvey.Request] {
    requests(
      [
        ["restore", keyMark, "0", "x"], ["set", keyMark, "v"], ["mset", keyMark, "v"],
        ["msetnx", keyMark, "v"], ["unlink", keyMark], ["del", keyMark],
        ["rename", keyMark, keyMark], ["pexpireat", keyMark, "1"], ["rpush", keyMark, "a"],
        ["sadd", keyMark, "a"], ["zadd", keyMark, "1", "a"], ["hset", keyMark, "f", "v"],
        ["xadd", keyMark, "*", "f", "v"], ["multi"], ["exec"], ["select", "0"], ["scan", "0"],
        ["info"], ["client", "list"], ["client", "kill", "id", "1"],
        ["client", "setname", "x"],
      ], access: ["rename", keyMark, keyMark],
      mapping.beginnings.destination + [KeyFilter.reservedPrefix], mapping)
  }

  /// Stands in a command for a key.
  private static let keyMark = "KEY"

  /// Every command below the first beginning, and below each other one that which needs most of a key.
  private static func requests(
    _ commands: [[String]], access: [String], _ beginnings: [[UInt8]],
    _ mapping: KeyMapping
  ) -> [ServerSurvey.Request] {
    func words(_ command: [String], _ beginning: [UInt8]) -> [[UInt8]] {
      // Not below migr8sync:, which a user may have where no key that moves is his.
      let key = mapping.probe("check", below: beginning)
      return command.map { $0 == keyMark ? key : Array($0.utf8) }
    }
    let first = beginnings.first ?? []
    return commands.map { ServerSurvey.Request(words: words($0, first)) }
      + beginnings.dropFirst().map {
        ServerSurvey.Request(words: words(access, $0), beginning: $0)
      }
  }

  // MARK: - Lines to copy

  /// The words that make a user who may read what moves.
  static func sourceLine(
    _ way: SourceWay, _ mapping: KeyMapping, _ survey: ServerSurvey
  ) -> String {
    let expiry = isOf7(survey) ? " +pexpiretime" : ""
    return line(
      mapping.beginnings.source,
      way == .psync
        ? "+psync +replconf +ping +info +time +select +multi +exec +scan +dump +pttl\(expiry)"
          + " +memory|usage"
        : "+@read +select +watch +multi +exec +ping +info +time")
  }

  /// Who may not run INFO does not know the version; but 7.0 can be asked for rights.
  private static func isOf7(_ survey: ServerSurvey) -> Bool {
    if let facts = survey.facts { return facts.version >= ServerVersion(7) }
    if case .told = survey.rights { return true }
    return false
  }

  /// The words that make a user who may write it.
  static func destinationLine(_ mapping: KeyMapping) -> String {
    line(
      mapping.beginnings.destination + [Array("migr8sync:".utf8)],
      "+@read +@write +@transaction +select +scan +info +client|list +client|kill +client|setname")
  }

  private static func line(_ beginnings: [[UInt8]], _ commands: String) -> String {
    // Servers refuse a pattern behind one that opens every key: none that another one covers is said.
    let words =
      ["ACL", "SETUSER", "NAME", "on", ">PASSWORD"]
      + KeyRules(prefixes: beginnings).beginnings.map(ACLWord.keys)
      + commands.split(separator: " ").map(String.init)
    return words.map(ACLWord.quoted).joined(separator: " ")
  }

  // MARK: - Rules

  /// What reads keys again at the source.
  private static let repairCommands: Set<String> = [
    "select", "multi", "exec", "dump", "pexpiretime", "memory",
  ]

  /// Without these a run works, with less safety.
  private static let dispensable: Set<String> = ["client", "time", "info"]

  static func sourceRights(_ facts: CheckFacts) -> CheckFinding {
    let survey = facts.source
    if let missing = survey.missingCommands.first {
      return .fail(
        "source rights", "there is no command \(missing)",
        "it may be renamed: --psync-command; --via scan copies once without it")
    }
    return rights(
      "source rights", survey, sourceLine(facts.way, facts.mapping, survey),
      repairs: facts.way == .psync ? repairCommands : [])
  }

  static func destinationRights(_ facts: CheckFacts) -> CheckFinding {
    let line = destinationLine(facts.mapping)
    let row = rights("destination rights", facts.destination, line)
    guard row.level != .fail, let refusal = facts.destination.writeRefusal,
      refusal.hasPrefix("NOPERM")
    else { return row }
    return .fail(row.subject, "a RESTORE is refused: \(refusal)", line)
  }

  /// - Parameter repairs: commands without which only what has to be read again stops a run.
  private static func rights(
    _ subject: String, _ survey: ServerSurvey, _ line: String, repairs: Set<String> = []
  ) -> CheckFinding {
    let user = survey.user.map { "user \($0)" } ?? "the user"
    let (denied, missing): ([ServerSurvey.Request], [String])
    switch survey.rights {
    case .everything: return .pass(subject, "\(user) may run everything")
    case .untold(let reason):
      return .warn(
        subject, "cannot be asked: \(reason)", "see that \(user) may do what this allows: \(line)")
    case .told(let some, let others): (denied, missing) = (some, others)
    }
    if denied.isEmpty {
      if missing.isEmpty { return .pass(subject, "\(user) may run what is needed") }
      return .warn(
        subject, "the server has no \(missing.joined(separator: " "))",
        "if it is renamed there, a run may need it under its own name")
    }
    var text = "\(user) may not \(what(denied))"
    let needed = denied.filter { !dispensable.contains($0.command) }
    if needed.contains(where: { !repairs.contains($0.command) }) {
      return .fail(subject, text, line)
    }
    if !needed.isEmpty {
      text +=
        ": a key that has to be read again, behind a command on both sides of the rules, ends the run"
    }
    return .warn(subject, text, line)
  }

  /// What a user may not do, in words.
  private static func what(_ denied: [ServerSurvey.Request]) -> String {
    let commands = Set(denied.filter { $0.beginning == nil }.map(\.command))
    // Who may not run it at all is not told where.
    let closed = denied.filter { !commands.contains($0.command) }.compactMap(\.beginning)
    var parts: [String] = []
    if !commands.isEmpty { parts.append("run " + commands.sorted().joined(separator: " ")) }
    if !closed.isEmpty {
      let more = closed.count > 3 ? " and \(closed.count - 3) others" : ""
      parts.append(
        "access keys that begin with "
          + closed.prefix(3).map { Printable.key($0) }
          .joined(separator: ", ") + more)
    }
    return parts.joined(separator: " nor ")
  }
}
