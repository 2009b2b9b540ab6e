// The options that say which keys and databases move, and what they are called afterwards.

import RDBParser
import ReplicaLink

extension OptionReader {
  /// The rules that leave keys out.
  func excludedRules() throws(UsageError) -> KeyRules {
    KeyRules(
      prefixes: try prefixes(.excludedPrefix), globs: try globs(.excludedMatch),
      expressions: try expressions(.excludedRegex))
  }

  /// The rules that let keys in, where there are no routes.
  func includedRules() throws(UsageError) -> KeyRules {
    KeyRules(
      prefixes: try prefixes(.prefix), globs: try globs(.match),
      expressions: try expressions(.regex))
  }

  private func prefixes(_ name: CommandOption.Name) throws(UsageError) -> [[UInt8]] {
    let longName = arguments.command.option(name).longName
    var prefixes: [[UInt8]] = []
    for value in arguments.all(name) {
      if value.isEmpty { throw empty(name, value) }
      if value.bytes.last == UInt8(ascii: "*") {
        let glob = arguments.command.option(name == .prefix ? .match : .excludedMatch).longName
        throw UsageError(
          "\(longName) is taken literally; leave the '*' at its end out, or use \(glob) for a"
            + " pattern", at: value.origin)
      }
      prefixes.append(try keyBytes(value, name))
    }
    return prefixes
  }

  private func globs(_ name: CommandOption.Name) throws(UsageError) -> [GlobPattern] {
    var globs: [GlobPattern] = []
    for value in arguments.all(name) {
      if value.isEmpty { throw empty(name, value) }
      globs.append(GlobPattern(try keyBytes(value, name)))
    }
    return globs
  }

  private func expressions(_ name: CommandOption.Name) throws(UsageError) -> [KeyExpression] {
    var expressions: [KeyExpression] = []
    for value in arguments.all(name) {
      if value.isEmpty { throw empty(name, value) }
      let bytes = try keyBytes(value, name)
      do {
        expressions.append(try KeyExpression(bytes))
      } catch {
        throw UsageError(
          "\(arguments.command.option(name).longName): position \(error.position): \(error.problem)",
          at: value.origin)
      }
    }
    return expressions
  }

  private func empty(_ name: CommandOption.Name, _ value: OptionValue) -> UsageError {
    let option = arguments.command.option(name)
    let excludes = [.excludedPrefix, .excludedMatch, .excludedRegex].contains(name)
    return UsageError(
      "\(option.longName) is empty; leave it out to "
        + (excludes ? "leave nothing out" : "mirror everything"), at: value.origin)
  }

  /// The bytes of a key or a pattern. Swift puts U+FFFD where an argument is not UTF-8, so a text with
  /// one would stand for other keys than the operator means. A file holds any bytes.
  func keyBytes(_ value: OptionValue, _ name: CommandOption.Name) throws(UsageError) -> [UInt8] {
    if value.origin == .commandLine, value.text?.unicodeScalars.contains("\u{FFFD}") ?? false {
      throw UsageError(
        "\(arguments.command.option(name).longName) is not UTF-8; put it into a file, as"
          + " \"\\xff\", and name that with --config")
    }
    return value.bytes
  }

  // MARK: Databases and types

  /// The databases that `--db` names; `nil` for all.
  func databases() throws(UsageError) -> Set<Int>? {
    var databases: Set<Int> = []
    for value in arguments.all(.database) {
      for item in Self.items(value) {
        guard let number = database(item) else {
          throw UsageError(
            arguments.command.option(.database), takes: "the number of a db, or several as 0,3",
            at: value.origin)
        }
        databases.insert(number)
      }
    }
    return databases.isEmpty ? nil : databases
  }

  /// The databases to read from a server; `nil` for all.
  func databases(source: RedisURL) throws(UsageError) -> Set<Int>? {
    let databases = try databases()
    guard let named = source.database else { return databases }
    if let databases, databases != [named] {
      throw UsageError(
        "--db and the db in the URL of --source differ; leave one of them out",
        at: arguments.origin(of: .database))
    }
    return [named]
  }

