// What a value means, in a few words of memory: two values with the same meaning are the same data to
// every client, whatever their encodings, the order their members were stored in, and the versions of
// their servers.
//
// What does not count, because servers do not carry it to their replicas or rewrite it by themselves:
// how many entries a group of a stream has read, when a consumer was last seen, the order of a set's or
// hash's members, the sign of a score of zero.

/// The digest of a value's meaning.
public struct RDBMeaning: Hashable, Sendable {
  /// What it is to a client.
  public let type: RDBValueKind
  /// How many elements: items, members, fields, entries; of a string, bytes; of a module's value 0.
  public let count: UInt64
  /// Everything that every version knows.
  public let content: RDBDigest
  /// A hash's fields that expire, and when; zero where none does.
  public let fieldExpiries: RDBDigest
  /// A stream's consumers that own nothing, which an older server cannot make; zero where there are none.
  public let idleConsumers: RDBDigest
  /// What a stream knows since 7.0 besides: the largest id ever deleted, and how many entries were ever
  /// added. Nil for older streams and all other types.
  public let streamCounters: RDBDigest?

  /// Whether the two values are the same data, as far as both sides tell.
  ///
  /// - Parameter fieldExpiries: whether the times at which fields of hashes expire count.
  public func isSame(as other: RDBMeaning, fieldExpiries countsExpiries: Bool = true) -> Bool {
    guard type == other.type, count == other.count, content == other.content else { return false }
    if countsExpiries, fieldExpiries != other.fieldExpiries { return false }
    guard let mine = streamCounters, let others = other.streamCounters else { return true }
    return mine == others && idleConsumers == other.idleConsumers
  }

  /// All of it but the counters that older streams do not have, in one digest. It depends on the value
  /// alone, so it can be kept in its place; of two types it says nothing.
  public var digest: RDBDigest {
    var hasher = RDBDigestHasher(domain: RDBMeaningGatherer.Domain.whole)
    hasher.append(count)
    for part in [content, fieldExpiries, idleConsumers] { hasher.append(part) }
    return hasher.finish()
  }
}

extension RDBMeaning {
  /// The meaning of a DUMP payload, which is checked as RESTORE does it.
  ///
  /// - Parameter expired: fields of hashes that expire at this time or before, in milliseconds since
  ///   1970, are left out, because a server removes them some time later.
  /// - Throws: `RDBError` for a payload that is damaged or cannot be read.
  /// - Cost: reads the value once; memory for one element of it.
  public init(payload: Span<UInt8>, withoutFieldsExpiredAt expired: Int64 = .min) throws(RDBError) {
    let contents = try DumpPayload.open(payload)
    var reader = try RDBReader(valueOf: contents.type, key: [UInt8]().span)
    reader.append(payload.extracting(contents.value))
    reader.finishInput()
    guard let meaning = try reader.readMeaning(withoutFieldsExpiredAt: expired) else {
      throw RDBError(.truncated, offset: UInt64(contents.value.upperBound))
    }
    self = meaning
  }
}

extension RDBReader {
  /// Reads the last entry's value to its end and digests what it means. Call it after `.entry` in place
  /// of `readValue`.
  ///
  /// - Returns: nil when more bytes are wanted; what has been read so far is kept.
  /// - Throws: `RDBError` on damage.
  public mutating func readMeaning(
    withoutFieldsExpiredAt expired: Int64 = .min
  ) throws(RDBError) -> RDBMeaning? {
    if phase == .value && position == entry.valueOffset {
      meaning = RDBMeaningGatherer(expired: expired)
    }
    // Only its module knows what is in it: its bytes have to do.
    if entry.type == .module { return try readModuleMeaning() }
    while true {
      let element = try nextElement()
      if element == .needsInput { return nil }
      if element == .end { return meaning.meaning(of: entry.type) }
      meaning.add(element, from: decoder, window)
    }
  }

  private mutating func readModuleMeaning() throws(RDBError) -> RDBMeaning? {
    while true {
      let step = try readValue()
      if step == .needsInput { return nil }
      var gatherer = meaning
      withValue { gatherer.addRaw($0) }
      meaning = gatherer
      if step != .chunk { return meaning.meaning(of: entry.type) }
    }
  }
}
