// Builds RDB files by hand, independently of the library: what the readers are tested against.

/// Bytes of an RDB file or value, put together piece by piece.
struct FileBuilder {
  var bytes: [UInt8] = []

  static func file(_ magic: String, _ body: (inout FileBuilder) -> Void) -> [UInt8] {
    var builder = FileBuilder()
    builder.text(magic)
    body(&builder)
    builder.byte(255)
    builder.littleEndian(referenceCRC(builder.bytes))
    return builder.bytes
  }

  mutating func byte(_ value: UInt8) { bytes.append(value) }
  mutating func text(_ value: String) { bytes += Array(value.utf8) }
  mutating func raw(_ value: [UInt8]) { bytes += value }

  mutating func littleEndian<T: FixedWidthInteger>(_ value: T) {
    for shift in stride(from: 0, to: T.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  mutating func bigEndian<T: FixedWidthInteger>(_ value: T) {
    for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
    }
  }

  /// A length in its shortest form.
  mutating func length(_ value: UInt64) {
    switch value {
    case 0..<64: byte(UInt8(value))
    case 64..<16384:
      byte(0x40 | UInt8(value >> 8))
      byte(UInt8(value & 255))
    case 0...UInt64(UInt32.max):
      byte(0x80)
      bigEndian(UInt32(value))
    default:
      byte(0x81)
      bigEndian(value)
    }
  }

  mutating func string(_ value: [UInt8]) {
    length(UInt64(value.count))
    raw(value)
  }

  mutating func string(_ value: String) { string(Array(value.utf8)) }
  mutating func double(_ value: Double) { littleEndian(value.bitPattern) }

  /// An LZF string made of literal runs only.
  mutating func literalLZF(_ value: [UInt8]) {
    var data: [UInt8] = []
    for start in stride(from: 0, to: value.count, by: 32) {
      let run = value[start..<min(start + 32, value.count)]
      data.append(UInt8(run.count - 1))
      data += run
    }
    byte(0xC3)
    length(UInt64(data.count))
    length(UInt64(value.count))
    raw(data)
  }

  mutating func entry(_ type: UInt8, _ key: String, _ value: (inout FileBuilder) -> Void) {
    byte(type)
    string(key)
    value(&self)
  }
}

/// CRC-64/Jones bit by bit, straight from its definition.
func referenceCRC(_ bytes: [UInt8], _ initial: UInt64 = 0) -> UInt64 {
  var crc = initial
  for byte in bytes {
    for bit in 0..<8 {
      let top = crc >> 63 ^ UInt64(byte >> UInt8(bit) & 1)
      crc <<= 1
      if top != 0 { crc ^= 0xad93_d235_94c9_35a9 }
    }
  }
  // The register was kept unreflected; the stored form is reflected.
  var reflected: UInt64 = 0
  for bit in 0..<64 where crc >> UInt64(bit) & 1 == 1 { reflected |= 1 << UInt64(63 - bit) }
  return reflected
}
