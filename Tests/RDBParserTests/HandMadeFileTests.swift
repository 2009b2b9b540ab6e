// Files made by hand: every value type and opcode of the format, also those no server at hand writes.

import RDBParser
import Testing

/// A value type with the smallest value that exercises all of its layout.
struct HandMadeValue: CustomTestStringConvertible, Sendable {
  var name: String
  var type: UInt8
  var isValkey = false
  var bytes: [UInt8]

  init(
    _ name: String, _ type: UInt8, isValkey: Bool = false, _ body: (inout FileBuilder) -> Void
  ) {
    var builder = FileBuilder()
    body(&builder)
    self.name = name
    self.type = type
    self.isValkey = isValkey
    bytes = builder.bytes
  }

  var testDescription: String { name }

  static let all: [HandMadeValue] =
    plain + blobs + expiring + [
      stream("stream", 15, form: 1), stream("stream 2", 19, form: 2),
      stream("stream 3", 21, form: 3), stream("stream 4", 26, form: 4),
      stream("stream 5", 27, form: 5),
    ]

  private static let plain: [HandMadeValue] = [
    .init("string", 0) { $0.string("text") },
    .init("integer string", 0) { $0.raw([0xC1, 0x39, 0x30]) },
    .init("compressed string", 0) { $0.literalLZF(Array("compressed".utf8)) },
    .init("string with 14-bit length", 0) { $0.string(.init(repeating: 7, count: 100)) },
    .init("string with 32-bit length", 0) {
      $0.raw([0x80, 0, 0, 0, 3])
      $0.text("abc")
    },
    .init("string with 64-bit length", 0) {
      $0.raw([0x81, 0, 0, 0, 0, 0, 0, 0, 3])
      $0.text("abc")
    },
    .init("list", 1) {
      $0.length(2)
      $0.string("a")
      $0.raw([0xC0, 0xFF])
    },
    .init("empty list", 1) { $0.length(0) },
    .init("set", 2) {
      $0.length(1)
      $0.string("m")
    },
    .init("sorted set", 3) {
      $0.length(4)
      for (member, score): (String, [UInt8]) in [
        ("a", [4, 0x31, 0x2E, 0x32, 0x35]), ("b", [253]), ("c", [254]),
      ] {
        $0.string(member)
        $0.raw(score)
      }
      $0.string("d")
      $0.byte(255)
    },
    .init("hash", 4) {
      $0.length(1)
      $0.string("f")
      $0.string("v")
    },
    .init("sorted set 2", 5) {
      $0.length(1)
      $0.string("m")
      $0.double(1.5)
    },
    .init("array", 28) {
      $0.raw([4, 1, 9])
      $0.raw([0, 0])
      $0.string("text")
      $0.raw([7, 1])
      $0.littleEndian(Int64(-5))
      $0.raw([8, 2])
      $0.double(2.5)
      $0.raw([0x40, 100, 3])
      $0.string("s")
    },
    .init("empty array", 28) { $0.raw([0, 0]) },
    .init("module", 7) {
      $0.length(0x1234_5678_9ABC_DEF0)
      $0.raw([1, 0x81, 255, 255, 255, 255, 255, 255, 255, 255, 2, 5, 3, 0, 0, 0, 0])
      $0.byte(4)
      $0.double(2)
      $0.byte(5)
      $0.string("module text")
      $0.byte(0)
    },
  ]

  private static let blobs: [HandMadeValue] =
    [9, 10, 11, 12, 13, 16, 17, 20, 23].map { type in
      .init("blob of type \(type)", type) { $0.string("any bytes: raw reading looks no deeper") }
    } + [
      .init("quicklist", 14) {
        $0.length(2)
        $0.string("node")
        $0.literalLZF(Array("node".utf8))
      },
      .init("quicklist 2", 18) {
        $0.length(2)
        $0.length(1)
        $0.string("plain")
        $0.length(2)
        $0.string("packed")
      },
    ]

