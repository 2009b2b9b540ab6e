// Writing RDB files from raw entries: a filtered copy, another database, a renamed key, an older
// version. Values are taken as they are stored; nothing is encoded anew.

/// Puts an RDB file together. It opens no file: `withOutput` lends what has been written since the
/// last `removeOutput`.
public struct RDBWriter: ~Copyable {
  /// What the file says it is.
  public let header: RDBHeader
  private var output = OwnedBytes()
  private var checksum: UInt64 = 0
  /// Bytes of the output that are in the checksum.
  private var summed = 0
  private var database = 0
  private let leavesChecksum: Bool

  /// Begins a file with its nine bytes.
  ///
  /// - Parameter leavesChecksum: whether the caller sums up the output himself, on another thread
  ///   perhaps, and appends the eight bytes behind `end()`, as `hasChecksum` says.
  public init(header: RDBHeader, leavesChecksum: Bool = false) {
    self.header = header
    self.leavesChecksum = leavesChecksum
    let magic: StaticString = header.family == .redis ? "REDIS" : "VALKEY"
    output.append(UnsafeRawPointer(magic.utf8Start), magic.utf8CodeUnitCount)
    var divisor = header.family == .redis ? 1000 : 100
    while divisor > 0 {
      output.append(UInt8(truncatingIfNeeded: header.version / divisor % 10) + UInt8(ascii: "0"))
      divisor /= 10
    }
  }

  /// Writes a name and value about the file. Names a server does not know it passes over.
  public mutating func auxiliary(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    opcode(.auxiliary)
    string(name)
    string(value)
  }

  /// Writes a function library. Servers want them before the first entry.
  public mutating func function(_ source: Span<UInt8>) {
    opcode(.function)
    string(source)
  }

  /// Says which database the following entries belong to.
  public mutating func selectDatabase(_ number: Int) {
    opcode(.selectDatabase)
    length(UInt64(max(number, 0)))
    database = number
  }

  /// Says how many keys, and keys with expiry, the present database holds; servers make room for
  /// that many. Ignored for versions that do not know it.
  public mutating func resize(keys: UInt64, expires: UInt64) {
    // Source: rdb-format.md §1: since version 7.
    guard header.version >= 7 else { return }
    opcode(.resize)
    length(keys)
    length(expires)
  }

  /// Begins an entry; its value's raw bytes follow through `value`, in any number of pieces. Another
  /// database than the present one is selected first.
  ///
  /// - Throws: `RDBError` with `.unsupportedType` when no server that reads this version knows the
  ///   type; nothing is written then.
  public mutating func entry(_ entry: RDBEntry, key: Span<UInt8>) throws(RDBError) {
    guard header.canHold(entry.type) else {
      throw RDBError(
        .unsupportedType, offset: entry.offset, key: RDBError.printable(key), type: entry.type,
        detail: "version \(header.version) does not know it")
    }
    if entry.database != database { selectDatabase(entry.database) }
    if let expiry = entry.expiryMilliseconds {
      opcode(.expiryMilliseconds)
      var rest = UInt64(bitPattern: expiry)
      for _ in 0..<8 {
        output.append(UInt8(truncatingIfNeeded: rest))
        rest >>= 8
      }
    }
    // Source: rdb-format.md §1: since version 9.
    if header.version >= 9 {
      if let idle = entry.idleSeconds {
        opcode(.idle)
        length(idle)
      }
      if let frequency = entry.frequency {
        opcode(.frequency)
        output.append(frequency)
      }
    }
    output.append(entry.type.rawValue)
    string(key)
  }

  /// Writes the next raw bytes of the entry's value.
  public mutating func value(_ bytes: Span<UInt8>) { output.append(bytes) }

  /// Whether the file ends with a checksum. Source: rdb-format.md §1: since version 5.
  public var hasChecksum: Bool { header.version >= 5 }

  /// Ends the file with its checksum.
  public mutating func end() {
    opcode(.end)
    guard hasChecksum && !leavesChecksum else { return }
    sumUp()
    var rest = checksum
    for _ in 0..<8 {
      output.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  /// Bytes waiting in the output.
  public var outputCount: Int { output.count }

  /// Lends what has been written since the last `removeOutput`.
  public func withOutput<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try output.span(0..<output.count, body)
  }

  /// Forgets what `withOutput` has lent.
  public mutating func removeOutput() {
    sumUp()
    output.removeAll()
    summed = 0
  }

  private mutating func sumUp() {
    if leavesChecksum { return }
    let sum = checksum
    checksum = output.span(summed..<output.count) { CRC64.update(sum, $0) }
    summed = output.count
  }

  private mutating func opcode(_ opcode: RDBOpcode) { output.append(opcode.rawValue) }

  private mutating func string(_ bytes: Span<UInt8>) {
    length(UInt64(bytes.count))
    output.append(bytes)
  }

  /// A length in its shortest form. Source: rdb-format.md §2.
  private mutating func length(_ value: UInt64) {
    var size = 0
    if value < 64 {
      output.append(UInt8(value))
    } else if value < 16384 {
      output.append(UInt8(0x40 | value >> 8))
      size = 1
    } else if value <= UInt64(UInt32.max) {
      output.append(0x80)
      size = 4
    } else {
      output.append(0x81)
      size = 8
    }
    while size > 0 {
      size -= 1
      output.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * size)))
    }
  }
}

extension RDBHeader {
  /// The header a Redis of this version writes, and so surely reads. Source: rdb-format.md §1.
  public static func redis(major: Int, minor: Int) -> RDBHeader {
    let version =
      switch (major, minor) {
      case (...2, _), (3, ...1): 6
      case (3, _): 7
      case (4, _): 8
      case (5, _), (6, _): 9
      case (7, ...1): 10
      case (7, ...3): 11
      default: 12
      }
    return RDBHeader(family: .redis, version: version)
  }

  /// The header a Valkey of this version writes, and so surely reads. Source: rdb-format.md §1.
  public static func valkey(major: Int, minor: Int) -> RDBHeader {
    major >= 9 ? RDBHeader(family: .valkey, version: 80) : RDBHeader(family: .redis, version: 11)
  }

  /// Whether servers that write this header know `type`. Source: rdb-format.md §8.
  public func canHold(_ type: RDBType) -> Bool {
    if family == .valkey { return type == .valkeyHash2 || type.rawValue < RDBType.firstOwnNumber }
    guard type.family == .redis, let oldest = DumpPayload.footerVersion(for: type) else {
      return false
    }
    return Int(oldest) <= max(version, 6)
  }
}
