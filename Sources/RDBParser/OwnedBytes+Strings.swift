// Decoding of RDB strings into a store: the one place where integer and LZF forms become text.

/// How an attempt to decode a string ended.
enum StringDecoding {
  /// The string ends before this scanner position.
  case decoded(end: Int)
  /// Not all of it is there; nothing was appended.
  case short
  case failed(RDBError.Code, at: Int, detail: String)
}

extension OwnedBytes {
  /// Appends the text of an item of the packed value `bytes`.
  @inline(__always)
  mutating func append(_ item: PackedItem, of bytes: ByteScanner) {
    if item.isInteger {
      appendDecimal(item.integer)
    } else {
      append(bytes.pointer(item.start), item.length)
    }
  }

  /// Appends the text of the string at `place` of `scanner`.
  ///
  /// Memory is taken only for bytes that are there (raw), or for what bytes that are there may
  /// decode to (LZF, whose ratio the header check has bounded).
  @inline(__always)
  mutating func appendString(
    _ scanner: ByteScanner, at place: Int, limit: Int
  ) -> StringDecoding {
    let field = scanner.string(at: place)
    if field.status == .complete && field.form == .raw {
      let start = place + field.headerSize
      // Compared as unsigned 64 bits: a declared length may be anything.
      if field.payloadSize <= UInt64(scanner.end - start) && field.payloadSize <= UInt64(limit) {
        let length = Int(field.payloadSize)
        append(scanner.pointer(start), length)
        return .decoded(end: start + length)
      }
    }
    return appendOther(scanner, field, at: place, limit: limit)
  }

  /// All but the plain string that is wholly there.
  private mutating func appendOther(
    _ scanner: ByteScanner, _ field: StringField, at place: Int, limit: Int
  ) -> StringDecoding {
    switch field.status {
    case .complete: break
    case .short: return .short
    case .badLength: return .failed(.malformedLength, at: place, detail: "")
    case .badEncoding: return .failed(.malformedString, at: place, detail: "")
    case .badCompression: return .failed(.malformedCompression, at: place, detail: "")
    }
    let start = place + field.headerSize
    if field.form == .integer {
      appendDecimal(field.number)
      return .decoded(end: start)
    }
    let size = field.form == .raw ? field.payloadSize : UInt64(field.number)
    guard size <= UInt64(limit) else {
      return .failed(.limitExceeded, at: place, detail: "a string of \(size) bytes")
    }
    guard field.payloadSize <= UInt64(scanner.end - start) else { return .short }
    let length = Int(field.payloadSize)
    let original = Int(size)
    let source = UnsafeRawBufferPointer(start: scanner.pointer(start), count: length)
    var isSound = false
    _ = append(minimum: original) { room in
      isSound = LZF.decompress(source, into: .init(rebasing: room[..<original]))
      return isSound ? original : 0
    }
    guard isSound else { return .failed(.malformedCompression, at: start, detail: "") }
    return .decoded(end: start + length)
  }
}
