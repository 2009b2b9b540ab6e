// What stands between values: the header, opcodes, keys, the trailer. Every record is read only when
// all of it is there, so a short read leaves no trace and is simply tried again.

extension RDBReader {
  /// The nine bytes at the start. Source: rdb-format.md §1.
  mutating func readHeader() throws(RDBError) -> RDBHeader? {
    let scanner = window.scanner(from: consumed)
    // A wrong first byte is told at once: a caller that is not fed an RDB should not wait for nine.
    for (index, letter) in "REDIS".utf8.enumerated() {
      guard index < scanner.available else { return nil }
      if scanner.byte(consumed + index) == letter { continue }
      return try readValkeyHeader(scanner)
    }
    guard scanner.available >= 9 else { return nil }
    let version = try headerDigits(scanner, from: 5)
    guard (1...RDBHeader.redisVersionMax).contains(version) else {
      throw failed(.unsupportedVersion, at: consumed + 5, detail: "REDIS version \(version)")
    }
    return accept(RDBHeader(family: .redis, version: version))
  }

  private mutating func readValkeyHeader(_ scanner: ByteScanner) throws(RDBError) -> RDBHeader? {
    for (index, letter) in "VALKEY".utf8.enumerated() {
      guard index < scanner.available else { return nil }
      if scanner.byte(consumed + index) == letter { continue }
      throw failed(
        .notAnRDBFile, at: consumed + index, detail: "neither REDIS nor VALKEY at the start")
    }
    guard scanner.available >= 9 else { return nil }
    let version = try headerDigits(scanner, from: 6)
    guard version > RDBHeader.redisVersionMax else {
      throw failed(.unsupportedVersion, at: consumed + 6, detail: "VALKEY version \(version)")
    }
    return accept(RDBHeader(family: .valkey, version: version))
  }

  private mutating func headerDigits(
    _ scanner: ByteScanner, from first: Int
  ) throws(RDBError) -> Int {
    var version = 0
    for index in first..<9 {
      let byte = scanner.byte(consumed + index)
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
        throw failed(.notAnRDBFile, at: consumed + index, detail: "the version is not a number")
      }
      version = version * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return version
  }

  private mutating func accept(_ header: RDBHeader) -> RDBHeader {
    self.header = header
    starts = Grammar.shared.starts(for: header.family)
    advance(to: consumed + 9)
    phase = .record
    return header
  }

  @inline(__always)
  private mutating func advance(to place: Int) {
    consumed = place
    retained = place
  }

  /// Reads one record. Nil after a prefix of a key, which is not an event of its own.
  @inline(__always)
  mutating func readRecord() throws(RDBError) -> RDBEvent? {
    let scanner = window.scanner(from: consumed)
    guard scanner.available > 0 else { return try wantsInput() }
    let byte = scanner.byte(consumed)
    let start = Int(starts[Int(byte)])
    if start != 0 { return try readEntry(scanner, byte, start) }
    return try readOpcode(scanner, RDBOpcode(rawValue: byte))
  }

  /// A type byte and the key; the value follows.
  @inline(__always)
  private mutating func readEntry(
    _ scanner: ByteScanner, _ byte: UInt8, _ start: Int
  ) throws(RDBError) -> RDBEvent {
    key.removeAll()
    let decoding = key.appendString(scanner, at: consumed + 1, limit: options.keyLengthMax)
    guard let end = try end(of: decoding) else { return try wantsInput() }
    entry = pending
    entry.type = RDBType(rawValue: byte, family: header.family)
    entry.keyLength = key.count
    entry.offset = position
    advance(to: end)
    entry.valueOffset = position
    pending.expiryMilliseconds = nil
    pending.idleSeconds = nil
    pending.frequency = nil
    walker.begin(start)
    valueStart = start
    phase = .value
    return .entry(entry)
  }

  private mutating func readOpcode(
    _ scanner: ByteScanner, _ opcode: RDBOpcode
  ) throws(RDBError) -> RDBEvent? {
    switch opcode {
    case .expirySeconds, .expiryMilliseconds, .idle, .frequency:
      return try readPrefix(scanner, opcode)
    case .selectDatabase:
      guard let (number, end) = try readLength(scanner, at: consumed + 1) else {
        return try wantsInput()
      }
      guard let database = Int(exactly: number), database <= Int(Int32.max) else {
        throw failed(.limitExceeded, at: consumed + 1, detail: "database \(number)")
      }
      pending.database = database
      advance(to: end)
      return .selectDatabase(database)
    case .resize, .slotInfo:
      return try readSizes(scanner, opcode)
    case .auxiliary, .function:
      return try readStrings(scanner, opcode)
    case .moduleAuxiliary:
      guard let (id, end) = try readLength(scanner, at: consumed + 1) else {
        return try wantsInput()
      }
      advance(to: end)
      passOver(opcode, Grammar.shared.moduleAuxiliaryStart)
      return .moduleAuxiliary(RDBModuleID(rawValue: id))
    case .functionPreRelease:
      return skipped(opcode, Grammar.shared.functionPreReleaseStart)
    case .keyMetadataOrSlotImport:
      let grammar = Grammar.shared
      return skipped(
        opcode,
        header.family == .redis ? grammar.keyMetadataStart : grammar.slotImportStart)
    case .end:
      advance(to: consumed + 1)
      phase = .trailer
      return nil
    default:
      return try readUnknown(scanner, opcode.rawValue)
    }
  }

