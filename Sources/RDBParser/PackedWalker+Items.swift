// How one item is written in each packed form. Facts: rdb-format.md §5. Every bound is checked
// against `end`, which the end mark or the container's size gives.

extension PackedWalker {
  // MARK: Listpack

  @inline(__always)
  mutating func listpackItem(_ bytes: ByteScanner, _ item: inout PackedItem) -> Bool {
    let start = position
    // The caller has seen that start < end.
    let first = bytes.byte(start)
    if first < 0x80 {
      integer(&item, Int64(first), start + 1)
    } else if first < 0xC0 {
      guard text(&item, start + 1, Int(first & 63)) else { return false }
    } else {
      guard longListpackItem(bytes, &item, first) else { return false }
    }
    return listpackBacklen(bytes, position - start)
  }

  private mutating func longListpackItem(
    _ bytes: ByteScanner, _ item: inout PackedItem, _ first: UInt8
  ) -> Bool {
    let start = position
    switch first {
    case 0xC0...0xDF:
      guard end - start >= 2 else { return refuse("an element runs past the end") }
      let value = UInt16(first & 31) << 8 | UInt16(bytes.byte(start + 1))
      // Thirteen bits with sign: shifting it to the top and back spreads the sign.
      integer(&item, Int64(Int16(bitPattern: value << 3) >> 3), start + 2)
      return true
    case 0xE0...0xEF:
      guard end - start >= 2 else { return refuse("an element runs past the end") }
      return text(&item, start + 2, Int(first & 15) << 8 | Int(bytes.byte(start + 1)))
    case 0xF0:
      guard end - start >= 5 else { return refuse("an element runs past the end") }
      let length = UInt32(littleEndian: bytes.load(start + 1, as: UInt32.self))
      return text(&item, start + 5, Int(length))
    case 0xF1: return fixedInteger(bytes, &item, at: start + 1, size: 2)
    case 0xF2: return fixedInteger(bytes, &item, at: start + 1, size: 3)
    case 0xF3: return fixedInteger(bytes, &item, at: start + 1, size: 4)
    case 0xF4: return fixedInteger(bytes, &item, at: start + 1, size: 8)
    default: return refuse("an element has an undefined encoding")
    }
  }

  /// The size of the item, written once more behind it in groups of seven bits.
  @inline(__always)
  private mutating func listpackBacklen(_ bytes: ByteScanner, _ size: Int) -> Bool {
    if size <= 127 && position < end {
      guard bytes.byte(position) == UInt8(size) else {
        return refuse("an element's backward length is wrong")
      }
      position += 1
      return true
    }
    return longBacklen(bytes, size)
  }

  private mutating func longBacklen(_ bytes: ByteScanner, _ size: Int) -> Bool {
    let groups =
      switch size {
      case ...127: 1
      case ..<16383: 2
      case ..<2_097_151: 3
      case ..<268_435_455: 4
      default: 5
      }
    guard groups <= end - position else { return refuse("an element runs past the end") }
    var value = 0
    for index in 0..<groups { value = value << 7 | Int(bytes.byte(position + index) & 127) }
    guard value == size else { return refuse("an element's backward length is wrong") }
    position += groups
    return true
  }

  // MARK: Ziplist

  mutating func ziplistItem(_ bytes: ByteScanner, _ item: inout PackedItem) -> Bool {
    // The previous item's length serves walking backwards only.
    let previous = bytes.byte(position) < 0xFE ? 1 : 5
    guard bytes.byte(position) != 0xFF && end - position > previous else {
      return refuse("an element runs past the end")
    }
    let start = position + previous
    let first = bytes.byte(start)
    switch first >> 6 {
    case 0:
      return text(&item, start + 1, Int(first & 63))
    case 1:
      guard end - start >= 2 else { return refuse("an element runs past the end") }
      return text(&item, start + 2, Int(first & 63) << 8 | Int(bytes.byte(start + 1)))
    case 2:
      guard first == 0x80 else { return refuse("an element has an undefined encoding") }
      guard end - start >= 5 else { return refuse("an element runs past the end") }
      let length = UInt32(bigEndian: bytes.load(start + 1, as: UInt32.self))
      return text(&item, start + 5, Int(length))
    default:
      return ziplistInteger(bytes, &item, first, start + 1)
    }
  }

  private mutating func ziplistInteger(
    _ bytes: ByteScanner, _ item: inout PackedItem, _ first: UInt8, _ start: Int
  ) -> Bool {
    switch first {
    case 0xC0: return fixedInteger(bytes, &item, at: start, size: 2)
    case 0xD0: return fixedInteger(bytes, &item, at: start, size: 4)
    case 0xE0: return fixedInteger(bytes, &item, at: start, size: 8)
    case 0xF0: return fixedInteger(bytes, &item, at: start, size: 3)
    case 0xFE: return fixedInteger(bytes, &item, at: start, size: 1)
    case 0xF1...0xFD:
      integer(&item, Int64(first & 15) - 1, start)
      return true
    default: return refuse("an element has an undefined encoding")
    }
  }

  // MARK: Intset

  mutating func intsetItem(_ bytes: ByteScanner, _ item: inout PackedItem) -> Bool {
    // The size check at the start proved that whole integers fill the rest.
    fixedInteger(bytes, &item, at: position, size: width)
  }

  // MARK: Zipmap

  mutating func zipmapItem(_ bytes: ByteScanner, _ item: inout PackedItem) -> Bool {
    var start = position + 1
    var length = Int(bytes.byte(position))
    guard length <= 254 else { return refuse("an end mark stands before the end") }
    if length == 254 {
      guard end - start >= 4 else { return refuse("an element runs past the end") }
      length = Int(UInt32(littleEndian: bytes.load(start, as: UInt32.self)))
      start += 4
    }
    var unused = 0
    if isValueNext {
      guard end - start >= 1 else { return refuse("an element runs past the end") }
      unused = Int(bytes.byte(start))
      start += 1
    }
    guard text(&item, start, length) else { return false }
    guard unused <= end - position else { return refuse("an element runs past the end") }
    position += unused
    isValueNext.toggle()
    return true
  }

  // MARK: Integers

  @inline(__always)
  private mutating func integer(_ item: inout PackedItem, _ value: Int64, _ next: Int) {
    item.isInteger = true
    item.integer = value
    position = next
  }

  /// A little-endian signed integer of `size` bytes.
  private mutating func fixedInteger(
    _ bytes: ByteScanner, _ item: inout PackedItem, at start: Int, size: Int
  ) -> Bool {
    guard end - start >= size else { return refuse("an element runs past the end") }
    let value: Int64
    switch size {
    case 1: value = Int64(bytes.load(start, as: Int8.self))
    case 2: value = Int64(Int16(littleEndian: bytes.load(start, as: Int16.self)))
    case 3:
      let low = UInt32(UInt16(littleEndian: bytes.load(start, as: UInt16.self)))
      let high = UInt32(bytes.byte(start + 2)) << 16
      value = Int64(Int32(bitPattern: (high | low) << 8) >> 8)
    case 4: value = Int64(Int32(littleEndian: bytes.load(start, as: Int32.self)))
    default: value = Int64(littleEndian: bytes.load(start, as: Int64.self))
    }
    integer(&item, value, start + size)
    return true
  }
}
