// The header of an RDB string, for those who hold a value's raw bytes and want the text in it.

/// What an RDB string consists of. Source: rdb-format.md §2.
public enum RDBString: Equatable, Sendable {
  /// `length` bytes of text at `offset`.
  case raw(length: Int, offset: Int)
  /// An integer that stands for its decimal text; the string ends at `end`.
  case integer(Int64, end: Int)
  /// `compressed` bytes of LZF at `offset` that decode to `original` bytes.
  case lzf(compressed: Int, original: Int, offset: Int)

  /// Reads the header at the start of `bytes` and checks that all of the string is there.
  ///
  /// - Throws: `RDBError` with an offset within `bytes`.
  public init(parsing bytes: Span<UInt8>) throws(RDBError) {
    let field = ByteScanner.over(bytes) { scanner in scanner.string(at: 0) }
    switch field.status {
    case .complete: break
    case .short: throw RDBError(.truncated, offset: UInt64(bytes.count))
    case .badLength: throw RDBError(.malformedLength, offset: 0)
    case .badEncoding: throw RDBError(.malformedString, offset: 0)
    case .badCompression: throw RDBError(.malformedCompression, offset: 0)
    }
    guard field.payloadSize <= UInt64(bytes.count - field.headerSize) else {
      throw RDBError(.truncated, offset: UInt64(bytes.count))
    }
    let length = Int(field.payloadSize)
    switch field.form {
    case .raw: self = .raw(length: length, offset: field.headerSize)
    case .integer: self = .integer(field.number, end: field.headerSize)
    case .compressed:
      self = .lzf(
        compressed: length, original: Int(field.number), offset: field.headerSize)
    }
  }
}
