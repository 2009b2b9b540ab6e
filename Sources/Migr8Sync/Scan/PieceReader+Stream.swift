// A large stream in pieces: its entries by ranges of ids, then what it says of itself, then each group with
// its consumers and what is pending with them. What is pending and deleted from the stream cannot be said in
// commands, as with large streams of a snapshot.

import ReplicaLink

extension PieceReader {
  mutating func readEntries(_ place: [UInt8]) throws(ReplayError) {
    let reply = try ask(
      "XRANGE",
      more: [name.key, place, Array("+".utf8), Array("COUNT".utf8), Array("\(step)".utf8)])
    var last: [UInt8]?
    for entry in reply.array ?? [] {
      guard let parts = entry.array, parts.count == 2, case .bulk(let id) = parts[0] else {
        continue
      }
      emit([Array("XADD".utf8), commandKey, id] + parts[1].bulks)
      hasEntries = true
      last = id
    }
    stage = last.flatMap { PairReader.following($0) }.map { .elements($0) } ?? .streamInfo
  }

  mutating func readStreamInfo() throws(ReplayError) {
    let info = PairReader.fields(try ask("XINFO", "STREAM", more: [name.key]))
    let lastID = Self.bytes(info["last-generated-id"]) ?? Array("0-0".utf8)
    if !hasEntries {
      // The only way to a stream without entries: one that is trimmed away at once.
      let id = lastID == Array("0-0".utf8) ? Array("0-1".utf8) : lastID
      emit(
        [Array("XADD".utf8), commandKey] + ["MAXLEN", "0"].map { Array($0.utf8) } + [id] + [
          [120], [121],
        ])
    }
    var command = [Array("XSETID".utf8), commandKey, lastID]
    if plan.facts?.commandFeatures.streamCounters ?? true,
      let added = info["entries-added"]?.integer
    {
      command += [Array("ENTRIESADDED".utf8), Array("\(added)".utf8)]
      if let deleted = Self.bytes(info["max-deleted-entry-id"]) {
        command += [Array("MAXDELETEDID".utf8), deleted]
      }
    }
    emit(command)
    let groups = try ask("XINFO", "GROUPS", more: [name.key]).array ?? []
    stage = .streamGroups(
      groups.compactMap { group in
        Self.bytes(PairReader.fields(group)["name"]).map { StreamGroup(name: $0) }
      })
  }

  /// Writes the first of the groups, or some of what is pending in it.
  mutating func readGroup(_ groups: [StreamGroup]) throws(ReplayError) {
    guard let group = groups.first else { return stage = .end }
    guard let from = group.pendingFrom else { return try beginGroup(groups) }
    // Pending entries are told with the time since their delivery.
    let (time, reply) = try askWithTime([
      Array("XPENDING".utf8), name.key, group.name, from, Array("+".utf8),
      Array("\(Self.elementsMax)".utf8),
    ])
    var last: [UInt8]?
    for item in reply.array ?? [] {
      guard let parts = item.array, parts.count == 4, case .bulk(let id) = parts[0],
        case .bulk(let consumer) = parts[1], let idle = parts[2].integer,
        let deliveries = parts[3].integer, let now = time.milliseconds
      else { continue }
      last = id
      emit(
        [Array("XCLAIM".utf8), commandKey, group.name, consumer, Array("0".utf8), id]
          + [
            "TIME", "\(max(0, now - max(0, idle)))", "RETRYCOUNT", "\(deliveries)", "FORCE",
            "JUSTID",
          ]
          .map { Array($0.utf8) })
    }
    var left = groups
    if let next = last.flatMap({ PairReader.following($0) }) {
      left[0].pendingFrom = next
    } else {
      left.removeFirst()
    }
    stage = .streamGroups(left)
  }

  private mutating func beginGroup(_ groups: [StreamGroup]) throws(ReplayError) {
    let features = plan.facts?.commandFeatures
    let all = try ask("XINFO", "GROUPS", more: [name.key]).array ?? []
    let fields =
      all.map { PairReader.fields($0) }.first { Self.bytes($0["name"]) == groups[0].name } ?? [:]
    var command =
      [Array("XGROUP".utf8), Array("CREATE".utf8), commandKey, groups[0].name]
      + [Self.bytes(fields["last-delivered-id"]) ?? Array("0-0".utf8)]
    if features?.streamCounters ?? true, let read = fields["entries-read"]?.integer {
      command += [Array("ENTRIESREAD".utf8), Array("\(read)".utf8)]
    }
    emit(command)
    if features?.createConsumer ?? true {
      let consumers = try ask("XINFO", "CONSUMERS", more: [name.key, groups[0].name]).array ?? []
      for consumer in consumers {
        guard let word = Self.bytes(PairReader.fields(consumer)["name"]) else { continue }
        emit(
          [Array("XGROUP".utf8), Array("CREATECONSUMER".utf8), commandKey, groups[0].name, word])
      }
    }
    var left = groups
    left[0].pendingFrom = Array("-".utf8)
    stage = .streamGroups(left)
  }

  private static func bytes(_ value: RESPValue?) -> [UInt8]? {
    if case .bulk(let bytes)? = value { return bytes }
    return nil
  }
}