  private static let expiring: [HandMadeValue] = [
    .init("hash with expiries, 7.4-rc", 22) {
      $0.length(1)
      $0.length(4_000_000_000_000)
      $0.string("f")
      $0.string("v")
    },
    .init("hash with expiries, Valkey", 22, isValkey: true) {
      $0.length(1)
      $0.string("f")
      $0.string("v")
      $0.littleEndian(Int64(-1))
    },
    .init("hash with expiries", 24) {
      $0.littleEndian(Int64(4_000_000_000_000))
      $0.length(1)
      $0.length(1)
      $0.string("f")
      $0.string("v")
    },
    .init("listpack with expiries", 25) {
      $0.littleEndian(Int64(0))
      $0.string("listpack")
    },
  ]

  private static func stream(_ name: String, _ type: UInt8, form: Int) -> HandMadeValue {
    .init(name, type) { value in
      value.length(1)
      value.string([UInt8](repeating: 1, count: 16))
      // One entry with the node's one field name.
      value.string(
        PackedBuilder.listpack([
          .bytes([1]), .bytes([0]), .bytes([1]), .text("f"), .bytes([0]), .bytes([2]),
          .bytes([5]), .bytes([0xDF, 0xFE]), .text("v"), .bytes([4]),
        ]))
      // Length, last id; first id, largest deleted id, entries added.
      for number: UInt64 in [1, 5, 6] { value.length(number) }
      if form >= 2 { for number: UInt64 in [5, 6, 0, 0, .max] { value.length(number) } }
      value.length(2)
      for group in ["one", "two"] {
        value.string(group)
        value.length(5)
        value.length(6)
        if form >= 2 { value.length(.max) }
        value.length(2)
        for deliveries: UInt64 in [1, 700] {
          value.raw(.init(repeating: 2, count: 16))
          value.littleEndian(Int64(1))
          value.length(deliveries)
        }
        value.length(2)
        for ids in 0...1 {
          value.string("consumer")
          value.littleEndian(Int64(1))
          if form >= 3 { value.littleEndian(Int64(-1)) }
          value.length(UInt64(ids * 2))
          value.raw(.init(repeating: 2, count: ids * 32))
        }
        if form >= 5 {
          value.length(1)
          value.raw(.init(repeating: 3, count: 16))
        }
      }
      if form >= 4 {
        value.length(100)
        value.length(1000)
        value.length(1)
        value.string("producer")
        value.length(1)
        value.string("iid")
        for number: UInt64 in [5, 6, 7, 8] { value.length(number) }
      }
    }
  }
}

struct HandMadeFileTests {
  @Test(arguments: HandMadeValue.all)
  func everyTypeIsDelimited(value: HandMadeValue) throws {
    let file = FileBuilder.file(value.isValkey ? "VALKEY080" : "REDIS0012") { file in
      file.entry(value.type, "first") { $0.raw(value.bytes) }
      file.entry(0, "second") { $0.string("marker") }
    }
    let whole = RDBTest.record(file)
    #expect(whole.error == nil)
    #expect(whole.trailer?.checksum == .verified)
    try #require(whole.entries.count == 2)
    #expect(whole.entries[0].value == value.bytes)
    #expect(whole.entries[1].value == [6] + Array("marker".utf8))
    for portion in 1...9 { #expect(RDBTest.record(file, portions: [portion]) == whole) }
    for cut in 1..<file.count {
      #expect(RDBTest.record(file, portions: [cut, Int.max]) == whole)
      #expect(RDBTest.record(Array(file[..<cut])).error?.code == .truncated)
    }
    var options = RDBReaderOptions()
    options.inlineValueLimit = 0
    let chunked = RDBTest.record(file, portions: [2], options: options)
    #expect(chunked.entries.map(\.value) == whole.entries.map(\.value))
  }

  @Test func arraysAreDecoded() throws {
    let value = try #require(HandMadeValue.all.first { $0.name == "array" })
    let whole = RDBTest.record(RDBTest.file(28, value.bytes), values: .decoded)
    let expected: [(UInt64, String)] = [(0, "text"), (7, "-5"), (8, "2.5"), (100, "s")]
    #expect(
      whole.entries.first?.decoded
        == .array(expected.map { RDBArrayItem(index: $0.0, text: Array($0.1.utf8)) }))
    #expect(RDBTest.record(RDBTest.file(28, value.bytes), portions: [1], values: .decoded) == whole)
    for values: ValueReading in [.read, .decoded] {
      let damaged = RDBTest.record(RDBTest.file(28, [1, 0, 0, 4]), values: values)
      #expect(damaged.error?.code == .malformedValue)
    }
  }

