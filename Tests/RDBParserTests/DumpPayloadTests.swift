// Footers of DUMP payloads, and the headers of RDB strings.

import RDBParser
import Testing

struct DumpPayloadTests {
  @Test func theFooterIsThatOfTheDefinition() {
    let value: [UInt8] = [5] + Array("hello".utf8)
    var payload = DumpPayload(type: .string)
    payload.update(value.span.extracting(first: 2))
    payload.update(value.span.extracting(droppingFirst: 2))
    let footer = payload.footer(version: 0x0106)
    let sum = referenceCRC([0] + value + [6, 1])
    var expected: [UInt8] = [6, 1]
    for index in 0..<8 { expected.append(UInt8(truncatingIfNeeded: sum >> UInt64(8 * index))) }
    #expect((0..<10).map { footer[$0] } == expected)
    #expect(DumpPayload.overhead == 11)
  }

  @Test func eachTypeHasTheOldestVersionThatKnowsIt() {
    let expected: [(ClosedRange<UInt8>, UInt16)] = [
      (0...4, 6), (9...13, 6), (14...14, 7), (5...5, 8), (7...7, 8), (15...15, 9), (16...19, 10),
      (20...21, 11), (22...25, 12),
    ]
    for (numbers, version) in expected {
      for number in numbers {
        #expect(DumpPayload.footerVersion(for: RDBType(rawValue: number)) == version)
      }
    }
    #expect(DumpPayload.footerVersion(for: .valkeyHash2) == 80)
    #expect(DumpPayload.footerVersion(for: RDBType(rawValue: 8)) == nil)
    #expect(DumpPayload.footerVersion(for: RDBType(rawValue: 200)) == nil)
  }
}

struct RDBStringTests {
  @Test func eachFormIsTold() throws {
    #expect(try RDBString(parsing: [3, 1, 2, 3].span) == .raw(length: 3, offset: 1))
    #expect(try RDBString(parsing: [0xC1, 0, 0x80, 9].span) == .integer(-32768, end: 3))
    #expect(
      try RDBString(parsing: [0xC3, 2, 2, 0, 65].span)
        == .lzf(compressed: 2, original: 2, offset: 3))
  }

  @Test func aShortOrDamagedStringIsAnError() {
    for (bytes, code): ([UInt8], RDBError.Code) in [
      ([], .truncated), ([3, 1, 2], .truncated), ([0x82], .malformedLength),
      ([0xC5], .malformedString), ([0xC3, 1, 0x81], .truncated),
      ([0xC3, 0, 1], .malformedCompression),
    ] {
      do {
        _ = try RDBString(parsing: bytes.span)
        Issue.record("\(bytes) was read")
      } catch { #expect(error.code == code) }
    }
  }
}
