// DUMP payloads: a type byte, a value as RDB files store it, and a footer of ten bytes that says
// which RDB version it is and checks it all. Facts: rdb-format.md §8.

/// Makes the footer that turns an RDB value into a payload for RESTORE.
///
/// A payload is the type byte, the value's raw bytes in any number of pieces, then the footer:
///
///     var payload = DumpPayload(type: entry.type)
///     payload.update(value)
///     let footer = payload.footer(version: version)
public struct DumpPayload: Sendable {
  /// Bytes a payload has besides the value: the type in front, version and checksum behind.
  public static let overhead = 1 + footerLength
  /// Bytes of the footer.
  public static let footerLength = 10

  /// Checksum of everything so far.
  private var checksum: UInt64

  /// Begins a payload with its type byte.
  public init(type: RDBType) { checksum = CRC64.update(0, type.rawValue) }

  /// Continues with the value's next bytes.
  @inline(__always)
  public mutating func update(_ bytes: Span<UInt8>) { checksum = CRC64.update(checksum, bytes) }

  /// The ten bytes behind the value: version and checksum, both little-endian.
  public func footer(version: UInt16) -> InlineArray<10, UInt8> {
    let low = UInt8(truncatingIfNeeded: version)
    let high = UInt8(truncatingIfNeeded: version >> 8)
    let sum = CRC64.update(CRC64.update(checksum, low), high)
    var footer: InlineArray<10, UInt8> = .init(repeating: 0)
    footer[0] = low
    footer[1] = high
    for index in 0..<8 {
      footer[2 + index] = UInt8(truncatingIfNeeded: sum >> UInt64(8 * index))
    }
    return footer
  }

  /// The oldest RDB version whose servers know `type`: stamped into a footer it lets every server
  /// restore the value that can read it at all. Nil for types RESTORE takes from no one.
  public static func footerVersion(for type: RDBType) -> UInt16? {
    if type.family == .valkey { return type == .valkeyHash2 ? 80 : nil }
    return switch type.rawValue {
    case 0...4, 9...13: 6
    case 14: 7
    case 5, 7: 8
    case 15: 9
    case 16...19: 10
    case 20, 21: 11
    case 22...25: 12
    case 26: 13
    case 27, 28: 14
    default: nil
    }
  }
}
