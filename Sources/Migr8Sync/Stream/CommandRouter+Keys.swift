// The router's decisions about commands with keys that can be taken as a whole or taken apart.

extension CommandRouter {
  /// How a key stands at the destination.
  enum Standing {
    /// It does not match, or the destination keeps its own.
    case outside
    /// It matches and is under repair.
    case awaited
    /// The destination has it as the source does.
    case usable
  }

  /// How many of a command's keys stand how.
  struct Share {
    var outside = 0
    var awaited = 0
    var usable = 0
  }

  mutating func routeKeys(
    _ shape: CommandShape, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64,
    _ receipt: Int64?
  ) -> RoutingDecision {
    guard let keys = table.keys(of: shape, in: bytes, arguments: arguments) else {
      return stopMalformed(bytes, arguments, offset)
    }
    if case .crossDatabase(let command) = shape.kind {
      return route(command, bytes, arguments, offset)
    }
    if !isDatabaseSelected { return .drop(.otherDatabase) }
    // MIGRATE is never in a stream: the source sends DEL. In any case no destination is to carry it out.
    if shape.kind == .movable(.migrate) { return repair(keys, bytes, arguments, offset) }
    if passesUnseen, !isLate || !shape.derives {
      setWatch(shape, bytes, arguments)
      return pass(shape, keys, bytes, arguments, receipt)
    }
    if keys.count == 0 {
      if filter.matchesEveryKey, !mapping.renamesKeys {
        return .forward(database: mapping.destination(of: database))
      }
      return unplaced(
        .undeclaredKeys, bytes, arguments, offset,
        "the script declares no keys, so what it touches cannot be told")
    }
    let share = share(of: keys, bytes, arguments, offset)
    if share.usable == 0 { return .drop(share.awaited > 0 ? .underRepair : .otherKeys) }
    switch shape.kind {
    case .splittable where share.usable < keys.count:
      return subset(keys, bytes, arguments, valuesPerKey: 0)
    case .splittablePairs where share.usable < keys.count:
      return subset(keys, bytes, arguments, valuesPerKey: 1)
    case .movable(.sort) where sortReadsElsewhere(bytes, arguments):
      return repairExtra(keys, bytes, arguments, offset, share)
    default:
      guard share.usable == keys.count else {
        return cross(shape.effect, keys, bytes, arguments, offset, share)
      }
      if isLate, shape.derives {
        if let decision = deriveLate(shape, keys, bytes, arguments, offset) { return decision }
      }
      setWatch(shape, bytes, arguments)
      return pass(shape, keys, bytes, arguments, receipt)
    }
  }

  /// Decides about a command after `.needsKeys`.
  ///
  /// - Parameter askedKeys: what the source answers to COMMAND GETKEYS; `nil` when it did not.
  mutating func route(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, startOffset: UInt64, askedKeys: [[UInt8]]?
  ) -> RoutingDecision {
    guard let askedKeys else {
      return unplaced(
        .unknownCommand, bytes, arguments, startOffset,
        "the source did not say which keys it has")
    }
    guard let keys = positions(of: askedKeys, bytes, arguments), keys.count > 0 else {
      return unplaced(
        .unknownCommand, bytes, arguments, startOffset,
        "which of its arguments are the keys that the source names cannot be told")
    }
    let share = share(of: keys, bytes, arguments, startOffset)
    if share.usable == 0 { return .drop(share.awaited > 0 ? .underRepair : .otherKeys) }
    let shape = CommandShape(kind: .asked)
    guard share.usable == keys.count, !isLate else {
      return repair(keys, bytes, arguments, startOffset)
    }
    setWatchOfUnknown()
    return pass(shape, keys, bytes, arguments, nil)
  }

