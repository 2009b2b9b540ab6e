// Commands as a client sends them: RESP arrays of bulk strings.

extension ByteBuffer {
  /// Appends the head of a command of `count` arguments, its name included.
  @inlinable
  public mutating func appendArrayHeader(_ count: Int) {
    append(byte: UInt8(ascii: "*"))
    append(decimal: Int64(count))
    append("\r\n")
  }

  /// Appends one argument.
  @inlinable
  public mutating func appendBulk(_ bytes: Span<UInt8>) {
    appendBulkHeader(bytes.count)
    append(bytes)
    append("\r\n")
  }

  /// Appends one argument.
  @inlinable
  public mutating func appendBulk(_ bytes: UnsafeRawBufferPointer) {
    appendBulkHeader(bytes.count)
    append(bytes)
    append("\r\n")
  }

  /// Appends the head of an argument of `length` bytes, which the caller appends, with `\r\n`.
  @inlinable
  public mutating func appendBulkHeader(_ length: Int) {
    append(byte: UInt8(ascii: "$"))
    append(decimal: Int64(length))
    append("\r\n")
  }

  /// Appends one number as an argument.
  @inlinable
  public mutating func appendBulk(decimal value: Int64) {
    var digits = value < 0 ? 2 : 1
    var rest = value.magnitude
    while rest >= 10 {
      rest /= 10
      digits += 1
    }
    appendBulkHeader(digits)
    append(decimal: value)
    append("\r\n")
  }

  /// Appends a whole command from its arguments.
  public mutating func appendCommand(_ arguments: [[UInt8]]) {
    appendArrayHeader(arguments.count)
    for argument in arguments { appendBulk(argument.span) }
  }

  /// Appends a whole command from textual arguments.
  public mutating func appendCommand(_ arguments: String...) {
    appendCommand(arguments.map { Array($0.utf8) })
  }
}
