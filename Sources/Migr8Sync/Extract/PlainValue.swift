// PlainValue: a value in the form that every version knows: its elements as strings, one behind the other,
// their number in front. For targets that do not know the type that the file has.
//
// The number stands in front and is known behind, so such a value is held in memory.

import RDBParser
import ReplicaLink

/// Reads values into their oldest form. Source: rdb-format.md §2, §4.
struct PlainValue: ~Copyable {
  /// The longest value that is held, in bytes.
  private static let bytesMax = 256 << 20

  /// The type of what was read.
  private(set) var type = RDBType.string
  /// Fields that lost their expiry, of all values so far.
  private(set) var droppedFieldExpiries: UInt64 = 0
  private var head = ByteBuffer(capacity: 64)
  private var body = ByteBuffer()

  /// Reads the value of the last entry.
  ///
  /// - Returns: false when there is no older form of its type; nothing was read then.
  mutating func read(
    _ entry: RDBEntry, from snapshot: inout SnapshotReader
  ) throws(ReplayError) -> Bool {
    switch entry.type.kind {
    case .list: type = .list
    case .set: type = .set
    case .sortedSet: type = .sortedSet
    case .hash: type = .hash
    default: return false
    }
    head.removeAll()
    body.removeAll()
    var count: UInt64 = 0
    while true {
      switch try snapshot.nextElement() {
      case .listItem, .setMember:
        snapshot.reader.withElement { Self.append($0, to: &body) }
      case .sortedSetMember(let score):
        snapshot.reader.withElement { Self.append($0, to: &body) }
        append(score)
      case .hashField(let expiry):
        snapshot.reader.withElement { Self.append($0, to: &body) }
        snapshot.reader.withElementValue { Self.append($0, to: &body) }
        if expiry != nil { droppedFieldExpiries += 1 }
      case .end:
        Self.append(length: count, to: &head)
        return true
      default: return false
      }
      count += 1
      guard body.count <= Self.bytesMax else {
        throw ReplayError(
          "the value at byte \(entry.valueOffset) has to be taken apart for the target, which is done up"
            + " to \(Self.bytesMax >> 20) MB (choose a newer --target-version, or leave the key out)"
        )
      }
    }
  }

  /// Lends the value's bytes, in two pieces.
  func withBytes(_ body: (Span<UInt8>) -> Void) {
    head.withBytes { body(Span(_unsafeBytes: $0)) }
    self.body.withBytes { body(Span(_unsafeBytes: $0)) }
  }

  private static func append(_ bytes: Span<UInt8>, to buffer: inout ByteBuffer) {
    append(length: UInt64(bytes.count), to: &buffer)
    buffer.append(bytes)
  }

  /// A score as text: a length byte in front, three values of which stand for what is no number.
  private mutating func append(_ score: Double) {
    if score.isInfinite {
      body.append(byte: score < 0 ? 255 : 254)
    } else {
      let text = Array(score.description.utf8)
      body.append(byte: UInt8(text.count))
      body.append(text.span)
    }
  }

  private static func append(length: UInt64, to buffer: inout ByteBuffer) {
    if length < 64 {
      buffer.append(byte: UInt8(length))
    } else if length < 16384 {
      buffer.append(byte: UInt8(0x40 | length >> 8))
      buffer.append(byte: UInt8(truncatingIfNeeded: length))
    } else {
      let size = length <= UInt64(UInt32.max) ? 4 : 8
      buffer.append(byte: size == 4 ? 0x80 : 0x81)
      for index in (0..<size).reversed() {
        buffer.append(byte: UInt8(truncatingIfNeeded: length >> UInt64(8 * index)))
      }
    }
  }
}
