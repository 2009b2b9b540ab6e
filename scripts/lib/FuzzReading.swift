// How scripts/fuzz reads an input: at one level, in portions, twice. What the two readings gave must
// agree; with what, the input's first two bytes say, so that one run costs two readings and the
// fuzzer itself chooses among the pairs.

import Glibc

/// What a reading is about.
enum Level: UInt8 {
  case raw
  case elements
  case commands
  case whole
  case skipped
}

/// How the bytes of an input are given to a reader.
struct Portions {
  var first = Int.max
  var others = Int.max

  static let whole = Portions()
}

/// What the first two bytes of an input choose.
struct Plan {
  static let length = 2

  private let mode: UInt8
  private let cut: UInt8

  /// Nil when the input is too short to say.
  init?(_ input: UnsafeBufferPointer<UInt8>) {
    guard input.count >= Self.length else { return nil }
    mode = input[0]
    cut = input[1]
  }

  /// For inputs that do not say: values of up to 64 bytes come whole, or up to 1 MB.
  init(holdsValues: Bool) {
    mode = holdsValues ? 32 : 0
    cut = 0
  }

  /// Which pair of readings is compared.
  enum Pair {
    case portions(Level)
    /// What is sound inside is sound outside, and passing over finds the same ends.
    case levels
    /// A file that is written anew says the same.
    case rewriting
  }

  var pair: Pair {
    switch mode & 7 {
    case 0: .portions(.raw)
    case 1, 2: .portions(.elements)
    case 3: .portions(.commands)
    case 4: .portions(.whole)
    case 5: .portions(.skipped)
    case 6: .levels
    default: .rewriting
    }
  }

  /// How the second reading of a pair gets its bytes.
  func portions(of count: Int) -> Portions {
    switch mode >> 3 & 3 {
    case 0: Portions(first: 1, others: 1)
    case 1: Portions(first: 7, others: 7)
    case 2: Portions(first: 1 + Int(cut) % 64, others: 1 + Int(cut) % 64)
    default: Portions(first: 1 + Int(cut) * count / 256, others: .max)
    }
  }

  var options: RDBReaderOptions {
    var options = RDBReaderOptions()
    options.inlineValueLimit = mode & 32 == 0 ? 64 : 1 << 20
    options.elementLengthMax = 1 << 20
    options.wholeValueLimit = 1 << 20
    options.verifiesChecksum = mode & 64 == 0
    options.unknownTypeEndsRead = mode & 128 != 0
    return options
  }

  var commandElementsMax: Int { mode & 32 == 0 ? 3 : 512 }

  /// Now and then: a third reading.
  var checksFraming: Bool { cut & 15 == 0 }
}

/// What a reading gave, in short, and how it ended.
struct Outcome: Equatable {
  /// Of all bytes and events; the same wherever the bytes of one thing are split.
  var contents: UInt64 = 0xCBF2_9CE4_8422_2325
  /// The same for offsets.
  var places: UInt64 = 0
  var entries = 0
  var values: [RDBValue] = []
  var error: RDBError?

  /// Before damage is found more or less may have been handed out, as portions have it.
  static func == (left: Outcome, right: Outcome) -> Bool {
    left.error == right.error && left.entries == right.entries
      && (left.error != nil || (left.contents == right.contents && left.places == right.places))
      && (left.error != nil || left.values == right.values)
  }

  mutating func add(_ bytes: Span<UInt8>) {
    var hash = contents
    for index in bytes.indices {
      hash = (hash ^ UInt64(bytes[unchecked: index])) &* 0x0000_0100_0000_01B3
    }
    contents = hash
  }

  mutating func add(_ number: UInt64) {
    contents = (contents ^ number ^ number >> 29) &* 0x9E37_79B9_7F4A_7C15
  }

  mutating func add(place: UInt64) { places = (places ^ place) &* 0x9E37_79B9_7F4A_7C15 }
}

/// Hands a reader its input.
private struct Feed {
  let bytes: UnsafeBufferPointer<UInt8>
  let portions: Portions
  var given = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>, _ portions: Portions) {
    self.bytes = bytes
    self.portions = portions
  }

  mutating func next(_ reader: inout RDBReader) {
    let portion = given == 0 ? portions.first : portions.others
    let count = min(portion, bytes.count - given)
    if count == 0 { return reader.finishInput() }
    reader.append(
      Span(_unsafeElements: UnsafeBufferPointer(rebasing: bytes[given..<(given + count)])))
    given += count
  }
}

/// Reads a file, or the bare value of a type, at one level; nil for a type that cannot be read.
func read(
  _ bytes: UnsafeBufferPointer<UInt8>, as type: RDBType?, _ plan: Plan, _ portions: Portions,
  _ level: Level
) -> Outcome? {
  var outcome = Outcome()
  var feed = Feed(bytes, portions)
  var reader: RDBReader
  if let type {
    guard let bare = try? bareReader(type, plan) else { return nil }
    reader = bare
  } else {
    reader = RDBReader(options: plan.options)
  }
  reader.commandOptions.commandElementsMax = plan.commandElementsMax
  reader.commandOptions.streamBytesHeldMax = plan.options.inlineValueLimit
  do throws(RDBError) {
    if type != nil { try readValue(&reader, level, &outcome, &feed) }
    while try step(&reader, level, &outcome, &feed) {}
  } catch {
    outcome.error = error
  }
  return outcome
}

