// The router's decisions about commands that cannot pass as they are, because they read or write
// keys the destination does not have, or has not got right yet. Where the effect on the one key that
// matters is known exactly, it is sent as another command; otherwise that key is repaired.

extension CommandRouter {
  /// A command of which some keys are usable and some are not.
  mutating func cross(
    _ effect: CommandShape.Effect, _ keys: KeyPositions, _ bytes: Span<UInt8>,
    _ arguments: Span<Range<Int>>, _ offset: UInt64, _ share: Share
  ) -> RoutingDecision {
    let nothing = RoutingDecision.drop(share.awaited > 0 ? .underRepair : .otherKeys)
    switch effect {
    case .all:
      return repair(keys, bytes, arguments, offset)
    case .none:
      return nothing
    case .extra:
      return repairExtra(keys, bytes, arguments, offset, share)
    case .first:
      guard standing(keys[0], bytes, arguments) == .usable else { return nothing }
      return repair([name(keys[0], bytes, arguments)], bytes, arguments, offset)
    case .rename, .moveMember, .moveElement, .popElement:
      return crossPair(effect, keys, bytes, arguments, offset)
    }
  }

  /// Two keys, of which one is usable.
  private mutating func crossPair(
    _ effect: CommandShape.Effect, _ keys: KeyPositions, _ bytes: Span<UInt8>,
    _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision {
    let source = bytes.extracting(arguments[keys[0]])
    let target = bytes.extracting(arguments[keys[1]])
    if standing(keys[0], bytes, arguments) == .usable {
      switch effect {
      case .rename: return translated("UNLINK", key: source)
      case .popElement: return translated("RPOP", key: source)
      case .moveMember where arguments.count == 4:
        return translated("SREM", key: source, bytes.extracting(arguments[3]))
      case .moveElement where arguments.count >= 5:
        let end = bytes.extracting(arguments[3])
        if end.isWord("left") { return translated("LPOP", key: source) }
        if end.isWord("right") { return translated("RPOP", key: source) }
        return stopMalformed(bytes, arguments, offset)
      default: return stopMalformed(bytes, arguments, offset)
      }
    }
    if effect == .moveMember {
      // It is in the stream because the member was there and has moved.
      guard arguments.count == 4 else { return stopMalformed(bytes, arguments, offset) }
      return translated("SADD", key: target, bytes.extracting(arguments[3]))
    }
    return repair([name(keys[1], bytes, arguments)], bytes, arguments, offset)
  }

  func translated(_ word: StaticString, key: Span<UInt8>) -> RoutingDecision {
    var writer = CommandWriter(argumentCount: 2, reservingBytes: key.count + 32)
    writer.append(word)
    writer.append(key: key, mapping)
    return .rewritten(writer.bytes, database: mapping.destination(of: database), .translated)
  }

  func translated(
    _ word: StaticString, key: Span<UInt8>, _ argument: Span<UInt8>
  ) -> RoutingDecision {
    var writer = CommandWriter(
      argumentCount: 3, reservingBytes: key.count + argument.count + 48)
    writer.append(word)
    writer.append(key: key, mapping)
    writer.append(argument)
    return .rewritten(writer.bytes, database: mapping.destination(of: database), .translated)
  }

  // MARK: Repairs

  /// Repairs the usable keys.
  mutating func repair(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision {
    var names: [KeyName] = []
    for position in 0..<keys.count where standing(keys[position], bytes, arguments) == .usable {
      let name = name(keys[position], bytes, arguments)
      if !names.contains(name) { names.append(name) }
    }
    if names.isEmpty { return .drop(.otherKeys) }
    return repair(names, bytes, arguments, offset)
  }

  /// Repairs the key beside the run, where it is usable.
  mutating func repairExtra(
    _ keys: KeyPositions, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64,
    _ share: Share
  ) -> RoutingDecision {
    guard let index = keys.extraKey, standing(index, bytes, arguments) == .usable else {
      return .drop(share.awaited > 0 ? .underRepair : .otherKeys)
    }
    return repair([name(index, bytes, arguments)], bytes, arguments, offset)
  }

  mutating func repair(
    _ names: [KeyName], _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision {
    for name in names where !repairs.request(name, at: offset) {
      return stopTooManyRepairs(bytes, arguments, offset)
    }
    return .repair(names)
  }

  func stopTooManyRepairs(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision {
    .resynchronise(
      error(
        .tooManyRepairs, bytes, arguments, offset,
        "\(repairs.count) keys are waiting to be read again from the source, which is the limit"))
  }

  /// The keys to repair after the destination refused a command.
  ///
  /// - Parameter command: as it was sent there.
  /// - Returns: the source's names of all its keys that match; empty when none can be told.
  func keysRefused(_ command: SentCommand) -> [KeyName] {
    let arguments = command.arguments
    if arguments.isEmpty { return [] }
    var bytes: [UInt8] = []
    var ranges: [Range<Int>] = []
    for argument in arguments {
      ranges.append(bytes.count..<bytes.count + argument.count)
      bytes += argument
    }
    let name = bytes.span.extracting(ranges[0])
    guard let shape = table.shape(named: name) ?? Self.shape(ofQuestion: name) else { return [] }
    guard command.isWhole || shape.writesAtFixedPlaces,
      let keys = table.keys(of: shape, in: bytes.span, arguments: ranges.span)
    else { return [] }
    var names: [KeyName] = []
    for there in databases(of: shape, bytes.span, ranges.span, selected: command.database) {
      guard let database = mapping.source(of: there) else { continue }
      for position in 0..<keys.count {
        guard let key = mapping.sourceKey(of: arguments[keys[position]]),
          !skippedKeys.contains(key.span, database: database)
        else { continue }
        names.append(KeyName(database: database, key: key))
      }
    }
    return names
  }

  /// The questions of an `ExpiryWatch`.
  private static func shape(ofQuestion name: Span<UInt8>) -> CommandShape? {
    guard name.isWord("pttl") || name.isWord("hpttl") else { return nil }
    return CommandShape(kind: .keyed, first: 1, last: 1, step: 1)
  }

  /// Whether a command may have failed at the source as well: scripts of old sources are sent as they
  /// are, also when they ended with an error after the first write. What they wrote is all the same.
  func mayFailAtSource(_ arguments: [[UInt8]]) -> Bool {
    guard let name = arguments.first else { return false }
    return table.shape(named: name.span)?.kind == .movable(.script)
  }

  // MARK: MOVE and COPY

  mutating func route(
    _ command: CommandShape.CrossDatabase, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    _ offset: UInt64
  ) -> RoutingDecision {
    var target = database
    let (option, isAmbiguous) = databaseOption(command, bytes, arguments)
    if let option {
      guard let named = databaseNumber(bytes, arguments, option) else {
        return stopMalformed(bytes, arguments, offset)
      }
      target = named
    }
    let origin = bytes.extracting(arguments[1])
    let result = bytes.extracting(arguments[command == .move ? 1 : 2])
    let reads = standing(of: origin, selected: database)
    let writes = standing(of: result, selected: target)
    let written = KeyName(database: target, key: result)
    if reads == .awaited { repairs.touch(KeyName(database: database, key: origin), at: offset) }
    if writes == .awaited { repairs.touch(written, at: offset) }
    if reads == .usable, writes == .usable, !isAmbiguous {
      if isLate {
        guard repairs.request(written, at: offset) else {
          return stopTooManyRepairs(bytes, arguments, offset)
        }
        return command == .move ? translated("UNLINK", key: origin) : .repair([written])
      }
      setWatch(CommandShape(kind: .crossDatabase(command)), bytes, arguments)
      return acrossDatabases(command, bytes, arguments, option: option, to: target)
    }
    if writes == .usable { return repair([written], bytes, arguments, offset) }
    if reads == .usable, command == .move { return translated("UNLINK", key: origin) }
    if reads == .awaited || writes == .awaited { return .drop(.underRepair) }
    let matches = filter.matches(key: origin) || filter.matches(key: result)
    return .drop(matches && reads == .outside ? .otherDatabase : .otherKeys)
  }

  /// The databases that a command acts on: the selected one, and one that it names.
  func databases(
    of shape: CommandShape, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, selected: Int
  ) -> [Int] {
    guard case .crossDatabase(let command) = shape.kind,
      let option = databaseOption(command, bytes, arguments).index,
      let named = databaseNumber(bytes, arguments, option)
    else { return [selected] }
    return [selected, named]
  }

  /// Where MOVE or COPY names the other database, if it does, and whether that is sure.
  func databaseOption(
    _ command: CommandShape.CrossDatabase, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> (index: Int?, isAmbiguous: Bool) {
    if command == .move { return (2, false) }
    var option: Int?
    var isAmbiguous = false
    for index in 3..<max(3, arguments.count) where bytes.extracting(arguments[index]).isWord("db") {
      isAmbiguous = option != nil
      option = index + 1
    }
    return (option, isAmbiguous)
  }

  func standing(of key: Span<UInt8>, selected database: Int) -> Standing {
    filter.matches(database: database) ? standing(of: key, in: database) : .outside
  }

  /// MOVE or COPY with the destination's names and databases. A COPY within one database goes without
  /// its DB option.
  private mutating func acrossDatabases(
    _ command: CommandShape.CrossDatabase, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    option: Int?, to target: Int
  ) -> RoutingDecision {
    let here = mapping.destination(of: database)
    let there = mapping.destination(of: target)
    otherDatabase = there
    let isWithin = command == .copy && option != nil && there == here
    let isAsItIs = !isWithin && (option == nil || there == target)
    let lastKey = command == .move ? 1 : 2
    var isRenamed = false
    for index in 1...lastKey where mapping.rewrite(of: bytes.extracting(arguments[index])) != nil {
      isRenamed = true
    }
    if isAsItIs, !isRenamed { return .forward(database: here) }
    var writer = CommandWriter(
      argumentCount: arguments.count - (isWithin ? 2 : 0), reservingBytes: bytes.count + 64)
    for index in 0..<arguments.count {
      let argument = bytes.extracting(arguments[index])
      if index >= 1, index <= lastKey {
        writer.append(key: argument, mapping)
      } else if let option, index == option || (isWithin && index == option - 1) {
        if !isWithin { writer.append(Int64(there)) }
      } else {
        writer.append(argument)
      }
    }
    return .rewritten(writer.bytes, database: here, .renamed)
  }
}
