// The router's decisions about commands with keys.

extension CommandRouter {
  /// How many of a command's keys match.
  private enum Share {
    case none, some, all
  }

  func routeKeys(
    _ shape: CommandShape, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision {
    guard let keys = KeyPositions.find(shape, in: bytes, arguments: arguments) else {
      return stopMalformed(bytes, arguments, offset)
    }
    if case .crossDatabase(let command) = shape.kind {
      return route(command, bytes, arguments, offset)
    }
    if !isDatabaseSelected { return .drop(.otherDatabase) }
    if filter.matchesEveryKey, skippedKeys.isEmpty { return .forward(database: database) }
    if keys.count == 0 {
      return stop(
        .undeclaredKeys, bytes, arguments, offset,
        "the script declares no keys, so what it touches cannot be told; start again without a"
          + " filter, or with scripts that declare their keys")
    }
    switch share(of: keys, bytes, arguments) {
    case .none: return .drop(.otherKeys)
    case .all:
      if shape.kind == .movable(.sort), keys.count > 1, sortReadsOutside(bytes, arguments) {
        return stop(
          .crossesFilter, bytes, arguments, keys: list(keys, bytes, arguments), offset,
          "its BY or GET patterns read keys outside the filter; "
            + Self.advice)
      }
      return .forward(database: database)
    case .some: break
    }
    switch shape.kind {
    case .splittable: return subset(keys, bytes, arguments, valuesPerKey: 0)
    case .splittablePairs: return subset(keys, bytes, arguments, valuesPerKey: 1)
    default:
      return stop(
        .crossesFilter, bytes, arguments, keys: list(keys, bytes, arguments), offset,
        "it touches keys on both sides of the filter and cannot be split; " + Self.advice)
    }
  }

  private static let advice =
    "widen the filter, or stop the application from sending it, and start again"

  private func matches(
    _ index: Int, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> Bool {
    let key = bytes.extracting(arguments[index])
    if !filter.matches(key: key) { return false }
    return !skippedKeys.contains(key, database: database)
  }

  private func share(
    of keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> Share {
    let first = matches(keys[0], bytes, arguments)
    for position in 1..<max(1, keys.count)
    where matches(keys[position], bytes, arguments) != first {
      return .some
    }
    return first ? .all : .none
  }

  /// The command with only the keys that match, each with the values that follow it. MSETNX
  /// becomes MSET: the source has already found that none of the keys existed.
  private func subset(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, valuesPerKey: Int
  ) -> RoutingDecision {
    var kept = 0
    for position in 0..<keys.count where matches(keys[position], bytes, arguments) { kept += 1 }
    var writer = CommandWriter(
      argumentCount: 1 + kept * (1 + valuesPerKey), reservingBytes: bytes.count)
    if valuesPerKey > 0 {
      writer.append("MSET")
    } else {
      writer.append(bytes.extracting(arguments[0]))
    }
    for position in 0..<keys.count where matches(keys[position], bytes, arguments) {
      for index in keys[position]...keys[position] + valuesPerKey {
        writer.append(bytes.extracting(arguments[index]))
      }
    }
    return .forwardSubset(writer.bytes, database: database)
  }

  /// Whether SORT … STORE looks up keys that need not match: those behind BY and GET are made by
  /// putting an element in place of the pattern's star, so what stands before it must decide.
  private func sortReadsOutside(_ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> Bool {
    var index = 2
    while index < arguments.count {
      let argument = bytes.extracting(arguments[index])
      if argument.isWord("limit") {
        index += 3
      } else if argument.isWord("store") {
        index += 2
      } else if argument.isWord("by") || argument.isWord("get") {
        if index + 1 < arguments.count {
          let pattern = bytes.extracting(arguments[index + 1])
          if let star = pattern.indices.first(where: { pattern[$0] == UInt8(ascii: "*") }),
            !filter.matchesEveryKey(startingWith: pattern.extracting(0..<star))
          {
            return true
          }
        }
        index += 2
      } else {
        index += 1
      }
    }
    return false
  }

  // MARK: MOVE and COPY

  private func route(
    _ command: CommandShape.CrossDatabase, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    _ offset: UInt64
  ) -> RoutingDecision {
    var target = database
    var isTargetNamed = false
    if command == .move {
      guard let named = databaseNumber(bytes, arguments, 2) else {
        return stopMalformed(bytes, arguments, offset)
      }
      target = named
      isTargetNamed = true
    } else {
      var index = 3
      while index < arguments.count {
        if bytes.extracting(arguments[index]).isWord("db") {
          guard let named = databaseNumber(bytes, arguments, index + 1) else {
            return stopMalformed(bytes, arguments, offset)
          }
          target = named
          isTargetNamed = true
          index += 1
        }
        index += 1
      }
    }
    let destination = command == .move ? 1 : 2
    let readsKey = matches(1, bytes, arguments)
    let writesKey = matches(destination, bytes, arguments)
    let reads = readsKey && isDatabaseSelected
    let writes = writesKey && filter.matches(database: target)
    if !reads && !writes {
      return .drop(readsKey || writesKey ? .otherDatabase : .otherKeys)
    }
    if reads && writes {
      // The destination may have another number for this database: let it say "here".
      if command == .copy, isTargetNamed, target == database {
        return copyWithinDatabase(bytes, arguments)
      }
      return .forward(database: database)
    }
    let shown = (1...destination).map { quoted($0, bytes, arguments) }.joined(separator: " ")
    if readsKey && writesKey {
      return stop(
        .crossesDatabases, bytes, arguments, keys: shown, offset,
        "it connects db \(database) with db \(target), of which one is selected; select both with"
          + " --db, or stop the application from sending it, and start again")
    }
    return stop(
      .crossesFilter, bytes, arguments, keys: shown, offset,
      "it touches keys on both sides of the filter and cannot be split; " + Self.advice)
  }

  /// COPY without its DB option, which names the database it runs in.
  private func copyWithinDatabase(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> RoutingDecision {
    var replaces = false
    for index in 3..<arguments.count where bytes.extracting(arguments[index]).isWord("replace") {
      replaces = true
    }
    var writer = CommandWriter(
      argumentCount: replaces ? 4 : 3, reservingBytes: bytes.count)
    for index in 0..<3 { writer.append(bytes.extracting(arguments[index])) }
    if replaces { writer.append("REPLACE") }
    return .forwardSubset(writer.bytes, database: database)
  }

  // MARK: Keys in messages

  private func quoted(
    _ index: Int, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> String {
    Printable.key(bytes.extracting(arguments[index]))
  }

  /// The first keys of each side: `selected "a" "b", not selected "c" and 2 more`.
  private func list(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> String {
    var sides: [String] = []
    for isSelected in [true, false] {
      var shown: [String] = []
      var left = 0
      for position in 0..<keys.count where matches(keys[position], bytes, arguments) == isSelected {
        if shown.count < RoutingError.keysShownMax {
          shown.append(quoted(keys[position], bytes, arguments))
        } else {
          left += 1
        }
      }
      if shown.isEmpty { continue }
      let more = left > 0 ? " and \(left) more" : ""
      sides.append(
        (isSelected ? "selected " : "not selected ") + shown.joined(separator: " ") + more)
    }
    return sides.joined(separator: ", ")
  }
}
