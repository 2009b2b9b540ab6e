// Elements of streams: entries out of node listpacks, then groups, pending entries and consumers.
// Facts: rdb-format.md §6.

extension ElementDecoder {
  private static let deletedFlag: Int64 = 1
  private static let sameFieldsFlag: Int64 = 2

  /// The numbers and names at the start of a node.
  mutating func openStreamNode() throws(RDBError) {
    let bytes = packed.scanner(from: 0)
    let count = try number(bytes)
    let deleted = try number(bytes)
    let fields = try number(bytes)
    let (entries, overflow) = count.addingReportingOverflow(deleted)
    guard count >= 0 && deleted >= 0 && fields >= 0 && !overflow else {
      throw packedError(.malformedValue, "a stream node's counts are negative")
    }
    packedEntriesLeft = Int(entries)
    sharedNames.removeAll()
    sharedNameEnds.removeAll(keepingCapacity: true)
    // A false count ends with the node: each round takes at least one byte.
    var item = PackedItem()
    for _ in 0..<fields {
      try requireItem(bytes, &item)
      sharedNames.append(item, of: bytes)
      sharedNameEnds.append(sharedNames.count)
    }
    guard try number(bytes) == 0 else {
      throw packedError(.malformedValue, "a stream node's names do not end")
    }
  }

  /// The next entry of the present node that is not deleted; nil at its end.
  mutating func nextStreamEntry() throws(RDBError) -> RDBElement? {
    let bytes = packed.scanner(from: 0)
    while packedEntriesLeft > 0 {
      packedEntriesLeft -= 1
      let flags = try number(bytes)
      // Differences wrap: the sequence may be lower than the node's when the time is higher.
      let milliseconds = UInt64(bitPattern: try number(bytes))
      let sequence = UInt64(bitPattern: try number(bytes))
      let id = RDBStreamID(
        milliseconds: nodeID.milliseconds &+ milliseconds,
        sequence: nodeID.sequence &+ sequence)
      let isSame = flags & Self.sameFieldsFlag != 0
      let fieldCount = isSame ? Int64(sharedNameEnds.count) : try number(bytes)
      guard fieldCount >= 0 && fieldCount <= packed.count else {
        throw packedError(.malformedValue, "a stream entry's count of fields is impossible")
      }
      try readFields(bytes, Int(fieldCount), isSame)
      let itemCount = isSame ? fieldCount + 3 : 2 * fieldCount + 4
      guard try number(bytes) == itemCount else {
        throw packedError(.malformedValue, "a stream entry's count of items is wrong")
      }
      if flags & Self.deletedFlag == 0 {
        lent = .text
        return .streamEntry(id, fieldCount: Int(fieldCount))
      }
    }
    var item = PackedItem()
    guard try !nextItem(bytes, &item) else {
      throw packedError(.malformedValue, "a stream node goes on behind its last entry")
    }
    return nil
  }

  private mutating func readFields(
    _ bytes: ByteScanner, _ count: Int, _ isSame: Bool
  ) throws(RDBError) {
    text.removeAll()
    fieldEnds.removeAll(keepingCapacity: true)
    var item = PackedItem()
    namesAreShared = isSame
    for _ in 0..<(isSame ? count : 2 * count) {
      try requireItem(bytes, &item)
      text.append(item, of: bytes)
      fieldEnds.append(text.count)
    }
  }

  private mutating func number(_ bytes: ByteScanner) throws(RDBError) -> Int64 {
    var item = PackedItem()
    try requireItem(bytes, &item)
    guard item.isInteger else {
      throw packedError(.malformedValue, "a stream node has text where a number must be")
    }
    return item.integer
  }

  /// Steps behind the nodes.
  mutating func takeStream(_ walked: WalkedStep, _ scanner: ByteScanner) -> RDBElement? {
    switch walked.kind {
    case .streamInfo: return .streamInfo
    case .groupInfo:
      lent = .text
      return .streamGroup(group)
    case .groupEnd: return .streamGroupEnd
    case .consumerInfo:
      lent = .text
      return .streamConsumer(consumer)
    case .consumerPendingID: return .streamOwned(Self.streamID(scanner, at: walked.start))
    case .returnedID: return .streamReturned(Self.streamID(scanner, at: walked.start))
    case .pendingID: pending.id = Self.streamID(scanner, at: walked.start)
    case .pendingTime: pending.deliveryMilliseconds = time(walked, scanner)
    case .pendingDeliveries:
      pending.deliveries = walked.number
      return .streamPending(pending)
    case .consumerSeenTime: consumer.seenMilliseconds = time(walked, scanner)
    case .consumerActiveTime: consumer.activeMilliseconds = time(walked, scanner)
    default: takeStreamNumber(walked)
    }
    return nil
  }

  private func time(_ walked: WalkedStep, _ scanner: ByteScanner) -> Int64 {
    Int64(littleEndian: scanner.load(walked.start, as: Int64.self))
  }

  private mutating func takeStreamNumber(_ walked: WalkedStep) {
    let number = walked.number
    switch walked.kind {
    case .streamLength: stream.length = number
    case .streamLastMilliseconds: stream.lastID.milliseconds = number
    case .streamLastSequence: stream.lastID.sequence = number
    case .streamFirstMilliseconds: stream.firstID = .init(milliseconds: number, sequence: 0)
    case .streamFirstSequence: stream.firstID?.sequence = number
    case .streamDeletedMilliseconds:
      stream.maxDeletedID = .init(milliseconds: number, sequence: 0)
    case .streamDeletedSequence: stream.maxDeletedID?.sequence = number
    case .streamEntriesAdded: stream.entriesAdded = number
    case .groupLastMilliseconds: group.lastID.milliseconds = number
    case .groupLastSequence: group.lastID.sequence = number
    // The all-ones number stands for "not known".
    case .groupEntriesRead: group.entriesRead = number == .max ? nil : number
    default: break
    }
  }
}
