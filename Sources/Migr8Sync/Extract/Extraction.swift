// Extraction: the way of a file's entries through the rules into the formats. On the reading thread.

import RDBParser
import ReplicaLink

/// What an extraction came to.
struct ExtractTally: Sendable {
  var keysRead: UInt64 = 0
  var keysTaken: UInt64 = 0
  /// What no format can hold.
  var moduleData: UInt64 = 0
  var keyMetadata: UInt64 = 0
  /// Whether anything stands behind the RDB, and whether that is the beginning of an AOF.
  var isFollowed = false
  var isAppendOnlyFile = false
}

/// One output with the entries that go there.
final class ExtractRoute<Format: ExtractFormat & ~Copyable> {
  let rules: EntryRules
  let mapping: KeyMapping
  var format: Format

  init(rules: EntryRules, mapping: KeyMapping, format: consuming Format) {
    self.rules = rules
    self.mapping = mapping
    self.format = format
  }
}

/// Reads one file to its end.
struct Extraction<Format: ExtractFormat & ~Copyable>: ~Copyable {
  private(set) var snapshot: SnapshotReader
  let routes: [ExtractRoute<Format>]
  private let counters: SnapshotCounters
  private(set) var tally = ExtractTally()
  /// Whether the file has turned out to be an RDB.
  private var hasBegun = false
  /// The name that the present entry gets.
  private var name = ByteBuffer()

  init(
    _ snapshot: consuming SnapshotReader, into routes: [ExtractRoute<Format>],
    counters: SnapshotCounters
  ) {
    self.snapshot = snapshot
    self.routes = routes
    self.counters = counters
  }

  /// Feeds every entry that is in to its format, up to the file's end.
  mutating func run() throws(ReplayError) {
    while true {
      switch try snapshot.next() {
      case .entry(let entry): try take(entry)
      case .header(let header):
        hasBegun = true
        for route in routes { try route.format.begin(header) }
      case .auxiliary:
        if AOFMark.isSet(by: snapshot) { tally.isAppendOnlyFile = true }
        for route in routes { try route.format.takeAuxiliary(from: snapshot) }
      case .function:
        for route in routes { try route.format.takeFunction(from: snapshot) }
      case .moduleAuxiliary: tally.moduleData += 1
      case .skipped: tally.keyMetadata += 1
      case .end(let trailer):
        count()
        counters.bytesRead.store(trailer.length, ordering: .relaxed)
        tally.isFollowed = try snapshot.hasRemainder()
        return
      case .needsInput, .selectDatabase, .resize, .slotInfo: break
      }
    }
  }

  /// Whether it ended at a damage, with something before it that is worth keeping.
  var isDamaged: Bool { hasBegun && snapshot.damage != nil }

  /// Completes every output; none appears before all are complete.
  func end() throws(ReplayError) {
    for route in routes { try route.format.end() }
    for route in routes { try route.format.publish() }
  }

  /// Removes what was written.
  func abandon() {
    for route in routes { route.format.abandon() }
  }

  private mutating func take(_ entry: RDBEntry) throws(ReplayError) {
    tally.keysRead += 1
    if tally.keysRead & 255 == 0 { count() }
    for route in routes {
      let isIn = snapshot.withKey { route.rules.matches(entry, key: $0) }
      guard isIn else { continue }
      if route.rules.asksForSize {
        guard try fits(entry, route.rules) else { return }
      }
      return try take(entry, route)
    }
  }

  /// Whether the size is in; the value can be read anew afterwards.
  private mutating func fits(_ entry: RDBEntry, _ rules: EntryRules) throws(ReplayError) -> Bool {
    let step = try snapshot.readValue()
    let length = UInt64(snapshot.withValue { $0.count })
    snapshot.rereadValue()
    return rules.matches(bytes: step == .whole ? length + UInt64(entry.keyLength) : nil)
  }

  private mutating func take(
    _ entry: RDBEntry, _ route: ExtractRoute<Format>
  ) throws(ReplayError) {
    var entry = entry
    entry.database = route.mapping.destination(of: entry.database)
    name.removeAll()
    let rewrite =
      route.mapping.renamesKeys ? snapshot.withKey { route.mapping.rewrite(of: $0) } : nil
    snapshot.withKey { key in
      if let rewrite {
        name.append(rewrite.new.span)
        name.append(key.extracting(rewrite.old.count..<key.count))
      } else {
        name.append(key)
      }
    }
    do throws(ReplayError) {
      try name.withBytes { (bytes) throws(ReplayError) in
        try route.format.take(entry, key: Span(_unsafeBytes: bytes), from: &snapshot)
      }
    } catch {
      if snapshot.damage != nil { try route.format.takeBack() }
      throw error
    }
    tally.keysTaken += 1
  }

  private func count() {
    counters.keysRead.store(tally.keysRead, ordering: .relaxed)
    counters.keysMatched.store(tally.keysTaken, ordering: .relaxed)
  }
}

/// The names that say of an RDB that it is the beginning of an AOF.
enum AOFMark {
  static func isSet(by snapshot: borrowing SnapshotReader) -> Bool {
    snapshot.reader.withAuxiliary { name, value in
      let text = name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      guard text == "aof-preamble" || text == "aof-base" else { return false }
      return value.count == 1 && value[0] == UInt8(ascii: "1")
    }
  }
}
