// Commands as a client sends them: RESP arrays of bulk strings.

extension ByteBuffer {
  /// Appends the head of a command of `count` arguments, its name included.
  public mutating func appendArrayHeader(_ count: Int) {
    appendHeader(UInt8(ascii: "*"), count)
  }

  /// Appends one argument.
  public mutating func appendBulk(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { appendBulk($0) }
  }

  /// Appends one argument.
  public mutating func appendBulk(_ bytes: UnsafeRawBufferPointer) {
    reserve(bytes.count + 32)
    appendHeader(UInt8(ascii: "$"), bytes.count)
    append(bytes)
    append("\r\n")
  }

  /// Appends the head of an argument of `length` bytes, which the caller appends, with `\r\n`.
  public mutating func appendBulkHeader(_ length: Int) {
    appendHeader(UInt8(ascii: "$"), length)
  }

  /// Appends a marker, a number and the end of a line; most numbers have up to three digits, and then
  /// all of it is one word.
  private mutating func appendHeader(_ marker: UInt8, _ number: Int) {
    guard number >= 0, number < 1000 else {
      append(byte: marker)
      append(decimal: Int64(number))
      return append("\r\n")
    }
    let rest = UInt64(truncatingIfNeeded: number)
    let (hundreds, tens, ones) = (rest / 100, rest / 10 % 10, rest % 10)
    let digits = 0x30_3030 | ones << 16 | tens << 8 | hundreds
    let skipped = number < 10 ? 2 : number < 100 ? 1 : 0
    let line = (digits | 0x0a0d << 24) >> UInt64(8 * skipped)
    append(word: UInt64(marker) | line << 8, count: 6 - skipped)
  }

  /// Appends one number as an argument.
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
