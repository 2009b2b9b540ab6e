// MemoryModel: how many bytes a key takes in a server's memory, told from its bytes in the file. It counts
// as MEMORY USAGE does (Redis 7): what the allocator hands out for key, object and elements.
//
// Sources: object.c, sds.h, dict.h, quicklist.h, t_zset.c of the servers; jemalloc's size classes. How far
// off it is, docs/analyze.md tells.

import RDBParser

/// Estimates.
enum MemoryModel {
  private static let object: UInt64 = 16
  private static let dictionaryEntry: UInt64 = 24
  private static let dictionary: UInt64 = 56
  /// A short string lies in one piece with its object, up to this length.
  private static let embeddedMax: UInt64 = 44

  /// Bytes of a key with its value.
  ///
  /// - Parameters:
  ///   - value: The value as stored, or its beginning.
  ///   - total: Bytes of the value as stored; what is not there is taken to be as what is.
  static func bytes(
    _ type: RDBType, keyLength: Int, value: Span<UInt8>, total: UInt64
  ) -> UInt64 {
    let key = string(UInt64(keyLength)) + dictionaryEntry
    return key + self.value(type, value, total)
  }

  private static func value(_ type: RDBType, _ value: Span<UInt8>, _ total: UInt64) -> UInt64 {
    switch type {
    case .string: return stringObject(value, total)
    case .list, .set, .sortedSet, .sortedSet2, .hash, .hashTTL, .valkeyHash2:
      return table(type, value, total)
    case .quicklist, .quicklist2:
      return quicklist(value, total, hasContainers: type == .quicklist2)
    case .hashZipmap, .listZiplist, .setIntset, .sortedSetZiplist, .hashZiplist, .hashListpack,
      .sortedSetListpack, .setListpack:
      return object + allocated(blobLength(value, at: 0)?.length ?? total)
    case .hashListpackTTL, .hashListpackTTLPreRelease:
      // The first expiry stands in front.
      return object + 24 + allocated(blobLength(value, at: 8)?.length ?? total)
    default:
      return object + (type.kind == .stream ? stream(value, total) : allocated(total))
    }
  }

  // MARK: Strings

  private static func stringObject(_ value: Span<UInt8>, _ total: UInt64) -> UInt64 {
    guard let field = StringField(value, at: 0) else { return object + string(total) }
    if field.isInteger { return object }
    let length = field.length
    return length <= embeddedMax ? allocated(object + 3 + length + 1) : object + string(length)
  }

  /// A string of its own: header, bytes and a zero.
  static func string(_ length: UInt64) -> UInt64 {
    let header: UInt64 = length < 32 ? 1 : length < 256 ? 3 : length < 65536 ? 5 : 9
    return allocated(header + length + 1)
  }

  /// What the allocator hands out for so many bytes: four sizes for each doubling.
  static func allocated(_ bytes: UInt64) -> UInt64 {
    if bytes <= 8 { return 8 }
    if bytes <= 128 { return (bytes + 15) & ~15 }
    let power = UInt64(63 - (bytes - 1).leadingZeroBitCount)
    let step = UInt64(1) << (power - 2)
    let (sum, overflows) = bytes.addingReportingOverflow(step - 1)
    return overflows ? bytes : sum & ~(step - 1)
  }

  // MARK: Tables and lists

  /// Elements one by one, each with strings of their own.
  private static func table(
    _ type: RDBType, _ value: Span<UInt8>, _ total: UInt64
  ) -> UInt64 {
    // The first expiry stands in front.
    let start = type == .hashTTL ? 8 : 0
    guard let head = length(value, at: start) else { return object + allocated(total) }
    var place = head.end
    var strings: UInt64 = 0
    var elements: UInt64 = 0
    while elements < head.value, place < value.count {
      guard let end = element(type, value, place, &strings) else { break }
      place = end
      elements += 1
    }
    // What is not there is taken to be like what is.
    if elements < head.value, elements > 0 {
      strings = strings / elements &* head.value
    }
    let count = head.value
    let slots = max(4, count <= 1 ? 1 : UInt64(1) << UInt64(64 - (count - 1).leadingZeroBitCount))
    switch type {
    case .list: return object + 40 + strings &+ count &* 16
    case .sortedSet, .sortedSet2:
      return object + 16 + 32 + 640 + dictionary + slots * 8 + strings
        &+ count &* (dictionaryEntry + 53)
    default:
      return object + dictionary + slots * 8 + strings &+ count &* dictionaryEntry
    }
  }

