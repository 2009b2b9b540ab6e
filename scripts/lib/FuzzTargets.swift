// What libFuzzer runs, compiled by scripts/fuzz together with the sources of RDBParser. Each target
// turns the fuzzer's bytes into input for one reader and holds the result against a second reading:
// in other portions, or at another level. A disagreement traps, as does any fault of the reader.

import Glibc

/// The target, chosen by the environment once.
private let target = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? "file"

/// The entry libFuzzer calls with each input.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = [UInt8](UnsafeBufferPointer(start: data, count: size))
  switch target {
  case "value": fuzzValue(bytes)
  case "framed": fuzzFramed(bytes)
  case "lzf": fuzzLZF(bytes)
  case "dump": fuzzDump(bytes)
  // A target that must fail: it shows that a trap is noticed.
  case "canary": precondition(!bytes.starts(with: [0x46, 0x5A]), "the canary")
  default: fuzzFile(bytes)
  }
  return 0
}

private func options() -> RDBReaderOptions {
  var options = RDBReaderOptions()
  options.inlineValueLimit = 64
  options.elementLengthMax = 1 << 20
  options.wholeValueLimit = 1 << 20
  return options
}

/// What a reading gave, in short: a hash of all bytes and events, and how it ended.
private struct Outcome: Equatable {
  var hash: UInt64 = 0
  var entries = 0
  var error: RDBError?

  /// Before damage is found more or less may have been handed out, as portions have it.
  static func == (left: Outcome, right: Outcome) -> Bool {
    left.error == right.error && left.entries == right.entries
      && (left.error != nil || left.hash == right.hash)
  }

  mutating func add(_ bytes: Span<UInt8>) { hash = CRC64.update(hash, bytes) }
  mutating func add(_ number: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      hash = CRC64.update(hash, UInt8(truncatingIfNeeded: number >> shift))
    }
  }
}

private enum Level { case raw, elements, commands, skipped }

/// Reads a whole file at one level, fed in portions.
private func read(_ file: [UInt8], portion: Int, _ level: Level) -> Outcome {
  var reader = RDBReader(options: options())
  reader.commandOptions.commandElementsMax = 7
  return read(&reader, file, portion: portion, level, isBare: false)
}

private func read(
  _ reader: inout RDBReader, _ file: [UInt8], portion: Int, _ level: Level, isBare: Bool
) -> Outcome {
  var outcome = Outcome()
  var given = 0
  func feed(_ reader: inout RDBReader) {
    let count = min(portion, file.count - given)
    if count == 0 { return reader.finishInput() }
    reader.append(file.span.extracting(given..<(given + count)))
    given += count
  }
  do throws(RDBError) {
    if isBare { try readValue(&reader, level, &outcome, feed) }
    while true {
      switch try reader.next() {
      case .needsInput: feed(&reader)
      case .entry(let entry):
        outcome.entries += 1
        outcome.add(entry.offset)
        reader.withKey { outcome.add($0) }
        try readValue(&reader, level, &outcome, feed)
      case .auxiliary:
        reader.withAuxiliary { name, value in
          outcome.add(name)
          outcome.add(value)
        }
      case .function: reader.withFunction { outcome.add($0) }
      case .end(let trailer):
        outcome.add(trailer.length)
        return outcome
      default: continue
      }
    }
  } catch {
    outcome.error = error
  }
  return outcome
}

private func readValue(
  _ reader: inout RDBReader, _ level: Level, _ outcome: inout Outcome,
  _ feed: (inout RDBReader) -> Void
) throws(RDBError) {
  while true {
    switch level {
    case .skipped: return
    case .raw:
      let step = try reader.readValue()
      if step == .needsInput {
        feed(&reader)
        continue
      }
      reader.withValue { outcome.add($0) }
      if step != .chunk { return }
    case .elements:
      switch try reader.nextElement() {
      case .needsInput: feed(&reader)
      case .end: return
      case .hashField:
        reader.withElement { outcome.add($0) }
        reader.withElementValue { outcome.add($0) }
      case .sortedSetMember(let score):
        outcome.add(score.bitPattern)
        reader.withElement { outcome.add($0) }
      case .streamEntry(let id, let count):
        outcome.add(id.sequence)
        for index in 0..<count {
          reader.withElementField(index) {
            outcome.add($0); outcome.add($1)
          }
        }
      case .string, .listItem, .setMember, .arrayItem: reader.withElement { outcome.add($0) }
      default: break
      }
    case .commands:
      switch try reader.nextCommands() {
      case .needsInput: feed(&reader)
      case .commands: reader.withCommands { outcome.add($0) }
      case .end: return
      }
    }
  }
}

/// A file as it is, at every level and in two portions.
private func fuzzFile(_ bytes: [UInt8]) {
  let raw = read(bytes, portion: .max, .raw)
  precondition(read(bytes, portion: 7, .raw) == raw, "raw reading depends on portions")
  let skipped = read(bytes, portion: 11, .skipped)
  precondition(skipped.entries == raw.entries && skipped.error?.code == raw.error?.code)
  let elements = read(bytes, portion: .max, .elements)
  precondition(read(bytes, portion: 7, .elements) == elements, "elements depend on portions")
  let commands = read(bytes, portion: 100, .commands)
  // What is sound inside is sound outside.
  if elements.error == nil {
    precondition(raw.error == nil)
    // Modules and arrays have no commands.
    precondition(
      commands.error == nil
        ? commands.entries == raw.entries
        : commands.error?.code == .unsupportedType)
  }
}

