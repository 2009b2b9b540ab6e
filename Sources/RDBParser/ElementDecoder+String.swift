// String values: handed out as one part when small, else in parts, compressed ones decompressed as
// they arrive, so that no string is too large to be read.

/// A string value that is being handed out in parts.
struct StringState {
  var isActive = false
  var isCompressed = false
  /// Bytes of the decoded string, and how many of them have been handed out.
  var length: UInt64 = 0
  var given: UInt64 = 0
  /// Absolute offset of the string, for errors.
  var place: UInt64 = 0
}

extension ElementDecoder {
  /// How much decompressed text one part has at most; plain parts can be as long as the inline limit.
  private static let partMax = 64 << 10

  /// An item of an array: a tag, then a string or eight bytes. Its text is what is lent.
  mutating func takeTagged(_ scanner: inout ByteScanner) throws(RDBError) -> RDBElement {
    let place = scanner.position
    let tag = scanner.length(at: place)
    if tag.size == 0 { return .needsInput }
    guard tag.size > 0 && !tag.isEncoding && tag.value <= 3 else {
      throw RDBError(.malformedValue, offset: base + UInt64(place), detail: "an array item's tag")
    }
    let operand = place + tag.size
    text.removeAll()
    var end = operand + 8
    if tag.value == 0 || tag.value == 3 {
      switch text.appendString(scanner, at: operand, limit: lengthMax) {
      case .short: return .needsInput
      case .failed(let code, let place, let detail):
        throw RDBError(code, offset: base + UInt64(place), detail: detail)
      case .decoded(let stringEnd): end = stringEnd
      }
    } else {
      guard end <= scanner.end else { return .needsInput }
      let bits = UInt64(littleEndian: scanner.load(operand, as: UInt64.self))
      if tag.value == 1 {
        text.appendDecimal(Int64(bitPattern: bits))
      } else {
        RDBScore.append(Double(bitPattern: bits), to: &text)
      }
    }
    walker.passString()
    scanner.position = end
    firstEnd = text.count
    lent = .text
    return .arrayItem(index: arrayIndex)
  }

  mutating func beginString(_ scanner: inout ByteScanner) throws(RDBError) -> RDBElement {
    let place = scanner.position
    let field = scanner.string(at: place)
    let isInline =
      switch field.form {
      case .integer: true
      case .raw: field.payloadSize <= UInt64(inlineLimit)
      case .compressed: field.number <= Int64(inlineLimit)
      }
    if field.status == .complete && !isInline {
      var walked = WalkedStep()
      _ = step(&scanner, &walked)
      stringState = StringState(isActive: true, isCompressed: field.form == .compressed)
      stringState.length =
        field.form == .compressed ? UInt64(field.number) : field.payloadSize
      stringState.place = base + UInt64(place)
      packed.removeAll()
      return try nextStringPart(&scanner)
    }
    if field.status == .complete && field.form == .raw {
      // Its bytes are lent where they are.
      let start = place + field.headerSize
      guard field.payloadSize <= UInt64(scanner.end - start) else { return .needsInput }
      let end = start + Int(field.payloadSize)
      walker.passString()
      scanner.position = end
      lent = .input(start..<end)
      return .string(length: field.payloadSize, isLast: true)
    }
    text.removeAll()
    switch text.appendString(scanner, at: place, limit: inlineLimit) {
    case .short: return .needsInput
    case .failed(let code, let place, let detail):
      throw RDBError(code, offset: base + UInt64(place), detail: detail)
    case .decoded(let end):
      walker.passString()
      scanner.position = end
      firstEnd = text.count
      lent = .text
      return .string(length: UInt64(text.count), isLast: true)
    }
  }

  mutating func nextStringPart(_ scanner: inout ByteScanner) throws(RDBError) -> RDBElement {
    if stringState.isCompressed { return try nextCompressedPart(&scanner) }
    guard scanner.available > 0 else { return .needsInput }
    let start = scanner.position
    // Counted in 64 bits: the payload may have any length.
    let count = Int(
      min(walker.payload, UInt64(scanner.available), UInt64(max(Self.partMax, inlineLimit))))
    scanner.position += count
    walker.payload -= UInt64(count)
    stringState.isActive = walker.payload > 0
    lent = .input(start..<scanner.position)
    return .string(length: stringState.length, isLast: !stringState.isActive)
  }

  private mutating func nextCompressedPart(
    _ scanner: inout ByteScanner
  ) throws(RDBError) -> RDBElement {
    packed.removeAll(butLast: LZF.distanceMax)
    let history = packed.count
    let input = Int(min(walker.payload, UInt64(scanner.available)))
    let source = scanner.pointer(scanner.position)
    let outputMax = Int(min(stringState.length - stringState.given, UInt64(Self.partMax)))
    var progress = LZFProgress(read: 0, written: history)
    var isSound = false
    let produced = packed.append(minimum: outputMax) { room in
      guard let base = room.baseAddress else { return 0 }
      isSound = LZF.run(source, input, base - history, history + outputMax, &progress)
      return progress.written - history
    }
    walker.payload -= UInt64(progress.read)
    scanner.position += progress.read
    stringState.given += UInt64(produced)
    let isAllOut = stringState.given == stringState.length
    // Input and output must end together, and what is wholly here must decode.
    let isStuck = produced == 0 && (progress.isFull || UInt64(input) == walker.payload)
    guard isSound && isAllOut == (walker.payload == 0) && !isStuck else {
      throw RDBError(.malformedCompression, offset: stringState.place)
    }
    if produced == 0 { return .needsInput }
    lent = .unpacked(history..<progress.written)
    stringState.isActive = !isAllOut
    return .string(length: stringState.length, isLast: isAllOut)
  }
}
