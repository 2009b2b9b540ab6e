// A sample of the keys that would move: how many there are, what memory they take, and as which types of
// value they are stored. SCAN from the beginning, a bounded number of pages; a server's keys are in no order.

import RDBParser
import ReplicaLink

/// What a sample of a source's keys says.
struct KeySample: Sendable, Equatable {
  /// Keys looked at, at most.
  static let keysMax: UInt64 = 50_000
  /// Keys of which the values are looked at, at most.
  static let valuesMax = 500
  /// Values larger than this are not fetched, in bytes of the server's memory.
  static let valueBytesMax: UInt64 = 1 << 20

  var keysHeld: UInt64 = 0
  var keysSeen: UInt64 = 0
  var keysMatched: UInt64 = 0
  /// Keys whose memory was asked for, and that memory.
  var sampled: UInt64 = 0
  var sampledBytes: UInt64 = 0
  /// Types of values, by how many keys have them.
  var types: [RDBType: UInt64] = [:]

  /// Keys that match, estimated.
  var keysEstimated: UInt64 {
    keysSeen == 0 ? 0 : keysHeld.saturatingMultiply(keysMatched) / keysSeen
  }

  /// The memory of the keys that match, estimated, in bytes.
  var bytesEstimated: UInt64 {
    sampled == 0 ? 0 : keysEstimated.saturatingMultiply(sampledBytes / sampled)
  }

  /// Takes a sample.
  static func take(
    _ source: inout VerifyEnd, _ filter: KeyFilter
  ) throws(ReplayError) -> KeySample {
    var sample = KeySample()
    let counts = source.facts.keyCounts
    let databases = source.databases.filter { filter.matches(database: $0) }
    for database in databases {
      sample.keysHeld = sample.keysHeld.saturatingAdd(counts[database] ?? 0)
    }
    for database in databases {
      try source.select(database)
      let limit = sample.keysSeen + keysMax / UInt64(databases.count)
      let values = valuesMax / databases.count + 1
      var looked = 0
      var cursor = Array("0".utf8)
      repeat {
        let page = try source.scan(cursor, nil)
        cursor = page.cursor
        let keys = page.keys.filter { filter.matches(key: $0.span) }
        sample.keysSeen += UInt64(page.keys.count)
        sample.keysMatched += UInt64(keys.count)
        for key in keys.prefix(max(0, values - looked)) {
          looked += 1
          try sample.look(key, &source)
        }
      } while cursor != Array("0".utf8) && sample.keysSeen < limit
    }
    return sample
  }

  private mutating func look(
    _ key: [UInt8], _ source: inout VerifyEnd
  ) throws(ReplayError) {
    source.enqueueSize(key)
    guard let bytes = try source.receiveSize(key) else { return }
    sampled += 1
    sampledBytes = sampledBytes.saturatingAdd(bytes)
    guard bytes <= Self.valueBytesMax else { return }
    guard case .bulk(let payload) = try source.ask([Array("DUMP".utf8), key]),
      let contents = try? DumpPayload.open(payload.span)
    else { return }
    types[contents.type, default: 0] += 1
  }
}
