// Elements out of packed values.

extension ElementDecoder {
  mutating func openPacked(_ kind: ElementKind, at place: Int) throws(RDBError) {
    packedKind = kind == .listNode ? .listItem : kind
    packedPlace = base + UInt64(place)
    let bytes = packed.scanner(from: 0)
    guard packedWalker.open(kind.packedForm ?? .listpack, bytes) else { throw packedError() }
    if kind == .streamNode { try openStreamNode() }
  }

  /// An error about the present packed value. Its offset is that of the string the value is in.
  func packedError(_ code: RDBError.Code = .malformedValue, _ detail: String? = nil) -> RDBError {
    let detail = detail ?? "\(packedWalker.damage)"
    return RDBError(
      code, offset: packedPlace, detail: "\(detail), at byte \(packedWalker.position)")
  }

  /// The next element of the present packed value; nil at its end.
  mutating func nextPacked() throws(RDBError) -> RDBElement? {
    if packedKind == .streamNode { return try nextStreamEntry() }
    let bytes = packed.scanner(from: 0)
    var item = PackedItem()
    guard try nextItem(bytes, &item) else { return nil }
    text.removeAll()
    lent = .text
    text.append(item, of: bytes)
    firstEnd = text.count
    switch packedKind {
    case .setListpack, .setIntset:
      return .setMember
    case .sortedSetZiplist, .sortedSetListpack:
      try requireItem(bytes, &item)
      return .sortedSetMember(score: try score(bytes, item))
    case .hashZipmap, .hashZiplist, .hashListpack:
      try requireItem(bytes, &item)
      text.append(item, of: bytes)
      return .hashField(expiryMilliseconds: nil)
    case .hashListpackTTL:
      try requireItem(bytes, &item)
      text.append(item, of: bytes)
      try requireItem(bytes, &item)
      guard item.isInteger && item.integer >= 0 else {
        throw packedError(.malformedNumber, "a field's expiry is not a time")
      }
      return .hashField(expiryMilliseconds: item.integer == 0 ? nil : item.integer)
    default:
      return .listItem
    }
  }

  @inline(__always)
  mutating func nextItem(
    _ bytes: ByteScanner, _ item: inout PackedItem
  ) throws(RDBError) -> Bool {
    switch packedWalker.next(bytes, &item) {
    case .item: return true
    case .end: return false
    case .damaged: throw packedError()
    }
  }

  /// An item that must be there because the one before it was.
  @inline(__always)
  mutating func requireItem(
    _ bytes: ByteScanner, _ item: inout PackedItem
  ) throws(RDBError) {
    guard try nextItem(bytes, &item) else {
      throw packedError(.malformedValue, "an element is incomplete")
    }
  }

  private func score(_ bytes: ByteScanner, _ item: PackedItem) throws(RDBError) -> Double {
    if item.isInteger { return Double(item.integer) }
    let score = bytes.span(item.start, item.length) { RDBScore.parse($0) }
    guard let score else { throw packedError(.malformedNumber, "a score is not a number") }
    return score
  }
}