private let types: [UInt8] = [
  0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
  28,
]

/// The first byte picks a type, the rest is a value's raw bytes.
private func fuzzValue(_ bytes: [UInt8]) {
  guard let first = bytes.first else { return }
  let family: RDBFamily = first & 128 == 0 ? .redis : .valkey
  let type = RDBType(rawValue: types[Int(first & 127) % types.count], family: family)
  readBare(type, Array(bytes.dropFirst()))
}

private func readBare(_ type: RDBType, _ value: [UInt8]) {
  let first = readBare(type, value, portion: .max, .elements)
  precondition(readBare(type, value, portion: 5, .elements) == first, "elements: portions matter")
  let raw = readBare(type, value, portion: .max, .raw)
  precondition(readBare(type, value, portion: 5, .raw) == raw, "raw: portions matter")
  _ = readBare(type, value, portion: 9, .commands)
}

/// Reads a bare value; nil for a type that cannot be read.
private func readBare(
  _ type: RDBType, _ value: [UInt8], portion: Int, _ level: Level
) -> Outcome? {
  do throws(RDBError) {
    var reader = try RDBReader(valueOf: type, key: [107].span, options: options())
    return read(&reader, value, portion: portion, level, isBare: true)
  } catch {
    return nil
  }
}

/// The first byte picks a packed type; the rest becomes its insides, with sizes, end mark, framing
/// and checksum made right, so that damage lies deep.
private func fuzzFramed(_ bytes: [UInt8]) {
  let packed: [UInt8] = [9, 10, 11, 12, 13, 16, 17, 20, 25, 15]
  guard let first = bytes.first else { return }
  let type = packed[Int(first) % packed.count]
  var inside = Array(bytes.dropFirst())
  switch type {
  case 9: inside.append(255)
  case 10, 12, 13:
    if inside.count < 10 { return }
    setSize(&inside, inside.count + 1, countAt: 8)
    inside.append(255)
  case 11:
    if inside.count < 8 { return }
    let width = [2, 4, 8][Int(inside[0]) % 3]
    let count = (inside.count - 8) / width
    inside = Array(inside[..<(8 + width * count)])
    for index in 0..<8 {
      inside[index] = UInt8(truncatingIfNeeded: (index < 4 ? width : count) >> (8 * (index % 4)))
    }
  default:
    if inside.count < 6 { return }
    setSize(&inside, inside.count + 1, countAt: 4)
    inside.append(255)
  }
  var writer = RDBWriter(header: RDBHeader(family: .redis, version: 12))
  let entry = RDBEntry(type: RDBType(rawValue: type))
  guard (try? writer.entry(entry, key: [107].span)) != nil else { return }
  var value: [UInt8] = type == 25 ? [UInt8](repeating: 0, count: 8) : []
  if type == 15 { value += [1, 16] + [UInt8](repeating: 0, count: 16) }
  value += [0x80, 0, 0, UInt8(inside.count >> 8 & 255), UInt8(inside.count & 255)] + inside
  if type == 15 { value += [0, 0, 0, 0] }
  if inside.count > 65535 { return }
  writer.value(value.span)
  writer.end()
  let file = writer.withOutput { span in span.withUnsafeBufferPointer { [UInt8]($0) } }
  fuzzFile(file)
  precondition(read(file, portion: .max, .raw).error == nil, "the framing is sound")
}

private func setSize(_ bytes: inout [UInt8], _ size: Int, countAt place: Int) {
  for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: size >> (8 * index)) }
  // Mostly "walk to the end", so that the count does not hide the rest.
  if bytes[place] & 1 == 0 {
    bytes[place] = 255
    bytes[place + 1] = 255
  }
}

/// Two bytes of size, then LZF data: decoded at once and in pieces.
private func fuzzLZF(_ bytes: [UInt8]) {
  guard bytes.count >= 2 else { return }
  let size = Int(bytes[0]) | Int(bytes[1]) << 8
  let input = Array(bytes.dropFirst(2))
  var whole = [UInt8](repeating: 0, count: size)
  var span = whole.mutableSpan
  let isSound = LZF.decompress(input.span, into: &span)
  guard LZF.isPlausible(compressed: UInt64(input.count), original: UInt64(size)) else {
    precondition(!isSound || size == 0, "the ratio is no bound")
    return
  }
  var value: [UInt8] = [0xC3, 0x80, 0, 0, UInt8(input.count >> 8 & 255), UInt8(input.count & 255)]
  if input.count > 65535 { return }
  value += [0x80, 0, 0, bytes[1], bytes[0]] + input
  guard let pieces = readBare(.string, value, portion: 13, .elements) else { return }
  precondition((pieces.error == nil) == isSound, "decoding in pieces differs")
  if isSound {
    var expected = Outcome()
    expected.add(whole.span)
    expected.add(UInt64(value.count))
    precondition(expected.hash == pieces.hash, "decoding in pieces gives other bytes")
  }
}

/// A DUMP payload, as it is and with its checksum made right.
private func fuzzDump(_ bytes: [UInt8]) {
  _ = try? DumpPayload.open(bytes.span)
  guard bytes.count > DumpPayload.footerLength else { return }
  var payload = Array(bytes.dropLast(8))
  let sum = CRC64.update(0, payload.span)
  for index in 0..<8 { payload.append(UInt8(truncatingIfNeeded: sum >> UInt64(8 * index))) }
  guard let contents = try? DumpPayload.open(payload.span) else { return }
  readBare(contents.type, Array(payload[contents.value]))
}
