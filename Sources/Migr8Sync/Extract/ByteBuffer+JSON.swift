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
    let plain = JSONBytes.plainPrefix(bytes, from: 0)
    if plain == bytes.count {
      append(byte: UInt8(ascii: "\""))
      append(bytes)
      append(byte: UInt8(ascii: "\""))
    } else if JSONBytes.isUTF8(bytes, from: plain) {
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
    reserve((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
      let count = min(3, bytes.count - index)
      var word = UInt32(bytes[index]) << 16
      if count > 1 { word |= UInt32(bytes[index + 1]) << 8 }
      if count > 2 { word |= UInt32(bytes[index + 2]) }
      for place in 0..<4 {
        let digit = UInt8(truncatingIfNeeded: word >> UInt32(18 - 6 * place) & 63)
        append(byte: place > count ? UInt8(ascii: "=") : Self.base64Digit(digit))
      }
      index += count
    }
  }

  private static func base64Digit(_ value: UInt8) -> UInt8 {
    switch value {
    case ..<26: UInt8(ascii: "A") + value
    case ..<52: UInt8(ascii: "a") + value - 26
    case ..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
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

  /// Where the first byte is that is not plain: below a space, a quote, a backslash, or not ASCII. May
  /// name an earlier place that is followed by such a byte within eight.
  static func plainPrefix(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    var index = start
    while index + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
      let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
      // The top bit of each byte that is below 0x20, or zero after the XOR; exact where none has it.
      let controls = (word &- ones &* 0x20) & ~word
      let found =
        word | controls | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
      if found & tops != 0 { return index }
      index += 8
    }
    while index < bytes.count {
      let byte = bytes[index]
      if byte < 0x20 || byte > 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        return index
      }
      index += 1
    }
    return index
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