private func bareReader(_ type: RDBType, _ plan: Plan) throws(RDBError) -> RDBReader {
  let key: InlineArray<1, UInt8> = [107]
  return try RDBReader(valueOf: type, key: key.span, options: plan.options)
}

/// One event of a file; false at its end.
private func step(
  _ reader: inout RDBReader, _ level: Level, _ outcome: inout Outcome, _ feed: inout Feed
) throws(RDBError) -> Bool {
  switch try reader.next() {
  case .needsInput: feed.next(&reader)
  case .entry(let entry):
    outcome.entries += 1
    outcome.add(place: entry.offset)
    outcome.add(UInt64(truncatingIfNeeded: entry.database))
    outcome.add(UInt64(bitPattern: entry.expiryMilliseconds ?? 0))
    outcome.add(UInt64(entry.type.rawValue))
    reader.withKey { outcome.add($0) }
    try readValue(&reader, level, &outcome, &feed)
  case .auxiliary:
    reader.withAuxiliary { name, value in
      outcome.add(place: UInt64(name.count))
      outcome.add(place: UInt64(value.count))
    }
  case .function: reader.withFunction { outcome.add(place: UInt64($0.count)) }
  case .end(let trailer):
    outcome.add(place: trailer.length)
    return false
  default: break
  }
  return true
}

private func readValue(
  _ reader: inout RDBReader, _ level: Level, _ outcome: inout Outcome, _ feed: inout Feed
) throws(RDBError) {
  switch level {
  case .skipped: return
  case .raw: try readRaw(&reader, &outcome, &feed)
  case .elements: try readElements(&reader, &outcome, &feed)
  case .whole:
    while true {
      if let value = try reader.readWholeValue() { return outcome.values.append(value) }
      feed.next(&reader)
    }
  case .commands:
    while true {
      switch try reader.nextCommands() {
      case .needsInput: feed.next(&reader)
      case .commands:
        reader.withCommands { precondition(!$0.isEmpty, "no commands") }
        // A long string is cut into commands as it arrives: only theirs depend on portions.
        if reader.commandStringLength == 0 { reader.withCommands { outcome.add($0) } }
      case .end: return
      }
    }
  }
}

private func readRaw(
  _ reader: inout RDBReader, _ outcome: inout Outcome, _ feed: inout Feed
) throws(RDBError) {
  while true {
    let step = try reader.readValue()
    if step == .needsInput {
      feed.next(&reader)
      continue
    }
    reader.withValue { outcome.add($0) }
    if step != .chunk { return }
  }
}

private func readElements(
  _ reader: inout RDBReader, _ outcome: inout Outcome, _ feed: inout Feed
) throws(RDBError) {
  while true {
    let element = try reader.nextElement()
    switch element {
    case .needsInput: feed.next(&reader)
    case .end: return
    case .hashField(let expiry):
      outcome.add(UInt64(bitPattern: expiry ?? -1))
      reader.withElement { outcome.add($0) }
      reader.withElementValue { outcome.add($0) }
    case .sortedSetMember(let score):
      outcome.add(score.bitPattern)
      reader.withElement { outcome.add($0) }
    case .streamEntry(let id, let count):
      outcome.add(id.sequence)
      for index in 0..<count {
        reader.withElementField(index) {
          outcome.add($0)
          outcome.add($1)
        }
      }
    case .string: reader.withElement { outcome.add($0) }
    case .listItem, .setMember, .arrayItem, .streamGroup, .streamConsumer:
      outcome.add(1)
      reader.withElement { outcome.add($0) }
    case .streamPending(let pending): outcome.add(pending.id.sequence)
    case .streamOwned(let id), .streamReturned(let id): outcome.add(id.sequence)
    case .streamInfo, .streamGroupEnd, .module: outcome.add(2)
    }
  }
}

/// Writes the entries of a sound file anew. Nil when the writer refuses a type, as it must when no
/// version holds it.
func rewrite(_ bytes: UnsafeBufferPointer<UInt8>, _ plan: Plan) -> [UInt8]? {
  var reader = RDBReader(options: plan.options)
  var feed = Feed(bytes, .whole)
  var writer = RDBWriter(header: RDBHeader(family: .redis, version: RDBHeader.redisVersionMax))
  do throws(RDBError) {
    while true {
      switch try reader.next() {
      case .needsInput: feed.next(&reader)
      case .header(let header) where header.family == .valkey:
        writer = RDBWriter(header: header)
      case .entry(let entry):
        try reader.withKey { key throws(RDBError) in try writer.entry(entry, key: key) }
        while true {
          let step = try reader.readValue()
          reader.withValue { writer.value($0) }
          if step == .whole || step == .lastChunk { break }
          if step == .needsInput { feed.next(&reader) }
        }
      case .end:
        writer.end()
        return writer.withOutput { span in span.withUnsafeBufferPointer { [UInt8]($0) } }
      default: continue
      }
    }
  } catch {
    return nil
  }
}
