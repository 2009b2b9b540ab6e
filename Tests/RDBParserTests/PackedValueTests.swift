// Packed values made by hand: each encoding of each form at its limits, and each way to be damaged.

import RDBParser
import Testing

struct PackedValueTests {
  private func value(_ file: [UInt8]) -> RDBValue? {
    let whole = RDBTest.record(file, values: .decoded)
    #expect(whole.error == nil, "\(whole.error?.description ?? "")")
    #expect(RDBTest.record(file, portions: [1], values: .decoded) == whole)
    return whole.entries.first?.decoded
  }

  private func list(_ texts: [String]) -> RDBValue { .list(texts.map { Array($0.utf8) }) }

  @Test func everyListpackEncodingDecodes() {
    let long = String(repeating: "l", count: 4095)
    let items: [PackedInput] = [
      .bytes([0]), .bytes([127]), .bytes([0xC0, 1]), .bytes([0xCF, 0xFF]), .bytes([0xD0, 0]),
      .bytes([0xDF, 0xFF]), .bytes([0xF1, 0, 0x80]), .bytes([0xF1, 0xFF, 0x7F]),
      .bytes([0xF2, 0, 0, 0x80]), .bytes([0xF2, 0xFF, 0xFF, 0x7F]),
      .bytes([0xF3, 0, 0, 0, 0x80]), .bytes([0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80]),
      .bytes([0xF4] + [UInt8](repeating: 255, count: 7) + [0x7F]), .text(""), .text("short"),
      .text(String(repeating: "m", count: 64)), .text(long),
      .bytes([0xF0, 3, 0, 0, 0, 0x61, 0x62, 0x63]),
    ]
    let expected = [
      "0", "127", "1", "4095", "-4096", "-1", "-32768", "32767", "-8388608", "8388607",
      "-2147483648", "-9223372036854775808", "9223372036854775807", "", "short",
      String(repeating: "m", count: 64), long, "abc",
    ]
    var builder = FileBuilder()
    builder.length(1)
    builder.length(2)
    builder.string(PackedBuilder.listpack(items))
    #expect(value(RDBTest.file(18, builder.bytes)) == list(expected))
  }

  /// The size at which the backward length takes one byte more is one less than it looks.
  @Test(arguments: [126, 127, 128, 16381, 16382, 16383, 16384, 70000])
  func backwardLengthsOfEverySizeAreUnderstood(size: Int) {
    let text = [UInt8](repeating: 7, count: size - 5)
    var encoded = FileBuilder()
    encoded.byte(0xF0)
    encoded.littleEndian(UInt32(text.count))
    encoded.raw(text)
    let packed = PackedBuilder.listpack([.bytes(encoded.bytes), .text("after")])
    #expect(value(RDBTest.packedFile(20, packed)) == .set([text, Array("after".utf8)]))
  }

  @Test func everyZiplistEncodingDecodes() {
    let long = String(repeating: "z", count: 300)
    let items: [PackedInput] = [
      .bytes([0xC0, 0, 0x80]), .bytes([0xD0, 0, 0, 0, 0x80]), .bytes([0xF0, 0, 0, 0x80]),
      .bytes([0xE0, 0, 0, 0, 0, 0, 0, 0, 0x80]), .bytes([0xFE, 0x80]), .bytes([0xF1]),
      .bytes([0xFD]), .text(""), .text("short"), .text(long),
      .bytes([0x80, 0, 0, 0, 3, 0x61, 0x62, 0x63]),
    ]
    let expected = [
      "-32768", "-2147483648", "-8388608", "-9223372036854775808", "-128", "0", "12", "", "short",
      long, "abc",
    ]
    #expect(value(RDBTest.packedFile(10, PackedBuilder.ziplist(items))) == list(expected))
  }

  @Test func intsetsOfEveryWidthDecode() {
    let small: [Int16] = [.min, 0, .max]
    let middle: [Int32] = [.min, .max]
    let large: [Int64] = [.min, .max]
    for (packed, texts) in [
      (PackedBuilder.intset(small), small.map { "\($0)" }),
      (PackedBuilder.intset(middle), middle.map { "\($0)" }),
      (PackedBuilder.intset(large), large.map { "\($0)" }),
    ] {
      let decoded = value(RDBTest.packedFile(11, packed))
      #expect(decoded == .set(texts.map { Array($0.utf8) }))
    }
  }