  /// Where the keys stand among the arguments. Equal bytes that are no key matter only for renames.
  private func positions(
    of names: [[UInt8]], _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> KeyPositions? {
    var list: [Int] = []
    for name in names {
      var places: [Int] = []
      for index in 1..<arguments.count where arguments[index].count == name.count {
        if bytes.extracting(arguments[index]).begins(with: name.span) { places.append(index) }
      }
      if mapping.renamesKeys, places.count != 1 { return nil }
      guard let place = places.first else { return nil }
      list.append(place)
    }
    return KeyPositions(list: list)
  }

  // MARK: Standing

  func standing(_ index: Int, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> Standing {
    standing(of: bytes.extracting(arguments[index]), in: database)
  }

  func standing(of key: Span<UInt8>, in database: Int) -> Standing {
    if !filter.matches(key: key) { return .outside }
    if skippedKeys.contains(key, database: database) { return .outside }
    return repairs.contains(key, database: database) ? .awaited : .usable
  }

  /// Counts how the keys stand. What the command does to those under repair, the fetched value must
  /// hold: the book is told.
  private mutating func share(
    of keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> Share {
    var share = Share()
    for position in 0..<keys.count {
      switch standing(keys[position], bytes, arguments) {
      case .outside: share.outside += 1
      case .usable: share.usable += 1
      case .awaited:
        share.awaited += 1
        repairs.touch(name(keys[position], bytes, arguments), at: offset)
      }
    }
    return share
  }

  func name(_ index: Int, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> KeyName {
    KeyName(database: database, key: bytes.extracting(arguments[index]))
  }

  // MARK: Whole

  /// The command as it is, but for the destination's names and absolute times.
  private func pass(
    _ shape: CommandShape, _ keys: KeyPositions, _ bytes: Span<UInt8>,
    _ arguments: Span<Range<Int>>, _ receipt: Int64?
  ) -> RoutingDecision {
    let target = mapping.destination(of: database)
    if let receipt, shape.relativeTime != .none,
      let command = AbsoluteExpiry.rewritten(
        bytes, arguments: arguments, receiptMilliseconds: receipt, mapping: mapping)
    {
      return .rewritten(command, database: target, .renamed)
    }
    guard mapping.renamesKeys, renamesAny(keys, bytes, arguments) else {
      return .forward(database: target)
    }
    return .rewritten(
      renamed(keys, bytes, arguments), database: target, .renamed)
  }

  private func renamesAny(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> Bool {
    for position in 0..<keys.count
    where mapping.rewrite(of: bytes.extracting(arguments[keys[position]])) != nil { return true }
    return false
  }

  private func renamed(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> [UInt8] {
    var writer = CommandWriter(argumentCount: arguments.count, reservingBytes: bytes.count + 64)
    for index in 0..<arguments.count {
      let argument = bytes.extracting(arguments[index])
      if keys.contains(index) {
        writer.append(key: argument, mapping)
      } else {
        writer.append(argument)
      }
    }
    return writer.bytes
  }

  // MARK: In part

  /// The command with only the usable keys, each with the values that follow it. MSETNX becomes
  /// MSET: the source has already found that none of the keys existed.
  private func subset(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, valuesPerKey: Int
  ) -> RoutingDecision {
    var kept = 0
    for position in 0..<keys.count where standing(keys[position], bytes, arguments) == .usable {
      kept += 1
    }
    var writer = CommandWriter(
      argumentCount: 1 + kept * (1 + valuesPerKey), reservingBytes: bytes.count)
    if valuesPerKey > 0 {
      writer.append("MSET")
    } else {
      writer.append(bytes.extracting(arguments[0]))
    }
    for position in 0..<keys.count where standing(keys[position], bytes, arguments) == .usable {
      let index = keys[position]
      writer.append(key: bytes.extracting(arguments[index]), mapping)
      if valuesPerKey > 0 { writer.append(bytes.extracting(arguments[index + 1])) }
    }
    return .rewritten(writer.bytes, database: mapping.destination(of: database), .subset)
  }

  /// Whether SORT … STORE looks up keys that the destination may not have: those behind BY and GET
  /// are made by putting an element in place of the pattern's star.
  private func sortReadsElsewhere(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> Bool {
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
          if let star = pattern.indices.first(where: { pattern[$0] == UInt8(ascii: "*") }) {
            if mapping.renamesKeys || !repairs.isEmpty || !skippedKeys.isEmpty { return true }
            if !filter.matchesEveryKey(startingWith: pattern.extracting(0..<star)) { return true }
          }
        }
        index += 2
      } else {
        index += 1
      }
    }
    return false
  }
}