  private mutating func skipped(_ opcode: RDBOpcode, _ start: Int) -> RDBEvent {
    let offset = position
    advance(to: consumed + 1)
    passOver(opcode, start)
    return .skipped(opcode: opcode, offset: offset)
  }

  private mutating func passOver(_ opcode: RDBOpcode, _ start: Int) {
    self.opcode = opcode
    walker.begin(start)
    phase = .opcodePayload
  }

  /// Opcodes that say something about the next key.
  private mutating func readPrefix(
    _ scanner: ByteScanner, _ opcode: RDBOpcode
  ) throws(RDBError) -> RDBEvent? {
    let operand = consumed + 1
    switch opcode {
    case .expirySeconds:
      guard scanner.end - operand >= 4 else { return try wantsInput() }
      let seconds = Int32(littleEndian: scanner.load(operand, as: Int32.self))
      pending.expiryMilliseconds = Int64(seconds) * 1000
      advance(to: operand + 4)
    case .expiryMilliseconds:
      guard scanner.end - operand >= 8 else { return try wantsInput() }
      pending.expiryMilliseconds = Int64(littleEndian: scanner.load(operand, as: Int64.self))
      advance(to: operand + 8)
    case .frequency:
      guard scanner.end > operand else { return try wantsInput() }
      pending.frequency = scanner.byte(operand)
      advance(to: operand + 1)
    default:
      guard let (seconds, end) = try readLength(scanner, at: operand) else {
        return try wantsInput()
      }
      pending.idleSeconds = seconds
      advance(to: end)
    }
    return nil
  }

  private mutating func readSizes(
    _ scanner: ByteScanner, _ opcode: RDBOpcode
  ) throws(RDBError) -> RDBEvent? {
    guard let (first, second) = try readLength(scanner, at: consumed + 1),
      let (middle, third) = try readLength(scanner, at: second)
    else { return try wantsInput() }
    if opcode == .resize {
      advance(to: third)
      return .resize(keys: first, expires: middle)
    }
    guard let (last, end) = try readLength(scanner, at: third) else { return try wantsInput() }
    advance(to: end)
    return .slotInfo(slot: first, keys: middle, expires: last)
  }

  /// Opcodes whose strings are kept for the caller.
  private mutating func readStrings(
    _ scanner: ByteScanner, _ opcode: RDBOpcode
  ) throws(RDBError) -> RDBEvent? {
    auxiliary.removeAll()
    auxiliaryNameLength = 0
    var place = consumed + 1
    if opcode == .auxiliary {
      // Without this look ahead a long name would be decoded anew for each portion of the value.
      let limit = options.auxiliaryLengthMax
      guard scanner.isComplete(strings: 2, at: place, limit: limit) else {
        return try wantsInput()
      }
      let name = auxiliary.appendString(scanner, at: place, limit: limit)
      guard let end = try end(of: name) else { return try wantsInput() }
      auxiliaryNameLength = auxiliary.count
      place = end
    }
    let value = auxiliary.appendString(scanner, at: place, limit: options.auxiliaryLengthMax)
    guard let end = try end(of: value) else { return try wantsInput() }
    advance(to: end)
    return opcode == .auxiliary ? .auxiliary : .function
  }

  /// Where a decoded string ends; nil when more of it must come first.
  @inline(__always)
  private mutating func end(of decoding: StringDecoding) throws(RDBError) -> Int? {
    switch decoding {
    case .decoded(let end): return end
    case .short: return nil
    case .failed(let code, let place, let detail): throw failed(code, at: place, detail: detail)
    }
  }

  private mutating func readLength(
    _ scanner: ByteScanner, at place: Int
  ) throws(RDBError) -> (value: UInt64, end: Int)? {
    let field = scanner.length(at: place)
    guard field.size != 0 else { return nil }
    guard field.size > 0 && !field.isEncoding else {
      throw failed(.malformedLength, at: place)
    }
    return (field.value, place + field.size)
  }
}