  /// Adds up the strings of an element; where it ends.
  private static func element(
    _ type: RDBType, _ value: Span<UInt8>, _ start: Int, _ strings: inout UInt64
  ) -> Int? {
    var place = start
    if type == .hashTTL {
      guard let expiry = length(value, at: place) else { return nil }
      place = expiry.end
    }
    guard let first = StringField(value, at: place) else { return nil }
    strings += string(first.length)
    place = first.end
    switch type {
    case .sortedSet2: return place + 8
    case .sortedSet:
      guard place < value.count else { return nil }
      return place + 1 + (value[place] < 253 ? Int(value[place]) : 0)
    case .hash, .hashTTL, .valkeyHash2:
      guard let second = StringField(value, at: place) else { return nil }
      strings += string(second.length)
      return second.end + (type == .valkeyHash2 ? 8 : 0)
    default: return place
    }
  }

  private static func quicklist(
    _ value: Span<UInt8>, _ total: UInt64, hasContainers: Bool
  ) -> UInt64 {
    guard let head = length(value, at: 0) else { return object + allocated(total) }
    var place = head.end
    var bytes: UInt64 = 0
    var nodes: UInt64 = 0
    while nodes < head.value, place < value.count {
      if hasContainers {
        guard let container = length(value, at: place) else { break }
        place = container.end
      }
      guard let node = blobLength(value, at: place) else { break }
      bytes += allocated(node.length)
      place = node.end
      nodes += 1
    }
    if nodes < head.value {
      bytes = nodes > 0 ? bytes / nodes &* head.value : total
    }
    return object + 40 + bytes &+ head.value &* 32
  }

  /// Nodes of a tree, each an id of 16 bytes and a listpack.
  private static func stream(_ value: Span<UInt8>, _ total: UInt64) -> UInt64 {
    guard let head = length(value, at: 0) else { return allocated(total) }
    var place = head.end
    var bytes: UInt64 = 0
    var nodes: UInt64 = 0
    while nodes < head.value, place < value.count {
      guard let id = blobLength(value, at: place), let node = blobLength(value, at: id.end) else {
        break
      }
      bytes += allocated(node.length) + 48
      place = node.end
      nodes += 1
    }
    if nodes < head.value { bytes = nodes > 0 ? bytes / nodes &* head.value : total }
    // Groups and what is pending stand behind, in trees of their own: about ten times as much (tried).
    let rest = place <= value.count && nodes == head.value ? UInt64(value.count - place) : 0
    return 500 + bytes + rest * 10
  }

  // MARK: Lengths and strings as they are stored (rdb-format.md §2)

  private static func blobLength(
    _ value: Span<UInt8>, at place: Int
  ) -> (length: UInt64, end: Int)? {
    StringField(value, at: place).map { ($0.length, $0.end) }
  }

  /// No length is larger: one that says so is damaged, and all sums of lengths stay small.
  private static let lengthMax: UInt64 = 1 << 40

  private static func length(
    _ bytes: Span<UInt8>, at place: Int
  ) -> (value: UInt64, end: Int)? {
    guard place >= 0, place < bytes.count else { return nil }
    let first = bytes[place]
    switch first >> 6 {
    case 0: return (UInt64(first), place + 1)
    case 1:
      guard place + 2 <= bytes.count else { return nil }
      return (UInt64(first & 63) << 8 | UInt64(bytes[place + 1]), place + 2)
    case 2:
      let size = first == 0x80 ? 4 : first == 0x81 ? 8 : 0
      guard size > 0, place + 1 + size <= bytes.count else { return nil }
      var value: UInt64 = 0
      for index in 0..<size { value = value << 8 | UInt64(bytes[place + 1 + index]) }
      return value <= lengthMax ? (value, place + 1 + size) : nil
    default: return nil
    }
  }

  /// A string: how long its text is, and where it ends, which may be behind what is there.
  private struct StringField {
    let length: UInt64
    let end: Int
    var isInteger = false

    init?(_ bytes: Span<UInt8>, at place: Int) {
      guard place >= 0, place < bytes.count else { return nil }
      let first = bytes[place]
      if first >> 6 < 3 {
        guard let head = MemoryModel.length(bytes, at: place) else { return nil }
        length = head.value
        end = head.end + Int(head.value)
        return
      }
      let size = 1 << Int(first & 3)
      if first & 63 < 3 {
        isInteger = true
        length = Self.digits(bytes, place + 1, size)
        end = place + 1 + size
        return
      }
      guard first & 63 == 3, let packed = MemoryModel.length(bytes, at: place + 1),
        let original = MemoryModel.length(bytes, at: packed.end)
      else { return nil }
      length = original.value
      end = original.end + Int(packed.value)
    }

    /// How long an integer is as text.
    private static func digits(_ bytes: Span<UInt8>, _ place: Int, _ size: Int) -> UInt64 {
      guard place + size <= bytes.count else { return 1 }
      var number: Int64 = 0
      for index in (0..<size).reversed() {
        number =
          index == size - 1
          ? Int64(Int8(bitPattern: bytes[place + index]))
          : number << 8 | Int64(bytes[place + index])
      }
      var digits: UInt64 = number < 0 ? 2 : 1
      var rest = number.magnitude
      while rest >= 10 {
        rest /= 10
        digits += 1
      }
      return digits
    }
  }
}
