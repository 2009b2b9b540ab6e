// A growable run of bytes with one owner: what encoders write and sockets send. This is one of the
// few files with raw pointers; everything outside sees counts and spans.

import Glibc

/// Bytes that grow at the end and are taken from the front.
///
/// Memory doubles as needed and is kept for reuse by `removeAll()`.
///
/// `@unchecked Sendable`: it is non-copyable and owns its allocation alone, so moving it to another
/// thread moves the only access with it.
public struct ByteBuffer: ~Copyable, @unchecked Sendable {
  @usableFromInline var base: UnsafeMutableRawPointer
  @usableFromInline var capacity: Int
  @usableFromInline var length: Int

  /// How many bytes it holds.
  @inlinable public var count: Int { length }

  /// Makes an empty buffer with room for `capacity` bytes.
  public init(capacity: Int = 4096) {
    let size = max(capacity, 64)
    base = .allocate(byteCount: size, alignment: 16)
    self.capacity = size
    length = 0
  }

  deinit {
    base.deallocate()
  }

  /// Whether it holds nothing.
  public var isEmpty: Bool { count == 0 }

  /// The memory it occupies, in bytes.
  public var allocatedBytes: Int { capacity }

  /// Makes room for `extra` more bytes without another allocation later.
  @inlinable
  public mutating func reserve(_ extra: Int) {
    if extra > capacity - count { grow(extra) }
  }

  @usableFromInline
  mutating func grow(_ extra: Int) {
    var size = capacity
    while size - count < extra { size *= 2 }
    let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    memcpy(larger, base, count)
    base.deallocate()
    base = larger
    capacity = size
  }

  /// Appends bytes.
  @inlinable
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count)
    if let source = bytes.baseAddress {
      Self.copy(from: source, to: base + count, count: bytes.count)
    }
    length += bytes.count
  }

  /// Copies. Most pieces are short, and a call of the C library's copy costs more than moving them by two
  /// words that overlap.
  @inlinable
  static func copy(
    from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int
  ) {
    switch count {
    case 17...: target.copyMemory(from: source, byteCount: count)
    case 8...:
      let last = source.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
      target.storeBytes(of: source.loadUnaligned(as: UInt64.self), as: UInt64.self)
      target.storeBytes(of: last, toByteOffset: count - 8, as: UInt64.self)
    case 4...:
      let last = source.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
      target.storeBytes(of: source.loadUnaligned(as: UInt32.self), as: UInt32.self)
      target.storeBytes(of: last, toByteOffset: count - 4, as: UInt32.self)
    default:
      for index in 0..<count {
        target.storeBytes(
          of: source.load(fromByteOffset: index, as: UInt8.self), toByteOffset: index,
          as: UInt8.self)
      }
    }
  }

  /// Appends bytes.
  @inlinable
  public mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { append($0) }
  }

  /// Appends the bytes of a literal.
  @inlinable
  public mutating func append(_ literal: StaticString) {
    append(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// Appends one byte.
  @inlinable
  public mutating func append(byte: UInt8) {
    reserve(1)
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    length += 1
  }

  /// Appends the `count` lowest bytes of a word, the lowest first.
  mutating func append(word: UInt64, count: Int) {
    reserve(8)
    base.storeBytes(of: word.littleEndian, toByteOffset: length, as: UInt64.self)
    length += count
  }

  /// Appends `value` as decimal text.
  @inlinable
  public mutating func append(decimal value: Int64) {
    reserve(20)
    if value >= 0 && value < 10 {
      append(byte: 48 + UInt8(truncatingIfNeeded: value))
      return
    }
    if value < 0 { append(byte: 45) }
    var rest = value.magnitude
    var digits = 1
    var bound: UInt64 = 10
    while rest >= bound {
      digits += 1
      let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
      if overflow { break }
      bound = next
    }
    var position = count + digits
    length = position
    repeat {
      position -= 1
      base.storeBytes(
        of: 48 + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: position, as: UInt8.self)
      rest /= 10
    } while rest > 0
  }

  /// Hands `body` room for up to `maximum` more bytes; it returns how many it wrote. For encoders that would
  /// otherwise ask for room byte by byte.
  @inlinable
  public mutating func append(
    upTo maximum: Int, _ body: (UnsafeMutableRawPointer) -> Int
  ) {
    reserve(maximum)
    let written = body(base + length)
    precondition(written >= 0 && written <= maximum, "wrote more than the room there was")
    length += written
  }

  /// Hands `body` writable room of at least `minimum` bytes at the end; it returns how many it
  /// filled.
  public mutating func fill<E: Error>(
    minimum: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) -> Int {
    reserve(minimum)
    let room = UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    let filled = try body(room)
    precondition(filled >= 0 && filled <= room.count, "filled more than the room there was")
    length += filled
    return filled
  }

  /// Forgets the first `size` bytes; what remains moves to the front.
  public mutating func removeFirst(_ size: Int) {
    precondition(size >= 0 && size <= count, "more bytes removed than there are")
    if size == 0 { return }
    memmove(base, base + size, count - size)
    length -= size
  }

  /// Forgets all but the first `size` bytes.
  public mutating func truncate(to size: Int) {
    precondition(size >= 0 && size <= count, "more bytes kept than there are")
    length = size
  }

  /// Empties the buffer; keeps its memory.
  public mutating func removeAll() {
    length = 0
  }

  /// Lends the bytes from `offset` to the end for the duration of `body`.
  @inlinable
  public func withBytes<R, E: Error>(
    from offset: Int = 0, _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    precondition(offset >= 0 && offset <= count, "offset outside of the buffer")
    return try body(UnsafeRawBufferPointer(start: base + offset, count: count - offset))
  }
}