  /// The types of values to copy; `nil` for all.
  func types() throws(UsageError) -> Set<RDBValueKind>? {
    guard arguments.has(.type) else { return nil }
    let known = RDBValueKind.allCases.filter { $0 != .unknown }
    var types: Set<RDBValueKind> = []
    for value in arguments.all(.type) {
      for item in Self.items(value) {
        guard let type = known.first(where: { $0.rawValue == item }) else {
          throw UsageError(
            arguments.command.option(.type),
            takes: "one of " + known.map(\.rawValue).joined(separator: ", "),
            at: value.origin)
        }
        types.insert(type)
      }
    }
    return types
  }

  /// What `--db-map` says; nil without it.
  func databaseMap() throws(UsageError) -> DatabaseMap? {
    guard arguments.has(.databaseMap) else { return nil }
    var numbers: [Int: Int] = [:]
    for value in arguments.all(.databaseMap) {
      for item in Self.items(value) {
        let parts = item.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, let old = database(String(parts[0])),
          let new = database(String(parts[1]))
        else {
          throw UsageError(
            arguments.command.option(.databaseMap),
            takes: "two dbs, or several such pairs: 0=3,1=4",
            at: value.origin)
        }
        if numbers[old] != nil {
          throw UsageError("--db-map sends db \(old) to two places", at: value.origin)
        }
        if let other = numbers.first(where: { $0.value == new })?.key {
          throw UsageError(
            "--db-map sends both db \(other) and db \(old) to \(new)", at: value.origin)
        }
        numbers[old] = new
      }
    }
    return DatabaseMap(numbers: numbers)
  }

  private func database(_ text: String) -> Int? {
    guard let number = Quantity.number(text), number <= SyncOptions.databaseMax else { return nil }
    return Int(number)
  }

  private static func items(_ value: OptionValue) -> [String] {
    (value.text ?? "\u{FFFD}").split(separator: ",", omittingEmptySubsequences: false)
      .map(String.init)
  }

  // MARK: Names

  /// The changes of names.
  func rewrites() throws(UsageError) -> [KeyRewrite] {
    var rewrites: [KeyRewrite] = []
    var olds: Set<[UInt8]> = []
    for value in arguments.all(.rewrite) {
      let parts = EqualsText.split(try keyBytes(value, .rewrite))
      guard parts.count == 2, let old = EqualsText.unescaped(parts[0]),
        let new = EqualsText.unescaped(parts[1])
      else {
        throw UsageError(
          arguments.command.option(.rewrite),
          takes: "OLD=NEW, with \\= for a '=' and \\\\ for a backslash of the keys",
          at: value.origin)
      }
      guard olds.insert(old).inserted else {
        throw UsageError("--rewrite gives the same keys two names", at: value.origin)
      }
      if old == new {
        throw UsageError("--rewrite changes nothing: both sides are the same", at: value.origin)
      }
      if new.starts(with: KeyFilter.reservedPrefix) {
        throw UsageError(
          "--rewrite makes keys that begin with migr8sync:job:, which are this program's own",
          at: value.origin)
      }
      rewrites.append(KeyRewrite(old: old, new: new))
    }
    return rewrites
  }
}

/// Takes `left=right` apart, where `\=` is an equals sign and `\\` a backslash.
enum EqualsText {
  /// The parts between the equals signs that are not escaped, still escaped.
  static func split(_ bytes: [UInt8], maxSplits: Int = .max) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index < bytes.count, parts.count < maxSplits {
      if bytes[index] == UInt8(ascii: "=") {
        parts.append(bytes[start..<index])
        start = index + 1
      }
      index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
    }
    return parts + [bytes[start...]]
  }

  /// The bytes meant; nil where a backslash stands before anything else, or last.
  static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    var rest = bytes
    while var byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\") {
        guard let next = rest.popFirst(), next == UInt8(ascii: "=") || next == UInt8(ascii: "\\")
        else { return nil }
        byte = next
      }
      result.append(byte)
    }
    return result
  }
}
