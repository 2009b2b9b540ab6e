// The limits and choices of a reader.

/// What an `RDBReader` may hold in memory and how strict it is.
public struct RDBReaderOptions: Sendable {
  /// The largest value, in bytes as stored, that is handed out in one piece.
  public var inlineValueLimit = 1 << 20
  /// The longest element, in bytes after decoding: a member, a field's name or value, and also a
  /// packed value or list node. String values are not limited: they come in parts.
  public var elementLengthMax = 512 << 20
  /// The most bytes of elements that `readWholeValue` gathers.
  public var wholeValueLimit = 64 << 20
  /// The longest key, in bytes after decoding. The default is the servers' own.
  public var keyLengthMax = 512 << 20
  /// The longest auxiliary name or value or function source, in bytes after decoding.
  public var auxiliaryLengthMax = 512 << 20
  /// Whether the checksum is computed and compared. It costs about half a nanosecond per byte.
  public var verifiesChecksum = true
  /// Whether a value type that is not known ends the read as if the file ended there, instead of
  /// being an error.
  public var unknownTypeEndsRead = false

  /// The defaults.
  public init() {}
}
