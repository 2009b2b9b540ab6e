// A sample of a server's keys, for analyze --via scan: SCAN from the beginning, as the keys come, which is in no
// order; then what the server says of each. As a client among others, in small steps.

import RDBParser
import ReplicaLink

/// What a sample was taken from.
struct ServerSample: Sendable {
  /// Values that take more than this are not fetched, in bytes of the server's memory.
  private static let valueBytesMax: UInt64 = 64 << 10
  /// Keys that are asked about at once.
  private static let keysAtOnce = 100

  /// Keys that the server held in the dbs that were looked at, and how many of them were seen.
  private(set) var keysHeld: UInt64 = 0
  private(set) var keysSeen: UInt64 = 0

  /// For how many keys one that was seen stands.
  var weight: Double { keysSeen == 0 ? 1 : max(1, Double(keysHeld) / Double(keysSeen)) }

  /// Takes a sample of about `size` keys.
  ///
  /// - Parameter take: gets every key of it that is in.
  static func take(
    _ size: UInt64, from end: inout VerifyEnd, _ rules: EntryRules, _ progress: FileProgress,
    _ take: (RDBEntry, [UInt8], EntrySize) -> Void
  ) throws(ReplayError) -> ServerSample {
    var sample = ServerSample()
    let counts = end.facts.keyCounts
    let databases = end.databases.filter { rules.filter.matches(database: $0) }
    for database in databases {
      sample.keysHeld = sample.keysHeld.saturatingAdd(counts[database] ?? 0)
    }
    progress.expect(keys: min(size, sample.keysHeld))
    for database in databases {
      try end.select(database)
      // Each db has its share, so that one weight is right for all.
      let share = Double(counts[database] ?? 0) / Double(max(1, sample.keysHeld)) * Double(size)
      let limit = sample.keysSeen.saturatingAdd(max(1, HumanNumber.whole(share.rounded(.up))))
      var cursor = Array("0".utf8)
      repeat {
        let page = try end.scan(cursor, nil)
        cursor = page.cursor
        var keys = page.keys.prefix(Int(clamping: limit - sample.keysSeen))
        sample.keysSeen += UInt64(keys.count)
        keys.removeAll { !rules.filter.matches(key: $0.span) }
        while !keys.isEmpty {
          try progress.checkpoint()
          let some = keys.prefix(keysAtOnce)
          keys.removeFirst(some.count)
          try look(Array(some), database, &end, rules, take)
        }
        progress.counters[0].keysRead.store(sample.keysSeen, ordering: .relaxed)
      } while cursor != Array("0".utf8) && sample.keysSeen < limit
    }
    return sample
  }

  private static func look(
    _ keys: [[UInt8]], _ database: Int, _ end: inout VerifyEnd, _ rules: EntryRules,
    _ take: (RDBEntry, [UInt8], EntrySize) -> Void
  ) throws(ReplayError) {
    for key in keys { end.enqueueSize(key) }
    try end.send()
    var sizes: [UInt64?] = []
    for key in keys { sizes.append(try end.receiveSize(key)) }
    // Where a value is not fetched its type is asked for in its place.
    for (key, size) in zip(keys, sizes) {
      var commands = end.stateCommands(key)
      if (size ?? .max) > valueBytesMax { commands[0] = [Array("TYPE".utf8), key] }
      for command in commands { end.connection.enqueue(command) }
    }
    try end.send()
    for (key, size) in zip(keys, sizes) {
      var replies: [RESPValue] = []
      for command in end.stateCommands(key) { replies.append(try end.receive(command)) }
      guard let memory = size else { continue }
      if memory > valueBytesMax { replies[0] = .bulk(Array((replies[0].text ?? "none").utf8)) }
      let state = end.state(replies[...])
      guard let payload = state.payload else { continue }
      let value = memory > valueBytesMax ? large(payload, memory) : small(payload)
      guard let value else { continue }
      let entry = RDBEntry(
        database: database, type: value.type, expiryMilliseconds: state.expiryMilliseconds)
      guard rules.matches(entry, key: key.span) else { continue }
      let bytes = value.bytes + UInt64(key.count)
      if rules.asksForSize, !rules.matches(bytes: bytes) { continue }
      take(entry, key, EntrySize(bytes: bytes, memory: memory))
    }
  }

  private typealias Value = (type: RDBType, bytes: UInt64)

  private static func small(_ payload: [UInt8]) -> Value? {
    guard let contents = try? DumpPayload.open(payload.span) else { return nil }
    return (contents.type, UInt64(payload.count - DumpPayload.footerLength - 1))
  }

  /// A value that is known by its type's name alone: taken to be stored as large ones are, and to take as
  /// much of a file as of the memory.
  private static func large(_ name: [UInt8], _ memory: UInt64) -> Value? {
    RDBValueKind(rawValue: String(decoding: name, as: UTF8.self)).map {
      ($0.typeWhenLarge, memory)
    }
  }
}
