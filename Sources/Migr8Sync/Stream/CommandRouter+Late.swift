// The router's decisions about commands that read one key to write another, when they come so late that
// the destination may have expired what they read. What they take away is taken away; what they write is
// read again from the source. Which element a SMOVE moved the stream itself says.

extension CommandRouter {
  /// What to do in place of a command all of whose keys are usable; `nil` when it is right as it is.
  mutating func deriveLate(
    _ shape: CommandShape, _ keys: KeyPositions, _ bytes: Span<UInt8>,
    _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision? {
    switch shape.effect {
    case .none: return nil
    case .all: return repair(keys, bytes, arguments, offset)
    case .first: return repair([name(keys[0], bytes, arguments)], bytes, arguments, offset)
    case .extra:
      guard let written = keys.extraKey else { return nil }
      return repair([name(written, bytes, arguments)], bytes, arguments, offset)
    case .rename, .moveMember, .moveElement, .popElement:
      return deriveLatePair(shape.effect, keys, bytes, arguments, offset)
    }
  }

  private mutating func deriveLatePair(
    _ effect: CommandShape.Effect, _ keys: KeyPositions, _ bytes: Span<UInt8>,
    _ arguments: Span<Range<Int>>, _ offset: UInt64
  ) -> RoutingDecision? {
    let source = name(keys[0], bytes, arguments)
    let target = name(keys[1], bytes, arguments)
    // A list that is rotated, a set that gives to itself: changed in place.
    if source == target { return nil }
    let decision: RoutingDecision
    switch effect {
    case .rename: decision = translated("UNLINK", key: source.key.span)
    case .popElement: decision = translated("RPOP", key: source.key.span)
    case .moveMember where arguments.count == 4:
      decision = translated("SREM", key: source.key.span, bytes.extracting(arguments[3]))
    case .moveElement where arguments.count >= 5:
      let isLeft = bytes.extracting(arguments[3]).isWord("left")
      decision = translated(isLeft ? "LPOP" : "RPOP", key: source.key.span)
    default: return stopMalformed(bytes, arguments, offset)
    }
    guard repairs.request(target, at: offset) else {
      return stopTooManyRepairs(bytes, arguments, offset)
    }
    return decision
  }
}