  @Test(arguments: HandMadeValue.all.filter { $0.name.hasPrefix("stream") })
  func everyFormOfStreamIsDecoded(value: HandMadeValue) throws {
    let file = RDBTest.file(value.type, value.bytes)
    let whole = RDBTest.record(file, values: .decoded)
    #expect(whole.error == nil, "\(whole.error?.description ?? "")")
    #expect(RDBTest.record(file, portions: [1], values: .decoded) == whole)
    guard case .stream(let stream)? = whole.entries.first?.decoded else {
      Issue.record("not a stream")
      return
    }
    // The differences are 5 milliseconds and a sequence of -2.
    let base: UInt64 = 0x0101_0101_0101_0101
    let id = RDBStreamID(milliseconds: base + 5, sequence: base - 2)
    #expect(stream.entries.map(\.id) == [id])
    #expect(stream.entries.map(\.fields) == [[[0x66], [0x76]]])
    #expect(stream.info.lastID == RDBStreamID(milliseconds: 5, sequence: 6))
    #expect((stream.info.firstID != nil) == (value.type >= 19))
    #expect(stream.info.entriesAdded == (value.type >= 19 ? .max : nil))
    #expect(stream.groups.map { RDBTest.text($0.name) } == ["one", "two"])
    let pendingID = RDBStreamID(
      milliseconds: 0x0202_0202_0202_0202, sequence: 0x0202_0202_0202_0202)
    for group in stream.groups {
      #expect(group.info.entriesRead == nil)
      #expect(group.pending.map(\.deliveries) == [1, 700])
      #expect(group.pending.allSatisfy { $0.id == pendingID && $0.deliveryMilliseconds == 1 })
      #expect(group.consumers.map(\.pending) == [[], [pendingID, pendingID]])
      #expect(
        group.consumers.allSatisfy { $0.info.activeMilliseconds == (value.type >= 21 ? -1 : nil) })
      #expect(group.returned.count == (value.type == 27 ? 1 : 0))
    }
  }

  @Test func everyOpcodeIsRead() throws {
    let file = FileBuilder.file("REDIS0013") { file in
      file.byte(250)
      file.string("redis-bits")
      file.raw([0xC0, 64])
      file.byte(245)
      file.string("#!lua name=x")
      file.byte(246)
      for text in ["name", "engine"] { file.string(text) }
      file.length(1)
      for text in ["description", "code"] { file.string(text) }
      file.byte(247)
      file.length(0x1234_5678_9ABC_DEF0)
      file.raw([2, 2, 5, 3, 0x61, 0x62, 0x63, 0])
      file.raw([254, 9, 251, 3, 2, 244, 7, 8, 9])
      file.raw([252])
      file.littleEndian(Int64(-5))
      file.raw([249, 200])
      file.raw([243, 1, 0, 0, 0, 0, 5, 1, 0x78, 0])
      file.entry(0, "a") { $0.string("1") }
      file.raw([253])
      file.littleEndian(Int32(100))
      file.raw([248, 0x40, 100])
      file.entry(0, "b") { $0.string("2") }
      file.entry(0, "c") { $0.string("3") }
    }
    let whole = RDBTest.record(file)
    #expect(whole.error == nil)
    let kinds = whole.events.filter { $0.entry == nil }.map(\.event)
    try #require(kinds.count == 10)
    #expect(kinds[0] == .header(RDBHeader(family: .redis, version: 13)))
    #expect(kinds[1] == .auxiliary)
    #expect(whole.events[1].value == Array("64".utf8))
    #expect(kinds[2] == .function)
    #expect(whole.events[2].value == Array("#!lua name=x".utf8))
    if case .skipped(let opcode, _) = kinds[3] { #expect(opcode == .functionPreRelease) }
    #expect(kinds[4] == .moduleAuxiliary(RDBModuleID(rawValue: 0x1234_5678_9ABC_DEF0)))
    #expect(kinds[5] == .selectDatabase(9))
    #expect(kinds[6] == .resize(keys: 3, expires: 2))
    #expect(kinds[7] == .slotInfo(slot: 7, keys: 8, expires: 9))
    if case .skipped(let opcode, _) = kinds[8] { #expect(opcode == .keyMetadataOrSlotImport) }
    let entries = whole.entries.compactMap(\.entry)
    #expect(entries.map(\.database) == [9, 9, 9])
    #expect(entries.map(\.expiryMilliseconds) == [-5, 100_000, nil])
    #expect(entries.map(\.frequency) == [200, nil, nil])
    #expect(entries.map(\.idleSeconds) == [nil, 100, nil])
    for cut in 1..<file.count {
      #expect(RDBTest.record(file, portions: [cut, Int.max]) == whole)
    }
    #expect(RDBTest.record(file, portions: [1]) == whole)
  }

  @Test func opcode243OfValkeyIsASlotImport() {
    let file = FileBuilder.file("VALKEY080") { file in
      file.byte(243)
      file.string("job")
      file.raw([2, 0, 5, 0x41, 0, 0x42, 0])
      file.entry(22, "h") {
        $0.raw([1, 1, 0x66, 1, 0x76])
        $0.littleEndian(Int64(5))
      }
    }
    let whole = RDBTest.record(file)
    #expect(whole.error == nil)
    #expect(whole.entries.first?.entry?.type == .valkeyHash2)
    #expect(RDBTest.record(file, portions: [1]) == whole)
  }

  @Test func bytesBehindTheFileAreLeftAlone() {
    var file = FileBuilder.file("REDIS0011") { $0.entry(0, "k") { $0.string("v") } }
    let length = file.count
    let tail = Array("*1\r\n$4\r\nPING\r\n".utf8)
    file += tail
    for portion in [1, 5, Int.max] {
      let recording = RDBTest.record(file, portions: [portion])
      #expect(recording.remainder == tail)
      #expect(recording.trailer?.length == UInt64(length))
    }
  }

  @Test func oldVersionsHaveNoChecksumAndZeroMeansNone() {
    let old: [UInt8] = Array("REDIS0004".utf8) + [0, 1, 0x6B, 1, 0x76, 255]
    #expect(RDBTest.record(old).trailer?.checksum == .absent)
    #expect(RDBTest.record(old, portions: [1]).trailer?.length == UInt64(old.count))
    let disabled =
      Array("REDIS0009".utf8) + [0, 1, 0x6B, 1, 0x76, 255] + [UInt8](repeating: 0, count: 8)
    #expect(RDBTest.record(disabled).trailer?.checksum == .disabledByWriter)
  }

  @Test func keysOfEveryStringFormAreDecoded() {
    let long = [UInt8](repeating: 0x41, count: 40)
    let file = FileBuilder.file("REDIS0011") { file in
      for key: [UInt8] in [[0xC0, 0x80], [0xC1, 0xFF, 0x7F], [0xC2, 0, 0, 0, 0x80], [0]] {
        file.raw([0] + key + [0])
      }
      file.byte(0)
      file.literalLZF(long)
      file.byte(0)
      // 40 times A as servers write it: a literal and a reference.
      file.raw([0, 0xC3, 5, 40, 0, 0x41, 0xE0, 30, 0, 0])
    }
    let recording = RDBTest.record(file)
    #expect(recording.error == nil)
    #expect(
      recording.entries.map { RDBTest.text($0.key) } == [
        "-128", "32767", "-2147483648", "", RDBTest.text(long), RDBTest.text(long),
      ])
    #expect(RDBTest.record(file, portions: [1]) == recording)
  }
}
