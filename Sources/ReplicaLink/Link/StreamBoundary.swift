// Where the stream can be cut: the end of the last command received that lies outside MULTI … EXEC. The
// link asks for the bytes behind it when it comes back. A state machine without I/O that is shown
// every byte once, copies none, and steps over arguments without looking at them.
//
// As a replica does it: commands are arrays of bulk strings; empty lines and empty arrays between them
// count with the command that follows; anything else breaks the protocol, inline commands too.

/// A scanner of the stream that knows its last safe boundary.
struct StreamBoundary: Sendable {
  private enum State: Sendable {
    /// Between commands.
    case between
    /// Behind a carriage return between commands.
    case emptyLine
    /// In `*n`.
    case count
    /// Before `$`.
    case bulk
    /// In `$n`.
    case length
    /// Behind the carriage return of either header.
    case headerEnd
    /// In an argument, or in the line end behind it.
    case argument
  }

  /// An argument longer than this breaks the protocol, in bytes.
  private static let lengthMax: Int64 = 1 << 40

  private var state = State.between
  /// The header's number so far.
  private var number: Int64 = 0
  private var digits = 0
  private var isNegative = false
  private var isCount = false
  private var argumentsLeft: Int64 = 0
  /// Bytes of the argument and its line end that have still to come.
  private var skip: Int64 = 0
  /// The bytes of a command's name that have still to come, where it may be MULTI or EXEC.
  private var nameLeft = 0
  private var isNameNext = false
  /// The name's bytes so far, in lower case, the last one lowest.
  private var name: UInt64 = 0
  private var isInTransaction = false

  /// The offset of the last byte seen.
  private(set) var received: UInt64
  /// The offset of the last byte of the last command outside a transaction.
  private(set) var boundary: UInt64

  /// A scanner of the bytes that follow `offset`, which is a boundary.
  init(offset: UInt64) {
    received = offset
    boundary = offset
  }

  /// Looks at the next bytes of the stream.
  ///
  /// - Throws: `.protocolViolation` for bytes that no source sends; nothing may be pushed after that.
  mutating func push(_ bytes: UnsafeRawBufferPointer) throws(LinkError) {
    var position = 0
    while position < bytes.count {
      if state == .argument {
        let taken = Int(min(skip, Int64(bytes.count - position)))
        if nameLeft > 0 { readName(bytes, position, taken) }
        position += taken
        skip -= Int64(taken)
        if skip == 0 { endArgument(at: position) }
        continue
      }
      let byte = bytes[position]
      position += 1
      guard take(byte) else {
        throw LinkError(
          .protocolViolation, "receiving the replication stream",
          "a byte \(byte) that makes no sense at offset \(received + UInt64(position))")
      }
    }
    received += UInt64(bytes.count)
  }

  /// Takes one byte outside arguments; false when it cannot stand there.
  @inline(__always)
  private mutating func take(_ byte: UInt8) -> Bool {
    switch state {
    case .count, .length:
      if byte &- 48 < 10 {
        digits += 1
        number = number * 10 + Int64(byte &- 48)
        return digits < 14
      }
      if byte == 13 {
        isCount = state == .count
        state = .headerEnd
        return digits > 0
      }
      if byte == 45, digits == 0, !isNegative {
        isNegative = true
        return true
      }
      return false
    case .headerEnd: return byte == 10 && endHeader()
    case .bulk:
      guard byte == UInt8(ascii: "$") else { return false }
      beginNumber(.length)
      return true
    case .between:
      if byte == UInt8(ascii: "*") {
        beginNumber(.count)
        return true
      }
      if byte == 13 { state = .emptyLine }
      return byte == 10 || byte == 13
    case .emptyLine:
      state = .between
      return byte == 10
    case .argument: return false
    }
  }

  @inline(__always)
  private mutating func beginNumber(_ next: State) {
    state = next
    number = 0
    digits = 0
    isNegative = false
  }

  private mutating func endHeader() -> Bool {
    if isCount {
      // `*0` and `*-1` are fillers.
      if isNegative || number == 0 {
        state = .between
        return true
      }
      argumentsLeft = number
      isNameNext = true
      state = .bulk
      return number <= Int64(Int32.max)
    }
    guard !isNegative, number <= Self.lengthMax else { return false }
    skip = number + 2
    if isNameNext {
      nameLeft = number == 4 || number == 5 ? Int(number) : 0
      name = 0
      isNameNext = false
    }
    state = .argument
    return true
  }

  private mutating func readName(
    _ bytes: UnsafeRawBufferPointer, _ position: Int, _ taken: Int
  ) {
    let count = min(nameLeft, taken)
    for index in position..<position + count { name = name << 8 | UInt64(bytes[index] | 32) }
    nameLeft -= count
    guard nameLeft == 0 else { return }
    if name == 0x6d_75_6c_74_69 { isInTransaction = true }  // multi
    if name == 0x65_78_65_63 { isInTransaction = false }  // exec
  }

  @inline(__always)
  private mutating func endArgument(at position: Int) {
    argumentsLeft -= 1
    guard argumentsLeft == 0 else {
      state = .bulk
      return
    }
    state = .between
    if !isInTransaction { boundary = received + UInt64(position) }
  }
}
