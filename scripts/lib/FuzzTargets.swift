// What libFuzzer runs, compiled by scripts/fuzz together with the sources of RDBParser and
// FuzzReading.swift. Each target turns the fuzzer's bytes into input for the reader and holds two
// readings of it against each other. A disagreement traps, as does any fault of the reader.
//
//     input:  mode, cut   form (blob targets only)   the bytes that are read

import Glibc

/// The target, chosen by the environment once.
private let target = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? "file"

/// Called by libFuzzer once, so that no run pays for what is made on first use.
@c(LLVMFuzzerInitialize)
public func fuzzInitialize(
  _ argc: UnsafeMutablePointer<CInt>, _ argv: UnsafeMutableRawPointer
) -> CInt {
  _ = target
  _ = RDBReader()
  return 0
}

/// The entry libFuzzer calls with each input.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: size)
  if target.hasPrefix("canary") {
    if input.starts(with: "FZ".utf8) { dieAsCanary(size: Int(input[0] & 7) + 2) }
    return 0
  }
  if target == "cuts" {
    cutEverywhere(input)
    return 0
  }
  guard let plan = Plan(input) else { return 0 }
  let bytes = UnsafeBufferPointer(rebasing: input[Plan.length...])
  switch target {
  case "file": compare(bytes, as: nil, plan)
  case "value": fuzzValue(bytes, plan)
  case "lzf": fuzzLZF(bytes, plan)
  case "dump": fuzzDump(bytes, plan)
  case "intset": fuzzBlob(bytes, plan, types: [11]) { makeIntset($0) }
  case "zipmap": fuzzBlob(bytes, plan, types: [9]) { makeZipmap($0) }
  case "ziplist":
    fuzzBlob(bytes, plan, types: [10, 12, 13, 14]) { makePacked($0, header: 10, countAt: 8) }
  case "listpack":
    fuzzBlob(bytes, plan, types: [16, 17, 18, 20, 25]) { makePacked($0, header: 6, countAt: 4) }
  case "stream":
    fuzzBlob(bytes, plan, types: [15, 19, 21, 26, 27]) { makePacked($0, header: 6, countAt: 4) }
  default: preconditionFailure("no target \(target)")
  }
  return 0
}

/// Targets that must fail: they show that a trap is noticed, and a read of one byte too many. `size` is
/// 8, and not known when this is compiled, so that the read is not seen to be wrong and left out.
private func dieAsCanary(size: Int) {
  precondition(target != "canary-trap", "the canary")
  let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
  defer { memory.deallocate() }
  let byte = memory.load(fromByteOffset: size, as: UInt8.self)
  // What is read has to matter, or it is not read at all.
  if byte == 1 && getenv("FUZZ_TARGET") == nil { exit(0) }
}

/// Reads twice, as the plan has it, and compares.
private func compare(_ bytes: UnsafeBufferPointer<UInt8>, as type: RDBType?, _ plan: Plan) {
  let portions = plan.portions(of: bytes.count)
  switch plan.pair {
  case .portions(let level):
    let first = read(bytes, as: type, plan, .whole, level)
    precondition(read(bytes, as: type, plan, portions, level) == first, "portions matter: \(level)")
  case .levels: compareLevels(bytes, as: type, plan, portions)
  case .rewriting:
    guard type == nil else { return compareLevels(bytes, as: type, plan, portions) }
    guard let rewritten = rewrite(bytes, plan) else { return }
    let first = read(bytes, as: nil, plan, .whole, .elements)
    let second = rewritten.withUnsafeBufferPointer {
      read($0, as: nil, plan, portions, .elements)
    }
    precondition(
      first?.error?.code == second?.error?.code && first?.entries == second?.entries,
      "what is written anew ends otherwise")
    precondition(
      first?.error != nil || first?.contents == second?.contents,
      "what is written anew reads otherwise")
  }
}

