// Base64, in which JSON carries what is not UTF-8: most of a keyspace of binary values, so six bytes at a time.

/// Base64 (RFC 4648), with padding.
enum Base64 {
  private static let digits = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The two digits of every twelve bits, the first in the lower byte.
  private static let pairs: [UInt16] = (0..<4096).map {
    UInt16(digits[$0 >> 6]) | UInt16(digits[$0 & 63]) << 8
  }

  /// Writes the digits, of which there are four for every three bytes begun; says how many.
  static func encode(
    _ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer
  ) -> Int {
    var place = 0
    pairs.withUnsafeBufferPointer { pairs in
      var index = 0
      // Six bytes at a time out of eight that are loaded.
      while index + 8 <= bytes.count {
        let word = UInt64(
          bigEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        var text = UInt64(pairs[Int(word >> 52)])
        text |= UInt64(pairs[Int(word >> 40 & 0xFFF)]) << 16
        text |= UInt64(pairs[Int(word >> 28 & 0xFFF)]) << 32
        text |= UInt64(pairs[Int(word >> 16 & 0xFFF)]) << 48
        target.storeBytes(of: text.littleEndian, toByteOffset: place, as: UInt64.self)
        index += 6
        place += 8
      }
      while index < bytes.count {
        let count = min(3, bytes.count - index)
        var word = Int(bytes[index]) << 16
        if count > 1 { word |= Int(bytes[index + 1]) << 8 }
        if count > 2 { word |= Int(bytes[index + 2]) }
        var text = UInt32(pairs[word >> 12]) | UInt32(pairs[word & 0xFFF]) << 16
        if count < 3 { text = text & 0x00FF_FFFF | UInt32(UInt8(ascii: "=")) << 24 }
        if count < 2 { text = text & 0xFF00_FFFF | UInt32(UInt8(ascii: "=")) << 16 }
        target.storeBytes(of: text.littleEndian, toByteOffset: place, as: UInt32.self)
        index += count
        place += 4
      }
    }
    return place
  }
}
