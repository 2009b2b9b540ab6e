// The opcodes that may stand where a value type may stand. Source: rdb-format.md §3.

/// A byte that begins a record which is not a key.
public struct RDBOpcode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The byte in the file.
  public let rawValue: UInt8
  /// Wraps a byte.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// End of file.
  public static let end = RDBOpcode(rawValue: 255)
  /// Database number for what follows.
  public static let selectDatabase = RDBOpcode(rawValue: 254)
  /// Expiry of the next key in seconds.
  public static let expirySeconds = RDBOpcode(rawValue: 253)
  /// Expiry of the next key in milliseconds.
  public static let expiryMilliseconds = RDBOpcode(rawValue: 252)
  /// Sizes of the database.
  public static let resize = RDBOpcode(rawValue: 251)
  /// Name and value about the file.
  public static let auxiliary = RDBOpcode(rawValue: 250)
  /// Use counter of the next key.
  public static let frequency = RDBOpcode(rawValue: 249)
  /// Idle time of the next key.
  public static let idle = RDBOpcode(rawValue: 248)
  /// A module's own data.
  public static let moduleAuxiliary = RDBOpcode(rawValue: 247)
  /// A function as the 7.0 release candidates wrote it.
  public static let functionPreRelease = RDBOpcode(rawValue: 246)
  /// A function library.
  public static let function = RDBOpcode(rawValue: 245)
  /// Sizes of a cluster slot.
  public static let slotInfo = RDBOpcode(rawValue: 244)
  /// Redis: module metadata of the next key. Valkey: a slot import under way.
  public static let keyMetadataOrSlotImport = RDBOpcode(rawValue: 243)

  /// The byte as decimal number.
  public var description: String { "\(rawValue)" }
}
