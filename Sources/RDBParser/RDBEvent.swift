// What the reader hands out. All of these are plain values: the bytes that belong to an event stay in
// the reader and are lent through its `with...` methods until the next call of `next()`.

/// The nine bytes a file begins with.
public struct RDBHeader: Equatable, Sendable {
  /// Who defined the version: `REDIS` or `VALKEY`.
  public var family: RDBFamily
  /// The version number; it never limits which value types may follow.
  public var version: Int

  /// Makes a header.
  public init(family: RDBFamily, version: Int) {
    self.family = family
    self.version = version
  }

  /// The largest version `REDIS` may carry; `VALKEY` begins behind it. Source: rdb-format.md §1.
  public static let redisVersionMax = 79
}

/// A key with what the file says about it, before its value.
public struct RDBEntry: Equatable, Sendable {
  /// The database it lives in.
  public var database: Int
  /// The type of its value.
  public var type: RDBType
  /// When it expires, in milliseconds since 1970; nil when it does not. May lie in the past.
  public var expiryMilliseconds: Int64?
  /// Seconds since its last use (LRU eviction policies only).
  public var idleSeconds: UInt64?
  /// Logarithmic use counter (LFU eviction policies only).
  public var frequency: UInt8?
  /// Bytes in the key.
  public var keyLength: Int
  /// Absolute offset of its type byte.
  public var offset: UInt64
  /// Absolute offset of its value.
  public var valueOffset: UInt64

  /// Makes an entry, for a writer; a reader fills in lengths and offsets.
  public init(
    database: Int = 0, type: RDBType, expiryMilliseconds: Int64? = nil, idleSeconds: UInt64? = nil,
    frequency: UInt8? = nil
  ) {
    self.database = database
    self.type = type
    self.expiryMilliseconds = expiryMilliseconds
    self.idleSeconds = idleSeconds
    self.frequency = frequency
    keyLength = 0
    offset = 0
    valueOffset = 0
  }
}

/// How the file ended.
public struct RDBTrailer: Equatable, Sendable {
  /// What came of the checksum.
  public enum Checksum: Equatable, Sendable {
    /// It is right.
    case verified
    /// The options said not to look.
    case ignored
    /// The writer had checksums switched off and stored zero.
    case disabledByWriter
    /// The file's version (below 5) has none.
    case absent
  }

  /// What came of the checksum.
  public var checksum: Checksum
  /// The type the read ended at, when `unknownTypeEndsRead` let it end early; nil at a true end.
  public var unknownType: RDBType?
  /// Bytes in the file, checksum included.
  public var length: UInt64
}

/// One step of reading a file.
public enum RDBEvent: Equatable, Sendable {
  /// More bytes are wanted: `fill` or `append`, or `finishInput` when there are none.
  case needsInput
  /// The header, always first.
  case header(RDBHeader)
  /// A name and value about the file; `withAuxiliary` lends both.
  case auxiliary
  /// The entries that follow belong to this database. Without it they belong to 0.
  case selectDatabase(Int)
  /// How many keys, and keys with expiry, the database holds. A hint: files may lie.
  case resize(keys: UInt64, expires: UInt64)
  /// How many keys a cluster slot holds. A hint.
  case slotInfo(slot: UInt64, keys: UInt64, expires: UInt64)
  /// A key. Read its value with `readValue` or go on with `next`, which passes over it.
  case entry(RDBEntry)
  /// A function library; `withFunction` lends its source.
  case function
  /// A module's own data, which is passed over.
  case moduleAuxiliary(RDBModuleID)
  /// Another opcode that is passed over.
  case skipped(opcode: RDBOpcode, offset: UInt64)
  /// The end of the file. Bytes that follow it are lent by `withRemainder`.
  case end(RDBTrailer)
}

/// What `readValue` has for the caller.
public enum RDBValueStep: Equatable, Sendable {
  /// More bytes are wanted.
  case needsInput
  /// The whole value, lent by `withValue`. Exactly the values up to `inlineValueLimit` come so.
  case whole
  /// The next part of a larger value, lent by `withValue`; more follow.
  case chunk
  /// The last part of a larger value, lent by `withValue`; it may be empty.
  case lastChunk
}
