// The ways a read ends: the trailer with its checksum, or a type number nobody knows.

extension RDBReader {
  /// Versions below this have no checksum. Source: rdb-format.md §1.
  private static let checksumVersionMin = 5

  /// The longest key of an unknown type that is read for the sake of the error message.
  private static let unknownKeyLengthMax: UInt64 = 1 << 16

  /// The checksum behind the end opcode. Source: rdb-format.md §7.
  mutating func readTrailer() throws(RDBError) -> RDBTrailer? {
    guard header.version >= Self.checksumVersionMin else {
      return ended(RDBTrailer(checksum: .absent, length: position))
    }
    let scanner = window.scanner(from: consumed)
    guard scanner.available >= 8 else { return nil }
    sumUp(to: consumed)
    let stored = UInt64(littleEndian: scanner.load(consumed, as: UInt64.self))
    var outcome = RDBTrailer.Checksum.verified
    if !options.verifiesChecksum {
      outcome = .ignored
    } else if stored == 0 {
      outcome = .disabledByWriter
    } else if stored != checksum {
      throw failed(
        .checksumMismatch, at: consumed,
        detail: "stored \(hex(stored)), computed \(hex(checksum))")
    }
    consumed += 8
    return ended(RDBTrailer(checksum: outcome, length: position))
  }

  private func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  mutating func ended(_ trailer: RDBTrailer) -> RDBTrailer {
    self.trailer = trailer
    retained = consumed
    phase = .ended
    return trailer
  }

  /// A byte that is neither a type with a row in the grammar nor an opcode.
  mutating func readUnknown(
    _ scanner: ByteScanner, _ byte: UInt8
  ) throws(RDBError) -> RDBEvent {
    let type = RDBType(rawValue: byte, family: header.family)
    let isNamed = type == .modulePreRelease
    if options.unknownTypeEndsRead && !isNamed {
      return .end(
        ended(RDBTrailer(checksum: .ignored, unknownType: type, length: position)))
    }
    // A type is followed by its key: worth naming, where it is one.
    let field = scanner.string(at: consumed + 1)
    if field.status == .short && !isFinished { return .needsInput }
    var name: String?
    if field.status == .complete && field.form == .raw
      && field.payloadSize <= Self.unknownKeyLengthMax
    {
      let start = consumed + 1 + field.headerSize
      let length = Int(field.payloadSize)
      if scanner.end - start < length && !isFinished { return .needsInput }
      if scanner.end - start >= length {
        name = window.span(start..<(start + length)) { RDBError.printable($0) }
      }
    }
    var error = located(
      isNamed ? .unsupportedType : .unknownType, at: consumed, detail: "number \(byte)")
    error.key = name
    error.type = isNamed ? type : nil
    failure = error
    throw error
  }
}