  @Test func zipmapsWithUnusedBytesAndLongValuesDecode() {
    let long = [UInt8](repeating: 9, count: 300)
    var packed: [UInt8] = [2, 1, 0x61, 2, 3, 0x62, 0x63, 0xEE, 0xEE, 0xEE]
    packed += [1, 0x64, 254, 0x2C, 1, 0, 0, 0] + long + [255]
    #expect(
      value(RDBTest.packedFile(9, packed))
        == .hash([
          .init(name: [0x61], value: [0x62, 0x63]), .init(name: [0x64], value: long),
        ]))
  }

  @Test func aFullCounterMeansWalkToTheEnd() {
    let items = [PackedInput](repeating: .text("x"), count: 10)
    for (type, packed): (UInt8, [UInt8]) in [
      (10, PackedBuilder.ziplist(items, count: 65535)),
      (20, PackedBuilder.listpack(items, count: 65535)),
    ] {
      let recording = RDBTest.record(RDBTest.packedFile(type, packed), values: .decoded)
      #expect(recording.error == nil)
    }
  }

  @Test func scoresOfSortedSetsAreExact() {
    let scores: [(PackedInput, Double)] = [
      (.text("5"), 5), (.text("1.5"), 1.5), (.text("inf"), .infinity),
      (.text("-inf"), -.infinity), (.text("1e+20"), 1e20), (.text("-0"), -0.0),
      (.text("0.10000000000000001"), 0.1),
      (.text("4.9406564584124654e-324"), .leastNonzeroMagnitude),
      (.text("1.7976931348623157e+308"), .greatestFiniteMagnitude),
      (.text("9007199254740993"), 9_007_199_254_740_992),
    ]
    let items = scores.enumerated().flatMap { [PackedInput.text("m\($0)"), $1.0] }
    let expected = RDBValue.sortedSet(
      scores.enumerated().map { .init(member: Array("m\($0)".utf8), score: $1.1) })
    let integers = [items[0], .bytes([5])] + items[2...]
    #expect(value(RDBTest.packedFile(17, PackedBuilder.listpack(integers))) == expected)
    #expect(value(RDBTest.packedFile(12, PackedBuilder.ziplist(items))) == expected)
  }

  static let damaged: [(String, UInt8, [UInt8])] = [
    ("listpack size", 20, [9, 0, 0, 0, 0, 0, 255]),
    ("listpack too short", 20, [1, 0]),
    ("listpack end mark", 20, [7, 0, 0, 0, 0, 0, 0]),
    ("listpack count", 20, PackedBuilder.listpack([.text("a")], count: 2)),
    ("listpack text too long", 20, PackedBuilder.listpack([.bytes([0x85, 1])])),
    ("listpack encoding", 20, PackedBuilder.listpack([.bytes([0xF5])])),
    ("listpack backward length", 20, [9, 0, 0, 0, 1, 0, 5, 9, 255]),
    ("listpack integer too long", 20, PackedBuilder.listpack([.bytes([0xF4, 1])])),
    ("hash with half a pair", 16, PackedBuilder.listpack([.text("a")])),
    ("sorted set without score", 17, PackedBuilder.listpack([.text("a")])),
    ("score that is none", 17, PackedBuilder.listpack([.text("a"), .text("b")])),
    ("score NaN", 17, PackedBuilder.listpack([.text("a"), .text("nan")])),
    (
      "field expiry that is none", 25, PackedBuilder.listpack([.text("a"), .text("b"), .text("c")])
    ),
    ("ziplist size", 10, [12, 0, 0, 0, 10, 0, 0, 0, 0, 0, 255]),
    ("ziplist encoding", 10, PackedBuilder.ziplist([.bytes([0xFF])])),
    ("ziplist text too long", 10, PackedBuilder.ziplist([.bytes([0x3F, 1])])),
    ("ziplist count", 10, PackedBuilder.ziplist([.text("a")], count: 5)),
    ("intset width", 11, [3, 0, 0, 0, 0, 0, 0, 0]),
    ("intset size", 11, [2, 0, 0, 0, 2, 0, 0, 0, 1, 0]),
    ("intset huge count", 11, [8, 0, 0, 0, 255, 255, 255, 255]),
    ("zipmap without value", 9, [1, 1, 0x61, 255]),
    ("zipmap text too long", 9, [1, 9, 0x61, 255]),
    ("zipmap unused too long", 9, [1, 1, 0x61, 1, 200, 0x62, 255]),
  ]

  @Test(arguments: damaged)
  func damageIsATypedError(what: String, type: UInt8, packed: [UInt8]) {
    var builder = FileBuilder()
    if type == 25 { builder.littleEndian(Int64(0)) }
    builder.string(packed)
    let recording = RDBTest.record(RDBTest.file(type, builder.bytes), values: .decoded)
    let code = recording.error?.code
    #expect(code == .malformedValue || code == .malformedNumber, "\(what)")
    #expect(recording.error?.key == "\"key\"")
    // The raw level does not look inside.
    #expect(RDBTest.record(RDBTest.file(type, builder.bytes)).error == nil)
  }

  @Test func fieldExpiriesOfBothFamiliesAreAbsolute() {
    let base: Int64 = 4_000_000_000_000
    var relative = FileBuilder()
    relative.littleEndian(base)
    relative.length(2)
    for (expiry, name): (UInt64, String) in [(1, "a"), (0, "b")] {
      relative.length(expiry)
      relative.string(name)
      relative.string("v")
    }
    let expected = RDBValue.hash([
      .init(name: [0x61], value: [0x76], expiryMilliseconds: base),
      .init(name: [0x62], value: [0x76]),
    ])
    #expect(value(RDBTest.file(24, relative.bytes)) == expected)

    var absolute = FileBuilder()
    absolute.length(2)
    for (expiry, name): (UInt64, String) in [(UInt64(base), "a"), (0, "b")] {
      absolute.length(expiry)
      absolute.string(name)
      absolute.string("v")
    }
    #expect(value(RDBTest.file(22, absolute.bytes)) == expected)

    var valkey = FileBuilder()
    valkey.length(2)
    for (expiry, name) in [(base, "a"), (-1, "b")] {
      valkey.string(name)
      valkey.string("v")
      valkey.littleEndian(expiry)
    }
    #expect(value(RDBTest.file(22, magic: "VALKEY080", valkey.bytes)) == expected)

    var packed = FileBuilder()
    packed.littleEndian(base)
    var time = FileBuilder()
    time.byte(0xF4)
    time.littleEndian(base)
    packed.string(
      PackedBuilder.listpack([
        .text("a"), .text("v"), .bytes(time.bytes), .text("b"), .text("v"), .bytes([0]),
      ]))
    #expect(value(RDBTest.file(25, packed.bytes)) == expected)
  }

  /// Damage at every byte of packed values: any outcome but a trap, the same in all portions.
  @Test func everyDamagedByteIsSafe() {
    var random = SplitMix(seed: 77)
    let items: [PackedInput] = [
      .text("a"), .bytes([0xF2, 1, 2, 3]), .text(String(repeating: "b", count: 70)), .bytes([1]),
    ]
    let samples: [(UInt8, [UInt8])] = [
      (16, PackedBuilder.listpack(items)), (10, PackedBuilder.ziplist([.text("a"), .text("bc")])),
      (11, PackedBuilder.intset([Int16(1), 2])), (9, [1, 1, 0x61, 1, 0, 0x62, 255]),
    ]
    for (type, packed) in samples {
      for index in packed.indices {
        for _ in 0..<20 {
          var damaged = packed
          damaged[index] = UInt8.random(in: 0...255, using: &random)
          let file = RDBTest.packedFile(type, damaged)
          let whole = RDBTest.record(file, values: .decoded)
          #expect(RDBTest.record(file, portions: [9], values: .decoded) == whole)
        }
      }
    }
  }
}
