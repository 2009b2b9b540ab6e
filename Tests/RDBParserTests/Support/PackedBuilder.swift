// Builds listpacks, ziplists, intsets and zipmaps by hand, from the format's description.

/// Items of a packed value before packing.
enum PackedInput: Sendable {
  case text(String)
  /// An integer with the bytes of its encoding.
  case bytes([UInt8])
}

enum PackedBuilder {
  static func listpack(_ items: [PackedInput], count: Int? = nil) -> [UInt8] {
    var body: [UInt8] = []
    for item in items {
      var encoded: [UInt8]
      switch item {
      case .bytes(let bytes): encoded = bytes
      case .text(let text):
        let utf8 = Array(text.utf8)
        encoded =
          utf8.count < 64
          ? [0x80 | UInt8(utf8.count)] : [0xE0 | UInt8(utf8.count >> 8), UInt8(utf8.count & 255)]
        encoded += utf8
      }
      body += encoded + backlen(encoded.count)
    }
    var builder = FileBuilder()
    builder.littleEndian(UInt32(body.count + 7))
    builder.littleEndian(UInt16(count ?? items.count))
    return builder.bytes + body + [255]
  }

  /// Seven bits a byte, most significant first, all but the first with the top bit.
  static func backlen(_ size: Int) -> [UInt8] {
    let groups =
      size <= 127 ? 1 : size < 16383 ? 2 : size < 2_097_151 ? 3 : size < 268_435_455 ? 4 : 5
    return (0..<groups).map { index in
      UInt8(size >> (7 * (groups - 1 - index)) & 127) | (index == 0 ? 0 : 128)
    }
  }

  static func ziplist(_ items: [PackedInput], count: Int? = nil) -> [UInt8] {
    var body: [UInt8] = []
    var previous = 0
    var tail = 10
    for item in items {
      tail = 10 + body.count
      var encoded: [UInt8]
      switch item {
      case .bytes(let bytes): encoded = bytes
      case .text(let text):
        let utf8 = Array(text.utf8)
        encoded =
          utf8.count < 64
          ? [UInt8(utf8.count)] : [0x40 | UInt8(utf8.count >> 8), UInt8(utf8.count & 255)]
        encoded += utf8
      }
      var prefix = FileBuilder()
      if previous < 254 {
        prefix.byte(UInt8(previous))
      } else {
        prefix.byte(254)
        prefix.littleEndian(UInt32(previous))
      }
      previous = prefix.bytes.count + encoded.count
      body += prefix.bytes + encoded
    }
    var builder = FileBuilder()
    builder.littleEndian(UInt32(body.count + 11))
    builder.littleEndian(UInt32(tail))
    builder.littleEndian(UInt16(count ?? items.count))
    return builder.bytes + body + [255]
  }

  static func intset<T: FixedWidthInteger>(_ values: [T]) -> [UInt8] {
    var builder = FileBuilder()
    builder.littleEndian(UInt32(T.bitWidth / 8))
    builder.littleEndian(UInt32(values.count))
    for value in values { builder.littleEndian(value) }
    return builder.bytes
  }
}

extension RDBTest {
  /// A file with one key that holds the value.
  static func file(_ type: UInt8, magic: String = "REDIS0012", _ value: [UInt8]) -> [UInt8] {
    FileBuilder.file(magic) { $0.entry(type, "key") { $0.raw(value) } }
  }

  /// A file with one key whose value is one packed string.
  static func packedFile(_ type: UInt8, _ packed: [UInt8]) -> [UInt8] {
    var builder = FileBuilder()
    builder.string(packed)
    return file(type, builder.bytes)
  }
}
