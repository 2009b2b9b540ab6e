// Walks the items of a packed value: ziplist, listpack, intset or zipmap, each one string of bytes
// made of many small elements. Facts: rdb-format.md §5. Item forms are in PackedWalker+Items.swift.

/// The four ways servers pack many elements into one string.
enum PackedForm: UInt8 {
  case ziplist
  case listpack
  case intset
  case zipmap
}

/// One item: text within the packed bytes, or an integer that stands for its decimal text.
struct PackedItem {
  var isInteger = false
  var integer: Int64 = 0
  var start = 0
  var length = 0
}

/// What asking for an item gave.
enum PackedStep: UInt8 {
  case item
  case end
  case damaged
}

/// A place in a packed value. It keeps offsets; the bytes are handed to each call.
struct PackedWalker {
  private(set) var form = PackedForm.listpack
  /// Offset of the next item.
  var position = 0
  /// Offset behind the last item: of the end mark, where the form has one.
  private(set) var end = 0
  /// Items left by the header's count.
  private var remaining = 0
  /// Whether the header knows the count.
  private var isCounted = false
  /// Intset only: bytes per integer.
  private(set) var width = 0
  /// Zipmap only: whether a value is next.
  var isValueNext = false
  /// What is wrong, after `damaged`.
  var damage: StaticString = ""

  private static let endMark: UInt8 = 0xFF

  /// Puts the walker before the first item.
  /// - Returns: false when the header contradicts the size; `damage` says how.
  mutating func open(_ form: PackedForm, _ bytes: ByteScanner) -> Bool {
    self = PackedWalker()
    self.form = form
    return switch form {
    case .ziplist: openZiplist(bytes)
    case .listpack: openListpack(bytes)
    case .intset: openIntset(bytes)
    case .zipmap: openZipmap(bytes)
    }
  }

  private mutating func openZiplist(_ bytes: ByteScanner) -> Bool {
    guard bytes.end >= 11 else { return refuse("a ziplist is shorter than its header") }
    let size = UInt32(littleEndian: bytes.load(0, as: UInt32.self))
    guard size == bytes.end else { return refuse("a ziplist's size is not the one it declares") }
    return openCounted(bytes, count: bytes.load(8, as: UInt16.self), first: 10)
  }

  private mutating func openListpack(_ bytes: ByteScanner) -> Bool {
    guard bytes.end >= 7 else { return refuse("a listpack is shorter than its header") }
    let size = UInt32(littleEndian: bytes.load(0, as: UInt32.self))
    guard size == bytes.end else { return refuse("a listpack's size is not the one it declares") }
    return openCounted(bytes, count: bytes.load(4, as: UInt16.self), first: 6)
  }

  private mutating func openCounted(_ bytes: ByteScanner, count: UInt16, first: Int) -> Bool {
    end = bytes.end - 1
    position = first
    // A full counter means: more than it can tell, walk to the end.
    isCounted = UInt16(littleEndian: count) != UInt16.max
    remaining = Int(UInt16(littleEndian: count))
    return bytes.byte(end) == Self.endMark || refuse("the end mark is missing")
  }

  private mutating func openIntset(_ bytes: ByteScanner) -> Bool {
    guard bytes.end >= 8 else { return refuse("an intset is shorter than its header") }
    let wide = UInt32(littleEndian: bytes.load(0, as: UInt32.self))
    let count = UInt32(littleEndian: bytes.load(4, as: UInt32.self))
    guard wide == 2 || wide == 4 || wide == 8 else {
      return refuse("an intset's integers have an undefined width")
    }
    // At most 8 * 2^32 + 8: no overflow in 64 bits.
    guard bytes.end == 8 + Int(wide) * Int(count) else {
      return refuse("an intset's size is not the one it declares")
    }
    width = Int(wide)
    position = 8
    end = bytes.end
    remaining = Int(count)
    isCounted = true
    return true
  }

  private mutating func openZipmap(_ bytes: ByteScanner) -> Bool {
    guard bytes.end >= 2 else { return refuse("a zipmap is shorter than its header") }
    // The count of fields is of no use: it is unknown from 254 on.
    position = 1
    end = bytes.end - 1
    return bytes.byte(end) == Self.endMark || refuse("the end mark is missing")
  }

  /// Reads the next item.
  @inline(__always)
  mutating func next(_ bytes: ByteScanner, _ item: inout PackedItem) -> PackedStep {
    if position >= end { return finish() }
    remaining -= 1
    let isSound =
      switch form {
      case .listpack: listpackItem(bytes, &item)
      case .ziplist: ziplistItem(bytes, &item)
      case .intset: intsetItem(bytes, &item)
      case .zipmap: zipmapItem(bytes, &item)
      }
    return isSound ? .item : .damaged
  }

  private mutating func finish() -> PackedStep {
    if isCounted && remaining != 0 {
      damage = "the count of elements is not the one declared"
      return .damaged
    }
    if isValueNext {
      damage = "a field has no value"
      return .damaged
    }
    return .end
  }

  /// Notes what is wrong.
  mutating func refuse(_ reason: StaticString) -> Bool {
    damage = reason
    return false
  }

  /// Takes `length` bytes at `start` as the item's text.
  @inline(__always)
  mutating func text(_ item: inout PackedItem, _ start: Int, _ length: Int) -> Bool {
    guard length <= end - start else { return refuse("an element runs past the end") }
    item.isInteger = false
    item.start = start
    item.length = length
    position = start + length
    return true
  }
}
