// JSON written straight into a buffer, at the speed at which bytes can be looked at: what needs no escape,
// which is nearly everything, is found eight bytes at a time and copied whole.

import ReplicaLink

extension ByteBuffer {
  /// Appends bytes as JSON: a string where they are UTF-8, otherwise `{"base64":"..."}`.
  mutating func append(json bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { append(json: $0) }
  }

  /// Appends bytes as JSON: a string where they are UTF-8, otherwise `{"base64":"..."}`.
  mutating func append(json bytes: UnsafeRawBufferPointer) {
    var plain = 0
    append(upTo: bytes.count + 2) { room in
      plain = JSONBytes.copyPlain(bytes, to: room + 1)
      guard plain == bytes.count else { return 0 }
      room.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
      room.storeBytes(of: UInt8(ascii: "\""), toByteOffset: plain + 1, as: UInt8.self)
      return plain + 2
    }
    if plain == bytes.count { return }
    if JSONBytes.isUTF8(bytes, from: plain) {
      append(byte: UInt8(ascii: "\""))
      appendEscaped(bytes)
      append(byte: UInt8(ascii: "\""))
    } else {
      append("{\"base64\":\"")
      append(base64: bytes)
      append("\"}")
    }
  }

  /// The inside of a JSON string; the bytes are UTF-8.
  private mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count + bytes.count / 8)
    var start = 0
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
        index += 1
        continue
      }
      append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case UInt8(ascii: "\n"): append("\\n")
      case UInt8(ascii: "\r"): append("\\r")
      case UInt8(ascii: "\t"): append("\\t")
      default:
        append("\\u00")
        append(byte: Self.hexadecimalDigit(byte >> 4))
        append(byte: Self.hexadecimalDigit(byte & 15))
      }
      index += 1
      start = index
    }
    append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
  }

  private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  /// Appends the base64 form, with padding (RFC 4648).
  mutating func append(base64 bytes: UnsafeRawBufferPointer) {
    append(upTo: (bytes.count + 2) / 3 * 4) { room in Base64.encode(bytes, to: room) }
  }

  /// Appends a score: a number, or the three that JSON has none for as `"inf"`, `"-inf"`, `"nan"`.
  mutating func append(score: Double) {
    if score.magnitude < 1e15, let whole = Int64(exactly: score),
      !(whole == 0 && score.sign == .minus)
    {
      append(decimal: whole)
    } else if score.isFinite {
      append(Array(score.description.utf8).span)
    } else {
      append(score.isNaN ? "\"nan\"" : score < 0 ? "\"-inf\"" : "\"inf\"")
    }
  }

  /// Appends a number without a sign.
  mutating func append(unsigned value: UInt64) {
    if let value = Int64(exactly: value) {
      append(decimal: value)
    } else {
      append(Array(String(value).utf8).span)
    }
  }

  /// Appends the id of a stream's entry, in quotes.
  mutating func append(streamID milliseconds: UInt64, _ sequence: UInt64) {
    append(byte: UInt8(ascii: "\""))
    append(unsigned: milliseconds)
    append(byte: UInt8(ascii: "-"))
    append(unsigned: sequence)
    append(byte: UInt8(ascii: "\""))
  }
}

/// What JSON and UTF-8 demand of bytes.
enum JSONBytes {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let tops: UInt64 = 0x8080_8080_8080_8080

  /// Whether any of eight bytes is not plain: below a space, a quote, a backslash, or not ASCII.
  @inline(__always)
  private static func needsCare(_ word: UInt64) -> Bool {
    let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
    let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
    // The top bit of each byte that is below 0x20, or zero after the XOR; exact where none has it.
    let controls = (word &- ones &* 0x20) & ~word
    let found =
      word | controls | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
    return found & tops != 0
  }

  /// Copies plain bytes up to the first eight that are not all plain, and says how many. There is room for
  /// all of them.
  @inline(__always)
  static func copyPlain(
    _ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer
  ) -> Int {
    guard bytes.count >= 8 else { return copyFew(bytes, to: target) }
    var index = 0
    while index + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      if needsCare(word) { return index }
      target.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
      index += 8
    }
    if index == bytes.count { return index }
    // The last eight, some of them once more.
    let word = bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self)
    if needsCare(word) { return index }
    target.storeBytes(of: word, toByteOffset: bytes.count - 8, as: UInt64.self)
    return bytes.count
  }

  private static func copyFew(
    _ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer
  ) -> Int {
    if bytes.count >= 4 {
      let first = bytes.loadUnaligned(as: UInt32.self)
      let last = bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self)
      if needsCare(UInt64(first) | UInt64(last) << 32) { return 0 }
      target.storeBytes(of: first, as: UInt32.self)
      target.storeBytes(of: last, toByteOffset: bytes.count - 4, as: UInt32.self)
      return bytes.count
    }
    for index in 0..<bytes.count {
      if needsCare(ones &* UInt64(bytes[index])) { return index }
      target.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self)
    }
    return bytes.count
  }

  /// Whether the bytes from a place on are UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
  static func isUTF8(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Bool {
    var index = start
    while index < bytes.count {
      let byte = bytes[index]
      if byte < 0x80 {
        index += 1
        continue
      }
      let length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
      guard byte >= 0xC2, byte <= 0xF4, bytes.count - index >= length else { return false }
      let lowest: UInt8 = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80
      let highest: UInt8 = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF
      guard bytes[index + 1] >= lowest, bytes[index + 1] <= highest else { return false }
      for place in 2..<max(length, 2) where bytes[index + place] & 0xC0 != 0x80 { return false }
      index += length
    }
    return true
  }
}
