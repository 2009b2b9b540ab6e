// A cursor over bytes in memory that reads RDB's primitive forms: lengths, string headers, fixed
// integers. It is made for one call, never stored, and is the one reader of raw memory on the hot
// path: each form checks its bound once and then loads unchecked.

/// A length field, or the encoding number that stands in its place.
struct LengthField {
  var value: UInt64
  /// Bytes the field takes; 0 when more input is needed, -1 for a form that is not defined.
  var size: Int
  /// True when the field is a string encoding number (top bits 11), not a length.
  var isEncoding: Bool

  static let short = LengthField(value: 0, size: 0, isEncoding: false)
  static let undefined = LengthField(value: 0, size: -1, isEncoding: false)
}

/// The header of an RDB string: what its payload is and where it starts.
struct StringField {
  enum Form: UInt8 {
    case raw
    case integer
    case compressed
  }

  enum Status: UInt8 {
    case complete
    case short
    case badLength
    case badEncoding
    case badCompression
  }

  var status: Status
  var form = Form.raw
  /// Bytes before the payload. For an integer the number itself is part of the header.
  var headerSize = 0
  /// Bytes that follow the header in the file.
  var payloadSize: UInt64 = 0
  /// The decoded number of an integer form; the declared decoded size of a compressed form.
  var number: Int64 = 0
}

struct ByteScanner {
  private let base: UnsafeRawPointer
  var position: Int
  let end: Int

  @inline(__always)
  init(base: UnsafeRawPointer, position: Int, end: Int) {
    self.base = base
    self.position = position
    self.end = end
  }

  /// Runs `body` with a scanner over a span; the scanner must not outlive the call.
  @inline(__always)
  static func over<R: ~Copyable, E: Error>(
    _ bytes: Span<UInt8>, _ body: (inout ByteScanner) throws(E) -> R
  ) throws(E) -> R {
    // A span's memory outlives the call, and an empty one never has its base read.
    let buffer = bytes.withUnsafeBufferPointer { buffer in UnsafeRawBufferPointer(buffer) }
    let base = buffer.baseAddress ?? UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped
    var scanner = ByteScanner(base: base, position: 0, end: buffer.count)
    return try body(&scanner)
  }

  @inline(__always)
  var available: Int { end - position }

  /// Address of the byte at `at`, for copies and checksums of a range the caller has checked.
  @inline(__always)
  func pointer(_ at: Int) -> UnsafeRawPointer {
    assert(at >= 0 && at <= end)
    return base + at
  }

  /// Lends `length` bytes at `at` to `body`; the caller has checked that they are before `end`.
  @inline(__always)
  func span<R>(_ at: Int, _ length: Int, _ body: (Span<UInt8>) -> R) -> R {
    assert(at >= 0 && length >= 0 && at + length <= end)
    return body(Span(_unsafeBytes: UnsafeRawBufferPointer(start: base + at, count: length)))
  }

  /// The byte at `at`, which the caller has checked to be before `end`.
  @inline(__always)
  func byte(_ at: Int) -> UInt8 {
    assert(at >= 0 && at < end)
    return base.load(fromByteOffset: at, as: UInt8.self)
  }

  /// An integer in file order at `at`; the caller has checked that all its bytes are before `end`.
  @inline(__always)
  func load<T: FixedWidthInteger & BitwiseCopyable>(_ at: Int, as: T.Type) -> T {
    assert(at >= 0 && at + MemoryLayout<T>.size <= end)
    return base.loadUnaligned(fromByteOffset: at, as: T.self)
  }

  /// The length field at `at`. Layout: rdb-format.md §2.
  @inline(__always)
  func length(at: Int) -> LengthField {
    guard at < end else { return .short }
    let first = byte(at)
    switch first >> 6 {
    case 0:
      return LengthField(value: UInt64(first & 63), size: 1, isEncoding: false)
    case 1:
      guard at + 2 <= end else { return .short }
      let value = UInt64(first & 63) << 8 | UInt64(byte(at + 1))
      return LengthField(value: value, size: 2, isEncoding: false)
    case 3:
      return LengthField(value: UInt64(first & 63), size: 1, isEncoding: true)
    default:
      return longLength(at: at, first)
    }
  }

