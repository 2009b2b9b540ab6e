// Large streams: entries by ranges of ids, which no encoding changes; then what the stream says of itself,
// its groups, and what is pending in them. When an entry was delivered last is not compared here: large
// streams tell only how long ago that was.

import ReplicaLink

extension PairReader {
  mutating func compareStream(_ name: KeyName, step: Int64) throws(ReplayError) -> LargeResult {
    let range = [Array("XRANGE".utf8)]
    let count = [Array("COUNT".utf8), Array("\(step)".utf8)]
    let entries = try compareRanges(name, range, [], Array("-".utf8), count, "entry")
    guard entries == .same else { return entries }
    // As with small values: older servers do not count, and cannot make a consumer that owns nothing.
    let bothCount =
      source.facts.commandFeatures.streamCounters
      && destination.facts.commandFeatures.streamCounters
    for (words, fields) in [
      (
        ["XINFO", "STREAM"],
        ["last-generated-id", "length"]
          + (bothCount ? ["entries-added", "max-deleted-entry-id"] : [])
      ),
      (
        ["XINFO", "GROUPS"],
        ["name", "pending", "last-delivered-id"] + (bothCount ? ["consumers"] : [])
      ),
    ] {
      let command = words.map { Array($0.utf8) }
      switch try confirm(
        name, command, isSame: { Self.project($0, fields) == Self.project($1, fields) })
      {
      case .same: break
      case .undecided: return .undecided
      case .different:
        return .different(
          .value, fields.contains("pending") ? "its groups" : "its ids, length or counts")
      }
    }
    let groups = try source.ask([Array("XINFO".utf8), Array("GROUPS".utf8), name.key]).array ?? []
    for group in groups.compactMap({ Self.fields($0)["name"] }) {
      guard case .bulk(let group) = group else { continue }
      let pending = try compareRanges(
        name, [Array("XPENDING".utf8)], [group], Array("-".utf8),
        [Array("\(PieceReader.elementsMax)".utf8)],
        "group \(Printable.key(group)), pending")
      guard pending == .same else { return pending }
    }
    return .same
  }

  /// Compares what a range of ids holds, piece by piece.
  private mutating func compareRanges(
    _ name: KeyName, _ command: [[UInt8]], _ subject: [[UInt8]], _ first: [UInt8],
    _ count: [[UInt8]], _ words: String
  ) throws(ReplayError) -> LargeResult {
    var from = first
    while true {
      if progress.isCancelled { throw .interrupted }
      let (mine, other) = try askBoth(name, command, subject + [from, Array("+".utf8)] + count)
      let items = mine.array ?? []
      guard case .bulk(let last)? = items.last?.array?.first else {
        // Behind the source's last entry the destination must have none.
        if other.array?.isEmpty ?? true { return .same }
        let arguments = subject + [from, Array("+".utf8)] + count
        return try confirmed(name, command, arguments, words)
      }
      if Self.withoutIdleTimes(mine) != Self.withoutIdleTimes(other) {
        let arguments = subject + [from, last] + count
        let result = try confirmed(name, command, arguments, words)
        guard result == .same else { return result }
      }
      guard let next = Self.following(last) else { return .same }
      from = next
    }
  }

  private mutating func confirmed(
    _ name: KeyName, _ command: [[UInt8]], _ arguments: [[UInt8]], _ words: String
  ) throws(ReplayError) -> LargeResult {
    let confirmation = try confirm(name, command, arguments) {
      Self.withoutIdleTimes($0) == Self.withoutIdleTimes($1)
    }
    switch confirmation {
    case .same: return .same
    case .undecided: return .undecided
    case .different(let mine, let other):
      let (one, another) = (Self.withoutIdleTimes(mine), Self.withoutIdleTimes(other))
      let place = zip(one, another).prefix { $0 == $1 }.count
      let id = (place < one.count ? one : another)[place].array?.first?.text ?? "?"
      return .different(.value, "\(words) \(id)")
    }
  }

  /// Pending entries are told with the time since their delivery, which no two answers share.
  private static func withoutIdleTimes(_ reply: RESPValue) -> [RESPValue] {
    (reply.array ?? []).map { item in
      guard let parts = item.array, parts.count == 4 else { return item }
      return .array([parts[0], parts[1], parts[3]])
    }
  }

  /// The least id behind one; nil behind the last there can be.
  static func following(_ id: [UInt8]) -> [UInt8]? {
    let parts = String(decoding: id, as: UTF8.self).split(separator: "-").map { UInt64($0) }
    guard parts.count == 2, let milliseconds = parts[0], let sequence = parts[1] else { return nil }
    if sequence < .max { return Array("\(milliseconds)-\(sequence + 1)".utf8) }
    return milliseconds < .max ? Array("\(milliseconds + 1)-0".utf8) : nil
  }

  /// Names and values that alternate.
  static func fields(_ reply: RESPValue) -> [String: RESPValue] {
    let items = reply.array ?? []
    var fields: [String: RESPValue] = [:]
    for index in stride(from: 0, to: items.count - 1, by: 2) {
      fields[items[index].text ?? ""] = items[index + 1]
    }
    return fields
  }

  /// The named fields of an answer, or of each of its elements.
  private static func project(_ reply: RESPValue, _ names: [String]) -> [RESPValue] {
    let items = reply.array ?? []
    let isList = items.first.map { $0.array != nil } ?? true
    return (isList ? items : [reply]).flatMap { item in
      let fields = fields(item)
      return names.map { fields[$0] ?? .null }
    }
  }
}
