// What stands in an RDB file, as far as it decides whether a server can take it: types of values and how many,
// hashes with fields that expire, streams with groups, modules, the longest string. One pass, nothing kept.

import RDBParser
import ReplicaLink

/// The numbers of a file.
struct FileCensus: Sendable {
  /// What the operator calls it.
  var name: String
  var header = RDBHeader(family: .redis, version: 0)
  /// Damage that ended the reading, or something that nobody can read.
  var damage: String?
  /// The keys that move, their memory, estimated, and their types of value.
  var sample = KeySample()
  var databases: Set<Int> = []
  /// Hashes of which fields expire.
  var expiringHashes: UInt64 = 0
  var streamsWithGroups: UInt64 = 0
  var groups: UInt64 = 0
  var pending: UInt64 = 0
  /// Values of modules, by the name that stands in the file.
  var modules: [String: UInt64] = [:]
  /// Data of modules outside keys.
  var moduleData: UInt64 = 0
  var functions: UInt64 = 0
  /// Bytes of the longest string value.
  var longestString: UInt64 = 0

  /// Reads a file.
  ///
  /// - Throws: when it cannot be opened or read; damage is a finding.
  static func take(_ path: String, _ filter: KeyFilter) throws(ReplayError) -> FileCensus {
    let input = try InputFile(path)
    let counters = SnapshotCounters()
    var rules = EntryRules()
    rules.filter = filter
    let route = ExtractRoute(
      rules: rules, mapping: KeyMapping(filter), format: CensusFormat(FileCensus(name: input.name)))
    var extraction = Extraction(
      SnapshotReader(file: input, name: input.name, counters: counters, checkpoint: {}),
      into: [route], counters: counters)
    var damage: ReplayError?
    do throws(ReplayError) {
      try extraction.run()
    } catch {
      guard extraction.snapshot.damage != nil else { throw error }
      damage = error
    }
    var census = route.format.census
    census.damage = damage?.description
    census.moduleData = extraction.tally.moduleData
    census.sample.keysHeld = extraction.tally.keysRead
    census.sample.keysSeen = extraction.tally.keysRead
    return census
  }

  /// Counts an entry.
  mutating func add(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    sample.keysMatched += 1
    sample.sampled += 1
    sample.types[entry.type, default: 0] += 1
    databases.insert(entry.database)
    if entry.type.holdsFieldExpiries { expiringHashes += 1 }
    let size: EntrySize
    if [.stream, .module].contains(entry.type.kind) {
      size = try look(entry, key, &snapshot)
    } else {
      size = try EntrySize.read(entry, key: key, from: &snapshot)
    }
    sample.sampledBytes = sample.sampledBytes.saturatingAdd(size.memory)
    if entry.type == .string { longestString = max(longestString, size.memory) }
  }

  /// Looks into a value of which more than its size is of interest.
  private mutating func look(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ snapshot: inout SnapshotReader
  ) throws(ReplayError) -> EntrySize {
    _ = try snapshot.readValue()
    let beginning = snapshot.withValue { EntrySize.beginning(of: $0) }
    snapshot.rereadValue()
    var hasGroups = false
    elements: while true {
      switch try snapshot.nextElement() {
      case .streamGroup:
        hasGroups = true
        groups += 1
      case .streamPending: pending += 1
      case .module(let id): modules[id.name, default: 0] += 1
      case .end: break elements
      default: break
      }
    }
    if hasGroups { streamsWithGroups += 1 }
    return EntrySize(
      entry.type, key.count, beginning.span, snapshot.reader.position - entry.valueOffset)
  }
}

/// Not written anywhere: every entry is counted.
private struct CensusFormat: ExtractFormat, ~Copyable {
  private(set) var census: FileCensus

  init(_ census: FileCensus) {
    self.census = census
  }

  mutating func begin(_ header: RDBHeader) { census.header = header }

  mutating func takeFunction(from snapshot: borrowing SnapshotReader) { census.functions += 1 }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    try census.add(entry, key: key, from: &snapshot)
  }

  mutating func takeBack() {}
  mutating func end() {}
  mutating func abandon() {}
}
