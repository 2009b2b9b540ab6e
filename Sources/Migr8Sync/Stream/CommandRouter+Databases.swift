// The router's decisions about commands that act on whole databases, on code or on messages.

extension CommandRouter {
  mutating func route(
    _ keyless: CommandShape.Keyless, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>,
    _ offset: UInt64
  ) -> RoutingDecision {
    switch keyless {
    case .message:
      guard arguments.count > 1, policy.carries(channel: bytes.extracting(arguments[1])) else {
        return .drop(.message)
      }
      return .forward(database: nil)
    case .cluster:
      return .drop(.cluster)
    case .code:
      return routeCode(bytes, arguments)
    case .foreign:
      if !isDatabaseSelected { return .drop(.otherDatabase) }
      if isMirror { return .forward(database: mapping.destination(of: database)) }
      return unplaced(
        .unknownCommand, bytes, arguments, offset,
        "it is a command of the source's own without keys, so what it changes cannot be told")
    case .flushDatabase:
      if !isDatabaseSelected { return .drop(.otherDatabase) }
      repairs.touchAll(database: database, at: offset)
      if holdsOnlyOurs { return .flush(database: mapping.destination(of: database)) }
      return .clear(.database(database))
    case .flushAll:
      repairs.touchAll(database: nil, at: offset)
      return holdsOnlyOurs ? .flush(database: nil) : .clear(.all)
    case .swapDatabases:
      return swapDatabases(bytes, arguments, offset)
    }
  }

  /// Whether all that the destination has came from this job: keys may have appeared since, which it keeps.
  private var holdsOnlyOurs: Bool { destinationIsOurs && skippedKeys.isEmpty }

  /// Where everything the destination has is this run's, exchanging its databases exchanges what
  /// matches, and nothing else.
  private mutating func swapDatabases(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision {
    guard arguments.count == 3, let one = databaseNumber(bytes, arguments, 1),
      let other = databaseNumber(bytes, arguments, 2)
    else { return stopMalformed(bytes, arguments, offset) }
    if one == other { return .consumed }
    let selected = (filter.matches(database: one), filter.matches(database: other))
    if selected == (false, false) { return .drop(.otherDatabase) }
    guard selected == (true, true), holdsOnlyOurs else {
      return .resynchronise(
        error(
          .wholeDatabase, bytes, arguments, offset,
          selected == (true, true)
            ? "the destination holds data that is not this run's, which an exchange would move"
            : "it exchanges a selected database with one that is not"))
    }
    guard repairs.swapDatabases(one, other, at: offset) else {
      return stopTooManyRepairs(bytes, arguments, offset)
    }
    return .swap(mapping.destination(of: one), mapping.destination(of: other))
  }

  /// A cached script harms nobody, and EVALSHA of old sources needs it. Functions are part of the
  /// dataset, so they go where all of it goes, as those of the snapshot do.
  private func routeCode(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> RoutingDecision {
    guard arguments.count > 1 else { return .drop(.code) }
    let verb = bytes.extracting(arguments[1])
    if bytes.extracting(arguments[0]).isWord("script") {
      return isMirror || verb.isWord("load") ? .forward(database: nil) : .drop(.code)
    }
    if !movesFunctions { return .drop(.code) }
    // The snapshot may have brought the libraries already.
    let isLoad = verb.isWord("load")
    let isRestore = verb.isWord("restore")
    var isPlain = arguments.count == 3
    if isRestore, arguments.count == 4 {
      isPlain = bytes.extracting(arguments[3]).isWord("append")
    }
    guard isPlain, isLoad || isRestore else { return .forward(database: nil) }
    var writer = CommandWriter(argumentCount: 4, reservingBytes: bytes.count + 16)
    writer.append(bytes.extracting(arguments[0]))
    writer.append(verb)
    // FUNCTION LOAD REPLACE code, and FUNCTION RESTORE payload REPLACE.
    if isLoad { writer.append("REPLACE") }
    writer.append(bytes.extracting(arguments[2]))
    if isRestore { writer.append("REPLACE") }
    return .rewritten(writer.bytes, database: nil, .translated)
  }
}