private func compareLevels(
  _ bytes: UnsafeBufferPointer<UInt8>, as type: RDBType?, _ plan: Plan, _ portions: Portions
) {
  guard let raw = read(bytes, as: type, plan, .whole, .raw),
    let skipped = read(bytes, as: type, plan, portions, .skipped),
    let elements = read(bytes, as: type, plan, portions, .elements),
    let commands = read(bytes, as: type, plan, .whole, .commands)
  else { return }
  precondition(
    skipped.entries == raw.entries && skipped.error?.code == raw.error?.code,
    "passing over finds other ends")
  if elements.error == nil {
    precondition(raw.error == nil, "sound inside and not outside")
    // Modules and arrays have no commands.
    precondition(
      commands.error == nil
        ? commands.entries == raw.entries : commands.error?.code == .unsupportedType,
      "elements have no commands")
  } else {
    precondition(commands.error != nil, "damaged elements have commands")
  }
}

/// Not fuzzing: a file as it is, in two parts, for every place between them.
private func cutEverywhere(_ file: UnsafeBufferPointer<UInt8>) {
  for (level, plan) in [
    (Level.raw, Plan(holdsValues: true)), (.elements, Plan(holdsValues: false)),
  ] {
    let whole = read(file, as: nil, plan, .whole, level)
    for cut in 1..<max(file.count, 1) {
      let parts = read(file, as: nil, plan, Portions(first: cut), level)
      precondition(parts == whole, "\(level) cut at \(cut)")
    }
  }
}

private let types: [UInt8] = [
  0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
  28,
]

/// The first byte picks a type, the rest is a value's raw bytes.
private func fuzzValue(_ bytes: UnsafeBufferPointer<UInt8>, _ plan: Plan) {
  guard let first = bytes.first else { return }
  let family: RDBFamily = first & 128 == 0 ? .redis : .valkey
  let type = RDBType(rawValue: types[Int(first & 127) % types.count], family: family)
  compare(UnsafeBufferPointer(rebasing: bytes[1...]), as: type, plan)
}

// MARK: Packed values

/// The first byte picks one of `types`, the second how many of the last bytes stand behind the
/// packed value instead of in it. `make` puts right its sizes, count and end mark; file, value and
/// checksum around it are sound, so that damage lies deep.
private func fuzzBlob(
  _ bytes: UnsafeBufferPointer<UInt8>, _ plan: Plan, types: [UInt8],
  _ make: ([UInt8]) -> [UInt8]?
) {
  guard bytes.count >= 2 else { return }
  let type = types[Int(bytes[0]) % types.count]
  let isStream = target == "stream"
  let tailLength = isStream ? min(Int(bytes[1]), bytes.count - 2) : 0
  let insideEnd = bytes.count - tailLength
  guard let inside = make([UInt8](bytes[2..<insideEnd])), inside.count <= 65535 else { return }
  var value: [UInt8] = []
  value.reserveCapacity(inside.count + 300)
  switch type {
  case 14: value = [1]
  case 18: value = [1, 2]
  case 25: value = [UInt8](repeating: 1, count: 8)
  case 15, 19, 21, 26, 27: value = [1, 16] + [UInt8](repeating: 0, count: 16)
  default: break
  }
  value += [0x80, 0, 0, UInt8(inside.count >> 8), UInt8(inside.count & 255)]
  value += inside
  if isStream {
    // What follows the entries: the fuzzer's own, or nothing but zeros.
    value += bytes[insideEnd...]
    if tailLength == 0 { value += [UInt8](repeating: 0, count: type == 15 ? 4 : 9) }
    if tailLength == 0 && type >= 26 { value += [0, 0, 0, 0, 0] }
  }
  var writer = RDBWriter(header: RDBHeader(family: .redis, version: RDBHeader.redisVersionMax))
  let key: InlineArray<1, UInt8> = [107]
  do throws(RDBError) {
    try writer.entry(RDBEntry(type: RDBType(rawValue: type)), key: key.span)
  } catch {
    preconditionFailure("the writer refuses type \(type)")
  }
  writer.value(value.span)
  writer.end()
  writer.withOutput { file in
    file.withUnsafeBufferPointer { file in
      compare(file, as: nil, plan)
      if !isStream && plan.checksFraming {
        precondition(read(file, as: nil, plan, .whole, .raw)?.error == nil, "the framing is sound")
      }
    }
  }
}

