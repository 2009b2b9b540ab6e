// Large sets, sorted sets and hashes: members are scanned at one end and looked up at the other.

import ReplicaLink

/// A type of value whose members have names.
enum MemberKind: Sendable {
  case set, sortedSet, hash

  var scan: [UInt8] {
    switch self {
    case .set: Array("SSCAN".utf8)
    case .sortedSet: Array("ZSCAN".utf8)
    case .hash: Array("HSCAN".utf8)
    }
  }

  var lookUp: [UInt8] {
    switch self {
    case .set: Array("SISMEMBER".utf8)
    case .sortedSet: Array("ZSCORE".utf8)
    case .hash: Array("HGET".utf8)
    }
  }

  var count: [UInt8] {
    switch self {
    case .set: Array("SCARD".utf8)
    case .sortedSet: Array("ZCARD".utf8)
    case .hash: Array("HLEN".utf8)
    }
  }

  /// Whether a value stands behind each member in the answer to a scan.
  var hasValues: Bool { self != .set }

  var word: String { self == .hash ? "field" : "member" }

  /// Whether two answers to `lookUp` are the same. Versions write scores differently.
  func isSame(_ one: RESPValue, _ other: RESPValue) -> Bool {
    guard self == .sortedSet, let mine = one.text, let others = other.text else {
      return one == other
    }
    return mine == others || Double(mine) == Double(others)
  }

  /// Whether the answer to `lookUp` says that there is no such member.
  func isAbsent(_ answer: RESPValue) -> Bool {
    self == .set ? answer.integer == 0 : answer == .null
  }
}

extension PairReader {
  mutating func compareMembers(
    _ name: KeyName, _ kind: MemberKind, step: Int64
  ) throws(ReplayError) -> LargeResult {
    let forth = try walkMembers(name, kind, step, fromSource: true)
    guard forth == .same else { return forth }
    let (mine, other) = try askBoth(name, [kind.count])
    if mine != other {
      let back = try walkMembers(name, kind, step, fromSource: false)
      guard back == .same else { return back }
    }
    return .same
  }

  /// Looks every member of one end up at the other.
  private mutating func walkMembers(
    _ name: KeyName, _ kind: MemberKind, _ step: Int64, fromSource: Bool
  ) throws(ReplayError) -> LargeResult {
    let otherKey = mapping.destinationKey(of: name.key)
    var cursor = Array("0".utf8)
    repeat {
      if progress.isCancelled { throw .interrupted }
      try selectBoth(name)
      let command = [
        kind.scan, fromSource ? name.key : otherKey, cursor, Array("COUNT".utf8),
        Array("\(step)".utf8),
      ]
      let reply = fromSource ? try source.ask(command) : try destination.ask(command)
      guard let parts = reply.array, parts.count == 2, case .bulk(let next) = parts[0],
        let items = parts[1].array
      else { throw ReplayError("comparing \(name): the answer to a scan makes no sense") }
      cursor = next
      let members = stride(from: 0, to: items.count, by: kind.hasValues ? 2 : 1)
        .compactMap { index -> (member: [UInt8], answer: RESPValue)? in
          guard case .bulk(let member) = items[index] else { return nil }
          if !kind.hasValues { return (member, .integer(1)) }
          return index + 1 < items.count ? (member, items[index + 1]) : nil
        }
      let result = try compare(name, kind, members, areOfSource: fromSource)
      guard result == .same else { return result }
    } while cursor != Array("0".utf8)
    return .same
  }

  private mutating func compare(
    _ name: KeyName, _ kind: MemberKind, _ members: [(member: [UInt8], answer: RESPValue)],
    areOfSource: Bool
  ) throws(ReplayError) -> LargeResult {
    let key = areOfSource ? mapping.destinationKey(of: name.key) : name.key
    let commands = members.map { [kind.lookUp, key, $0.member] }
    let answers =
      areOfSource
      ? try destination.askAll(commands) : try source.askAll(commands)
    for (element, answer) in zip(members, answers) where !kind.isSame(element.answer, answer) {
      switch try confirm(name, [kind.lookUp], [element.member], isSame: kind.isSame) {
      case .same: break
      case .undecided: return .undecided
      case .different(let mine, let other):
        if kind == .hash, try isLeaving(name, element.member, mine, other) { continue }
        return .different(.value, Self.describe(kind, element.member, mine, other))
      }
    }
    guard kind == .hash, areOfSource else { return .same }
    return try compareFieldExpiries(name, members.map(\.member))
  }

  private static func describe(
    _ kind: MemberKind, _ member: [UInt8], _ mine: RESPValue, _ other: RESPValue
  ) -> String {
    let element = "\(kind.word) \(Printable.key(member))"
    if kind.isAbsent(other) { return "\(element) is at the source only" }
    if kind.isAbsent(mine) { return "\(element) is at the destination only" }
    let texts = [mine, other].map { value -> String in
      if case .bulk(let bytes) = value { return Printable.key(bytes) }
      return value.text ?? ""
    }
    return "\(element): \(texts[0]) at the source, \(texts[1]) at the destination"
  }
}
