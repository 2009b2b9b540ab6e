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

/// A DUMP payload that has been checked.
public struct DumpContents: Equatable, Sendable {
  /// The type of the value.
  public var type: RDBType
  /// Where in the payload the value's bytes are; they may end before it does.
  public var value: Range<Int>
  /// The version in the footer.
  public var version: UInt16
}

extension DumpPayload {
  /// Checks a payload as RESTORE does and says where the value in it is. Module metadata in front of
  /// the type (Redis 8.6) is passed over.
  ///
  /// - Throws: `RDBError` with `.malformedPayload` or `.checksumMismatch`.
  public static func open(_ payload: Span<UInt8>) throws(RDBError) -> DumpContents {
    let end = payload.count - footerLength
    guard end >= 1 else {
      throw RDBError(.malformedPayload, offset: 0, detail: "\(payload.count) bytes are too few")
    }
    let version = UInt16(payload[end]) | UInt16(payload[end + 1]) << 8
    var stored: UInt64 = 0
    for index in 0..<8 { stored |= UInt64(payload[end + 2 + index]) << UInt64(8 * index) }
    guard stored != 0 else {
      throw RDBError(.malformedPayload, offset: UInt64(end + 2), detail: "no checksum")
    }
    guard CRC64.update(0, payload.extracting(first: end + 2)) == stored else {
      throw RDBError(.checksumMismatch, offset: UInt64(end + 2))
    }
    var start = 0
    if payload[0] == RDBOpcode.keyMetadataOrSlotImport.rawValue {
      start = try metadataEnd(payload.extracting(first: end))
    }
    let family: RDBFamily = version > UInt16(RDBHeader.redisVersionMax) ? .valkey : .redis
    return DumpContents(
      type: RDBType(rawValue: payload[start], family: family), value: (start + 1)..<end,
      version: version)
  }

  /// Where the metadata in front of a type byte ends.
  private static func metadataEnd(_ bytes: Span<UInt8>) throws(RDBError) -> Int {
    let end = ByteScanner.over(bytes) { scanner -> Int? in
      scanner.position = 1
      var walker = ValueWalker()
      walker.begin(Grammar.shared.keyMetadataStart)
      let steps = Grammar.shared.steps
      let result = walker.walk(&scanner, steps.span)
      return result == .done && scanner.available > 0 ? scanner.position : nil
    }
    guard let end else {
      throw RDBError(.malformedPayload, offset: 0, detail: "its metadata does not end")
    }
    return end
  }
}