/// A ziplist or listpack: size in front, end mark behind, and now and then a count of "walk it".
private func makePacked(_ bytes: [UInt8], header: Int, countAt place: Int) -> [UInt8]? {
  guard bytes.count >= header else { return nil }
  var inside = bytes
  inside.append(255)
  for index in 0..<4 { inside[index] = UInt8(truncatingIfNeeded: inside.count >> (8 * index)) }
  // Mostly "walk to the end", so that the count does not hide the rest.
  if inside[place] & 1 == 0 {
    inside[place] = 255
    inside[place + 1] = 255
  }
  return inside
}

private func makeZipmap(_ bytes: [UInt8]) -> [UInt8]? { bytes + [255] }

private func makeIntset(_ bytes: [UInt8]) -> [UInt8]? {
  guard bytes.count >= 8 else { return nil }
  let width = [2, 4, 8][Int(bytes[0]) % 3]
  let count = (bytes.count - 8) / width
  var inside = Array(bytes[..<(8 + width * count)])
  // Half of them with a count that is right.
  for index in 0..<(bytes[0] & 128 == 0 ? 8 : 4) {
    inside[index] = UInt8(truncatingIfNeeded: (index < 4 ? width : count) >> (8 * (index % 4)))
  }
  return inside
}

// MARK: LZF and DUMP

/// Two bytes of size, then LZF data: decoded at once and in pieces.
private func fuzzLZF(_ bytes: UnsafeBufferPointer<UInt8>, _ plan: Plan) {
  guard bytes.count >= 2 else { return }
  let size = Int(bytes[0]) | Int(bytes[1]) << 8
  let input = UnsafeBufferPointer(rebasing: bytes[2...])
  guard input.count <= 65535 else { return }
  // Memory of exactly this size: the sanitizer sees the first byte beyond it.
  let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
  let source = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 1)
  defer {
    whole.deallocate()
    source.deallocate()
  }
  source.copyBytes(from: input)
  let isSound = LZF.decompress(UnsafeRawBufferPointer(source), into: whole)
  precondition(
    !isSound || LZF.isPlausible(compressed: UInt64(input.count), original: UInt64(size)),
    "the ratio is no bound")
  var value: [UInt8] = [0xC3, 0x80, 0, 0, UInt8(input.count >> 8), UInt8(input.count & 255)]
  value += [0x80, 0, 0, bytes[1], bytes[0]]
  value += input
  value.withUnsafeBufferPointer { value in
    let portions = plan.portions(of: value.count)
    guard let pieces = read(value, as: .string, plan, portions, .elements) else { return }
    precondition((pieces.error == nil) == isSound, "decoding in pieces differs")
    guard isSound else { return }
    var expected = Outcome()
    expected.add(Span(_unsafeBytes: UnsafeRawBufferPointer(whole)))
    precondition(expected.contents == pieces.contents, "decoding in pieces gives other bytes")
  }
}

/// A DUMP payload, as it is and with its checksum made right.
private func fuzzDump(_ bytes: UnsafeBufferPointer<UInt8>, _ plan: Plan) {
  do throws(RDBError) {
    _ = try DumpPayload.open(Span(_unsafeElements: bytes))
  } catch {
    precondition(error.offset <= UInt64(bytes.count), "an error beyond the payload")
  }
  guard bytes.count > DumpPayload.footerLength else { return }
  var payload = [UInt8](bytes.dropLast(8))
  let sum = CRC64.update(0, payload.span)
  for index in 0..<8 { payload.append(UInt8(truncatingIfNeeded: sum >> UInt64(8 * index))) }
  do throws(RDBError) {
    let contents = try DumpPayload.open(payload.span)
    payload.withUnsafeBufferPointer {
      compare(UnsafeBufferPointer(rebasing: $0[contents.value]), as: contents.type, plan)
    }
  } catch {
    precondition(error.code == .malformedPayload, "a right checksum is refused")
  }
}
