// Fields of large hashes that expire by themselves: when they do, at whichever end knows of that. A field in
// its last moments counts as gone, as with small values: the clocks of two servers may differ a little.

import ReplicaLink

extension PairReader {
  mutating func compareFieldExpiries(
    _ name: KeyName, _ fields: [[UInt8]]
  ) throws(ReplayError) -> LargeResult {
    if fields.isEmpty { return .same }
    try selectBoth(name)
    switch (source.knowsFieldExpiry, destination.knowsFieldExpiry) {
    case (false, false): return .same
    case (true, false): return try Self.expiringField(name.key, fields, &source)
    case (false, true):
      return try Self.expiringField(mapping.destinationKey(of: name.key), fields, &destination)
    case (true, true): break
    }
    let command = [Self.expireTime]
    let (mine, other) = try askBoth(name, command, Self.arguments(fields))
    let now = Clock.wallMilliseconds()
    let (times, others) = (Self.times(mine, now), Self.times(other, now))
    for (index, field) in fields.enumerated()
    where index < times.count && index < others.count && times[index] != others[index] {
      let confirmation = try confirm(name, command, Self.arguments([field])) { one, another in
        let now = Clock.wallMilliseconds()
        return Self.times(one, now) == Self.times(another, now)
      }
      switch confirmation {
      case .same: break
      case .undecided: return .undecided
      case .different: return .different(.fieldTTL, "field \(Printable.key(field))")
      }
    }
    return .same
  }

  /// Where the other end knows nothing of it, every field that expires is a difference.
  private static func expiringField(
    _ key: [UInt8], _ fields: [[UInt8]], _ end: inout VerifyEnd
  ) throws(ReplayError) -> LargeResult {
    let reply = try end.ask([expireTime, key] + arguments(fields))
    for (field, time) in zip(fields, times(reply, Clock.wallMilliseconds())) where time >= 0 {
      return .different(.fieldTTL, "field \(Printable.key(field))")
    }
    return .same
  }

  /// Whether a field that differs is gone, or will be in a moment, wherever it was.
  mutating func isLeaving(
    _ name: KeyName, _ field: [UInt8], _ mine: RESPValue, _ other: RESPValue
  ) throws(ReplayError) -> Bool {
    func isLeaving(_ key: [UInt8], _ end: inout VerifyEnd) throws(ReplayError) -> Bool {
      guard end.knowsFieldExpiry else { return false }
      let reply = try end.ask([Self.expireTime, key] + Self.arguments([field]))
      return Self.times(reply, Clock.wallMilliseconds()) == [Self.gone]
    }
    try selectBoth(name)
    if !MemberKind.hash.isAbsent(mine), try !isLeaving(name.key, &source) { return false }
    if MemberKind.hash.isAbsent(other) { return true }
    return try isLeaving(mapping.destinationKey(of: name.key), &destination)
  }

  private static let expireTime = Array("HPEXPIRETIME".utf8)
  /// What a server says of a field that it does not have; -1 is one that never expires.
  private static let gone: Int64 = -2

  private static func arguments(_ fields: [[UInt8]]) -> [[UInt8]] {
    [Array("FIELDS".utf8), Array("\(fields.count)".utf8)] + fields
  }

  /// The times of an answer, in milliseconds since 1970; those that are past, or almost, as `gone`.
  static func times(_ reply: RESPValue, _ now: Int64) -> [Int64] {
    (reply.array ?? []).map { value in
      let time = value.integer ?? gone
      return time >= 0 && time <= now &+ ComparisonRules.clockMilliseconds ? gone : time
    }
  }
}
