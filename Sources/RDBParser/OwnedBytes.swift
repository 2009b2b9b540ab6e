// The memory a reader owns: its input window, the key, an unpacked blob. With ByteScanner.swift this
// is the only place of the target that keeps a raw pointer; everything else keeps offsets, which
// stay right when memory moves.

/// A growing byte store with one owner. Growth doubles, so it never runs ahead of what was put in
/// by more than a factor of two.
///
///     0 ........ keep ............ count ........ capacity
///     no longer  still needed      room for more
///     needed
struct OwnedBytes: ~Copyable {
  private var base: UnsafeMutableRawPointer
  private(set) var capacity: Int
  private(set) var count = 0

  private static let capacityMin = 64

  init() {
    base = .allocate(byteCount: Self.capacityMin, alignment: 16)
    capacity = Self.capacityMin
  }

  deinit { base.deallocate() }

  /// Makes room for `needed` bytes in all, keeping what is there.
  mutating func reserve(_ needed: Int) {
    guard needed > capacity else { return }
    let grown = max(needed, capacity * 2)
    let moved = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
    moved.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = moved
    capacity = grown
  }

  /// Makes at least `minimum` bytes of room behind the end; everything before `keep` may go.
  /// Returns by how many bytes the kept part moved towards the start.
  mutating func makeRoom(_ minimum: Int, keeping keep: Int) -> Int {
    precondition(keep >= 0 && keep <= count && minimum >= 0)
    if capacity - count >= minimum && keep < count { return 0 }
    let used = count - keep
    // Moving is worth it only when it frees at least as much as it copies; else the store grows,
    // so the total copied stays linear in the bytes received.
    guard keep >= used && (used == 0 || capacity - used >= minimum) else {
      reserve(count + minimum)
      return 0
    }
    UnsafeMutableRawBufferPointer(start: base, count: used)
      .copyMemory(from: UnsafeRawBufferPointer(start: base + keep, count: used))
    count = used
    reserve(used + minimum)
    return keep
  }

  @inline(__always)
  mutating func removeAll() { count = 0 }

  /// Drops all but the last `length` bytes.
  mutating func removeAll(butLast length: Int) {
    guard count > length else { return }
    UnsafeMutableRawBufferPointer(start: base, count: length)
      .copyMemory(from: UnsafeRawBufferPointer(start: base + (count - length), count: length))
    count = length
  }

  /// Appends `length` bytes of memory the caller has checked.
  @inline(__always)
  mutating func append(_ source: UnsafeRawPointer, _ length: Int) {
    if count + length > capacity { reserve(count + length) }
    copyBytes(to: base + count, from: source, count: length)
    count += length
  }

  mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { buffer in
      guard let source = buffer.baseAddress else { return }
      append(source, buffer.count)
    }
  }

  mutating func append(_ other: borrowing OwnedBytes) { append(other.base, other.count) }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    if count == capacity { reserve(count + 1) }
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count += 1
  }

  /// Lets `body` write into all the room behind the end, `minimum` bytes or more; it returns how
  /// many it wrote, which become part of the contents.
  mutating func append<E: Error>(
    minimum: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) -> Int {
    reserve(count + minimum)
    let room = UnsafeMutableRawBufferPointer(start: base + count, count: capacity - count)
    let written = try body(room)
    precondition(
      written >= 0 && written <= room.count, "\(written) bytes written to a room of \(room.count)")
    count += written
    return written
  }

  /// Appends the decimal text of `value`, the form an integer-encoded RDB string stands for.
  mutating func appendDecimal(_ value: Int64) {
    if value < 0 { append(UInt8(ascii: "-")) }
    appendDecimal(value.magnitude)
  }

  mutating func appendDecimal(_ value: UInt64) {
    var digits: InlineArray<20, UInt8> = .init(repeating: 0)
    var start = 20
    var rest = value
    repeat {
      start -= 1
      digits[start] = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
      rest /= 10
    } while rest > 0
    digits.span.withUnsafeBytes { text in
      append(UnsafeRawPointer(text.baseAddress!) + start, text.count - start)
    }
  }

  /// A cursor over the contents from `position` on, for use before the next mutation only.
  @inline(__always)
  func scanner(from position: Int) -> ByteScanner {
    precondition(position >= 0 && position <= count)
    return ByteScanner(base: UnsafeRawPointer(base), position: position, end: count)
  }

  /// Lends `range` of the contents to `body`.
  @inline(__always)
  func span<R: ~Copyable, E: Error>(
    _ range: Range<Int>, _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the contents")
    let buffer = UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count)
    return try body(Span(_unsafeBytes: buffer))
  }
}
