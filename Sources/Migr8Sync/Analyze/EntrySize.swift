// EntrySize: what an entry takes in the file and, estimated, in a server's memory.

import RDBParser

/// Sizes of an entry, in bytes.
struct EntrySize: Sendable {
  /// Key and value as they are in the file.
  var bytes: UInt64
  /// As MEMORY USAGE counts it; see `MemoryModel`.
  var memory: UInt64

  /// How much of a large value is looked into.
  private static let beginningBytes = 64 << 10

  /// Reads the value of the last entry.
  static func read(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) -> EntrySize {
    var step = try snapshot.readValue()
    if step == .whole {
      return snapshot.withValue { value in
        EntrySize(entry.type, key.count, value, UInt64(value.count))
      }
    }
    // The beginning tells of what kind the rest is.
    let beginning = snapshot.withValue { Self.beginning(of: $0) }
    var bytes = UInt64(snapshot.withValue { $0.count })
    while step == .chunk {
      step = try snapshot.readValue()
      bytes += UInt64(snapshot.withValue { $0.count })
    }
    return EntrySize(entry.type, key.count, beginning.span, bytes)
  }
}

extension EntrySize {
  /// As much of a value as a size is told from.
  static func beginning(of value: Span<UInt8>) -> [UInt8] {
    value.extracting(first: beginningBytes).copy
  }

  /// - Parameters:
  ///   - value: the value as stored, or its beginning.
  ///   - total: bytes of the whole value as stored.
  init(_ type: RDBType, _ keyLength: Int, _ value: Span<UInt8>, _ total: UInt64) {
    bytes = UInt64(keyLength) + total
    memory = MemoryModel.bytes(type, keyLength: keyLength, value: value, total: total)
  }
}