  private func longLength(at: Int, _ first: UInt8) -> LengthField {
    if first == 0x80 {
      guard at + 5 <= end else { return .short }
      let value = UInt32(bigEndian: load(at + 1, as: UInt32.self))
      return LengthField(value: UInt64(value), size: 5, isEncoding: false)
    }
    guard first == 0x81 else { return .undefined }
    guard at + 9 <= end else { return .short }
    let value = UInt64(bigEndian: load(at + 1, as: UInt64.self))
    return LengthField(value: value, size: 9, isEncoding: false)
  }

  /// The string header at `at`; at most 19 bytes are looked at.
  @inline(__always)
  func string(at: Int) -> StringField {
    let field = length(at: at)
    if field.size > 0 && !field.isEncoding {
      return StringField(status: .complete, headerSize: field.size, payloadSize: field.value)
    }
    guard field.size > 0 else {
      return StringField(status: field.size == 0 ? .short : .badLength)
    }
    return encodedString(at: at, encoding: field.value)
  }

  /// Whether that many strings in a row are wholly there, or damaged or above `limit`, so that
  /// waiting for more is no use.
  func isComplete(strings: Int, at start: Int, limit: Int) -> Bool {
    var place = start
    for _ in 0..<strings {
      let field = string(at: place)
      if field.status == .short { return false }
      guard field.status == .complete && field.payloadSize <= UInt64(limit) else { return true }
      guard field.payloadSize <= UInt64(end - place - field.headerSize) else { return false }
      place += field.headerSize + Int(field.payloadSize)
    }
    return true
  }

  private func encodedString(at: Int, encoding: UInt64) -> StringField {
    switch encoding {
    case 0:
      guard at + 2 <= end else { return StringField(status: .short) }
      return integer(Int64(load(at + 1, as: Int8.self)), size: 2)
    case 1:
      guard at + 3 <= end else { return StringField(status: .short) }
      return integer(Int64(Int16(littleEndian: load(at + 1, as: Int16.self))), size: 3)
    case 2:
      guard at + 5 <= end else { return StringField(status: .short) }
      return integer(Int64(Int32(littleEndian: load(at + 1, as: Int32.self))), size: 5)
    case 3:
      return compressedString(at: at)
    default:
      return StringField(status: .badEncoding)
    }
  }

  private func integer(_ value: Int64, size: Int) -> StringField {
    StringField(status: .complete, form: .integer, headerSize: size, number: value)
  }

  private func compressedString(at: Int) -> StringField {
    let compressed = length(at: at + 1)
    guard compressed.size > 0 else {
      return StringField(status: compressed.size == 0 ? .short : .badLength)
    }
    let original = length(at: at + 1 + compressed.size)
    guard original.size > 0 else {
      return StringField(status: original.size == 0 ? .short : .badLength)
    }
    guard !compressed.isEncoding && !original.isEncoding,
      LZF.isPlausible(compressed: compressed.value, original: original.value),
      let number = Int64(exactly: original.value)
    else { return StringField(status: .badCompression) }
    return StringField(
      status: .complete, form: .compressed, headerSize: 1 + compressed.size + original.size,
      payloadSize: compressed.value, number: number)
  }
}

/// Copies `count` bytes between memory that does not overlap. Most texts are short, and a call of
/// the C library's copy costs more than moving them by two overlapping words.
@inline(__always)
func copyBytes(
  to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, count: Int
) {
  if count > 16 {
    target.copyMemory(from: source, byteCount: count)
  } else if count >= 8 {
    let first = source.loadUnaligned(as: UInt64.self)
    let last = source.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    target.storeBytes(of: first, as: UInt64.self)
    target.storeBytes(of: last, toByteOffset: count - 8, as: UInt64.self)
  } else if count >= 4 {
    let first = source.loadUnaligned(as: UInt32.self)
    let last = source.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
    target.storeBytes(of: first, as: UInt32.self)
    target.storeBytes(of: last, toByteOffset: count - 4, as: UInt32.self)
  } else {
    for index in 0..<count {
      let byte = source.load(fromByteOffset: index, as: UInt8.self)
      target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
  }
}
