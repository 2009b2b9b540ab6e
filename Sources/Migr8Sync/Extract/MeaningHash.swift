// MeaningHash: 128 bits that stand for what a value means. Encodings, chunks and, where it has none, the
// order of elements do not matter.

import RDBParser
import ReplicaLink

/// Two words that stand for bytes.
struct Meaning: Equatable, Sendable {
  var low: UInt64 = 0
  var high: UInt64 = 0

  /// Adds one that may come in any order.
  mutating func add(_ other: Meaning) {
    low &+= other.low
    high &+= other.high
  }
}

/// Hashes bytes that come in any pieces. Not meant to withstand someone who looks for two values with the
/// same hash: nothing is lost but a difference in a report.
struct MeaningHash {
  private static let first: UInt64 = 0x9e37_79b9_7f4a_7c15
  private static let second: UInt64 = 0xc2b2_ae3d_27d4_eb4f

  private var low: UInt64
  private var high: UInt64
  /// Bytes that do not fill a word yet.
  private var partial: UInt64 = 0
  private var partialCount: UInt64 = 0
  private var length: UInt64 = 0

  /// - Parameter seed: what is hashed, so that the same bytes in another place mean something else.
  init(seed: UInt64) {
    low = Self.mixed(seed, Self.first)
    high = Self.mixed(seed, Self.second)
  }

  /// Continues with bytes.
  mutating func update(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { update($0) }
  }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    length &+= UInt64(bytes.count)
    var index = 0
    if partialCount == 0 {
      while index + 8 <= bytes.count {
        word(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        index += 8
      }
    }
    while index < bytes.count {
      partial |= UInt64(bytes[index]) << (8 * partialCount)
      partialCount += 1
      if partialCount == 8 {
        word(partial)
        (partial, partialCount) = (0, 0)
      }
      index += 1
    }
  }

  /// Continues with a number, which ends the bytes before it.
  mutating func update(_ number: UInt64) {
    endBytes()
    word(number)
  }

  /// Ends a run of bytes: what follows is another one.
  mutating func endBytes() {
    word(partial)
    word(length)
    (partial, partialCount, length) = (0, 0, 0)
  }

  /// The hash of all so far.
  func finished() -> Meaning {
    var copy = self
    copy.endBytes()
    return Meaning(
      low: Self.mixed(copy.low ^ copy.high, Self.second),
      high: Self.mixed(copy.high, Self.first &+ copy.low))
  }

  @inline(__always)
  private mutating func word(_ word: UInt64) {
    low = Self.mixed(low ^ word, Self.first)
    high = (high ^ word) &* Self.second
    high ^= high >> 29
  }

  /// Both halves of a product, folded.
  @inline(__always)
  private static func mixed(_ one: UInt64, _ other: UInt64) -> UInt64 {
    let product = (one ^ 0x5851_f42d_4c95_7f2d).multipliedFullWidth(by: other | 1)
    return product.high ^ product.low &+ one
  }
}

/// The meaning of a value, from its elements.
struct ValueMeaning {
  private var ordered = MeaningHash(seed: 0)
  private var unordered = Meaning()
  private var count: UInt64 = 0
  private var isStringBegun = false

  /// Reads the value of the last entry.
  static func read(
    _ type: RDBType, from snapshot: inout SnapshotReader
  ) throws(ReplayError) -> Meaning {
    var meaning = ValueMeaning()
    if type.kind == .module { return try raw(from: &snapshot) }
    while true {
      let element = try snapshot.nextElement()
      if case .end = element { return meaning.finished() }
      meaning.add(element, snapshot.reader)
    }
  }

  /// Of a value whose insides only a module knows: its bytes.
  private static func raw(from snapshot: inout SnapshotReader) throws(ReplayError) -> Meaning {
    var hash = MeaningHash(seed: 1)
    var step = RDBValueStep.chunk
    while step == .chunk {
      step = try snapshot.readValue()
      snapshot.withValue { hash.update($0) }
    }
    return hash.finished()
  }

  private mutating func add(_ element: RDBElement, _ reader: borrowing RDBReader) {
    switch element {
    case .string:
      reader.withElement { ordered.update($0) }
    case .listItem:
      reader.withElement { ordered.update($0) }
      ordered.endBytes()
    case .setMember:
      var hash = MeaningHash(seed: 2)
      reader.withElement { hash.update($0) }
      addUnordered(hash)
    case .sortedSetMember(let score):
      var hash = MeaningHash(seed: 3)
      reader.withElement { hash.update($0) }
      // The two zeros are one score.
      hash.update(score == 0 ? 0 : score.bitPattern)
      addUnordered(hash)
    case .hashField(let expiry):
      var hash = MeaningHash(seed: 4)
      reader.withElement { hash.update($0) }
      hash.endBytes()
      reader.withElementValue { hash.update($0) }
      hash.update(UInt64(bitPattern: expiry ?? -1))
      addUnordered(hash)
    case .arrayItem(let index):
      ordered.update(index)
      reader.withElement { ordered.update($0) }
      ordered.endBytes()
    default: addStream(element, reader)
    }
  }

  private mutating func addUnordered(_ hash: MeaningHash) {
    unordered.add(hash.finished())
    count += 1
  }

  /// What clients can see of a stream; the counters that only newer versions keep, and the times at which
  /// consumers were seen, are left out.
  private mutating func addStream(_ element: RDBElement, _ reader: borrowing RDBReader) {
    switch element {
    case .streamEntry(let id, let fieldCount):
      add(id)
      for index in 0..<fieldCount {
        reader.withElementField(index) { name, value in
          ordered.update(name)
          ordered.endBytes()
          ordered.update(value)
          ordered.endBytes()
        }
      }
    case .streamInfo: add(reader.streamInfo.lastID)
    case .streamGroup(let group):
      reader.withElement { ordered.update($0) }
      ordered.update(5)
      add(group.lastID)
    case .streamPending(let pending):
      add(pending.id)
      ordered.update(UInt64(bitPattern: pending.deliveryMilliseconds))
      ordered.update(pending.deliveries)
    case .streamConsumer:
      reader.withElement { ordered.update($0) }
      ordered.update(6)
    case .streamOwned(let id): add(id)
    case .streamReturned(let id):
      ordered.update(7)
      add(id)
    default: break
    }
  }

  private mutating func add(_ id: RDBStreamID) {
    ordered.update(id.milliseconds)
    ordered.update(id.sequence)
  }

  private func finished() -> Meaning {
    var hash = ordered
    hash.update(count)
    hash.update(unordered.low)
    hash.update(unordered.high)
    return hash.finished()
  }
}
