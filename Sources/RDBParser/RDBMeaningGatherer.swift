// From the elements of a value to the digest of its meaning, one element at a time.
//
// Members of sets, sorted sets and hashes are digested one by one and added up; what has an order
// (strings, lists, entries of streams) goes through one hasher. Groups of streams are sums, too: of
// their pending entries, and of who owns them.

/// Digests one value.
struct RDBMeaningGatherer: Sendable {
  enum Domain {
    static let ordered: UInt64 = 1
    static let member: UInt64 = 2
    static let expiry: UInt64 = 3
    static let group: UInt64 = 4
    static let pending: UInt64 = 5
    static let owned: UInt64 = 6
    static let returned: UInt64 = 7
    static let idle: UInt64 = 8
    static let counters: UInt64 = 9
    static let whole: UInt64 = 10
  }

  private let expired: Int64
  private var count: UInt64 = 0
  private var ordered = RDBDigestHasher(domain: Domain.ordered)
  private var sum = RDBDigest.zero
  private var expiries = RDBDigest.zero
  private var idle = RDBDigest.zero
  private var info: RDBStreamInfo?
  private var group = RDBDigest.zero
  private var consumer = RDBDigest.zero
  private var consumerOwns = true

  init(expired: Int64 = .min) {
    self.expired = expired
  }

  mutating func add(
    _ element: RDBElement, from decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) {
    switch element {
    case .string(let length, let isLast):
      decoder.withElement(input) { ordered.append($0) }
      count = length
      if isLast { ordered.endText() }
    case .listItem:
      count += 1
      decoder.withElement(input) { addText($0) }
    case .arrayItem(let index):
      count += 1
      ordered.append(index)
      decoder.withElement(input) { addText($0) }
    case .setMember:
      count += 1
      decoder.withElement(input) { sum.add(Self.digest(Domain.member, $0)) }
    case .sortedSetMember(let score):
      count += 1
      // Adding zero makes both zeros the same.
      let bits = (score + 0).bitPattern
      decoder.withElement(input) { sum.add(Self.digest(Domain.member, $0, bits)) }
    case .hashField(let expiry):
      addField(expiry, from: decoder, input)
    case .streamEntry(let id, let fieldCount):
      addEntry(id, fieldCount, from: decoder)
    case .streamInfo:
      info = decoder.stream
      append(decoder.stream.lastID)
    case .needsInput, .end, .module: break
    default: addGroup(element, from: decoder, input)
    }
  }

  /// Takes bytes as they are stored.
  mutating func addRaw(_ bytes: Span<UInt8>) {
    ordered.append(bytes)
  }

  /// The meaning, when all is added.
  func meaning(of type: RDBType) -> RDBMeaning {
    var ordered = ordered
    if type == .module { ordered.endText() }
    ordered.append(sum)
    var streamCounters: RDBDigest?
    if let info, let deleted = info.maxDeletedID, let added = info.entriesAdded {
      var hasher = RDBDigestHasher(domain: Domain.counters)
      hasher.append(deleted.milliseconds)
      hasher.append(deleted.sequence)
      hasher.append(added)
      streamCounters = hasher.finish()
    }
    return RDBMeaning(
      type: type.kind, count: count, content: ordered.finish(), fieldExpiries: expiries,
      idleConsumers: idle, streamCounters: streamCounters)
  }

  private mutating func addText(_ bytes: Span<UInt8>) {
    ordered.append(bytes)
    ordered.endText()
  }

  private mutating func append(_ id: RDBStreamID) {
    ordered.append(id.milliseconds)
    ordered.append(id.sequence)
  }

  private mutating func addField(
    _ expiry: Int64?, from decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) {
    if let expiry, expiry <= expired { return }
    count += 1
    var hasher = RDBDigestHasher(domain: Domain.member)
    decoder.withElement(input) { hasher.append($0) }
    hasher.endText()
    decoder.withSecond { hasher.append($0) }
    hasher.endText()
    sum.add(hasher.finish())
    guard let expiry else { return }
    decoder.withElement(input) {
      expiries.add(Self.digest(Domain.expiry, $0, UInt64(bitPattern: expiry)))
    }
  }

  // MARK: - Streams

  private mutating func addEntry(
    _ id: RDBStreamID, _ fieldCount: Int, from decoder: borrowing ElementDecoder
  ) {
    count += 1
    append(id)
    ordered.append(UInt64(fieldCount))
    for index in 0..<fieldCount {
      decoder.withField(index) { name, value in
        addText(name)
        addText(value)
      }
    }
  }

  private mutating func addGroup(
    _ element: RDBElement, from decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) {
    switch element {
    case .streamGroup(let info):
      decoder.withElement(input) { group = Self.digest(Domain.group, $0) }
      sum.add(Self.digest(Domain.group, group, info.lastID))
    case .streamPending(let pending):
      let time = UInt64(bitPattern: pending.deliveryMilliseconds)
      sum.add(Self.digest(Domain.pending, group, pending.id, [time, pending.deliveries]))
    case .streamConsumer:
      endConsumer()
      decoder.withElement(input) { consumer = Self.digest(Domain.owned, group, $0) }
      consumerOwns = false
    case .streamOwned(let id):
      consumerOwns = true
      sum.add(Self.digest(Domain.owned, consumer, id))
    case .streamReturned(let id):
      sum.add(Self.digest(Domain.returned, group, id))
    case .streamGroupEnd: endConsumer()
    default: break
    }
  }

  private mutating func endConsumer() {
    if !consumerOwns {
      var hasher = RDBDigestHasher(domain: Domain.idle)
      hasher.append(consumer)
      idle.add(hasher.finish())
    }
    consumerOwns = true
  }

  // MARK: - Digests of elements

  private static func digest(
    _ domain: UInt64, _ text: Span<UInt8>, _ number: UInt64? = nil
  ) -> RDBDigest {
    var hasher = RDBDigestHasher(domain: domain)
    hasher.append(text)
    hasher.endText()
    if let number { hasher.append(number) }
    return hasher.finish()
  }

  private static func digest(
    _ domain: UInt64, _ owner: RDBDigest, _ text: Span<UInt8>
  ) -> RDBDigest {
    var hasher = RDBDigestHasher(domain: domain)
    hasher.append(owner)
    hasher.append(text)
    hasher.endText()
    return hasher.finish()
  }

  private static func digest(
    _ domain: UInt64, _ owner: RDBDigest, _ id: RDBStreamID, _ numbers: [UInt64] = []
  ) -> RDBDigest {
    var hasher = RDBDigestHasher(domain: domain)
    hasher.append(owner)
    hasher.append(id.milliseconds)
    hasher.append(id.sequence)
    for number in numbers { hasher.append(number) }
    return hasher.finish()
  }
}
