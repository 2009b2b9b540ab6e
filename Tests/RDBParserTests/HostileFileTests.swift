// Damaged and hostile files: a typed error with its place, no trap, no memory for what is not there.

import RDBParser
import Testing

struct HostileFileTests {
  private func failure(_ file: [UInt8], _ portions: [Int] = [Int.max]) -> RDBError? {
    let one = RDBTest.record(file, portions: portions)
    #expect(RDBTest.record(file, portions: [1]).error == one.error)
    return one.error
  }

  private func redis(_ bytes: [UInt8]) -> [UInt8] { Array("REDIS0011".utf8) + bytes }

  @Test(arguments: [
    ("HTTP/1.1 ", RDBError.Code.notAnRDBFile, 0), ("REDIX0011", .notAnRDBFile, 0),
    ("VALKEX080", .notAnRDBFile, 5), ("REDIS00x1", .notAnRDBFile, 7),
    ("REDIS0000", .unsupportedVersion, 5), ("REDIS0080", .unsupportedVersion, 5),
    ("VALKEY079", .unsupportedVersion, 6), ("REDIS001", .truncated, 8), ("", .truncated, 0),
  ])
  func headersThatAreNone(text: String, code: RDBError.Code, offset: UInt64) {
    let error = failure(Array(text.utf8))
    #expect(error?.code == code)
    if code != .notAnRDBFile || text.hasPrefix("V") { #expect(error?.offset == offset) }
  }

  @Test func undefinedLengthFormsAreNamedWithTheirPlace() {
    for byte: UInt8 in [0x82, 0xBF] {
      let error = failure(redis([0, 1, 0x6B, byte, 0, 0, 0, 0]))
      #expect(error?.code == .malformedLength)
      #expect(error?.offset == 12)
      #expect(error?.key == "\"k\"")
      #expect(error?.type == .string)
    }
    #expect(failure(redis([0, 1, 0x6B, 0xC4]))?.code == .malformedString)
    #expect(failure(redis([254, 0xC0, 1]))?.code == .malformedLength)
    #expect(failure(redis([1, 1, 0x6B, 0xC0, 1]))?.code == .malformedLength)
    #expect(failure(redis([7, 1, 0x6B, 5, 9]))?.code == .malformedModuleData)
    #expect(failure(redis([254, 0x80, 0xFF, 0xFF, 0xFF, 0xFF]))?.code == .limitExceeded)
  }

  @Test func implausibleCompressionIsRefusedBeforeItIsDecoded() {
    let original: [UInt8] = [0x81, 0, 0, 0, 1, 0, 0, 0, 0]
    for place in [[0] as [UInt8], [0, 1, 0x6B]] {
      #expect(failure(redis(place + [0xC3, 1] + original))?.code == .malformedCompression)
      #expect(failure(redis(place + [0xC3, 0, 1]))?.code == .malformedCompression)
    }
    #expect(failure(redis([0, 0xC3, 2, 9, 0x20, 0]))?.code == .malformedCompression)
  }

  /// A key or auxiliary string of 2^40 bytes is refused; a value of 2^62 just never ends.
  @Test func hugeLengthsTakeNoMemory() {
    let huge: [UInt8] = [0x81, 0x40, 0, 0, 0, 0, 0, 0, 0]
    #expect(failure(redis([0] + huge))?.code == .limitExceeded)
    #expect(failure(redis([250] + huge))?.code == .limitExceeded)
    #expect(failure(redis([0, 1, 0x6B] + huge))?.code == .truncated)
    #expect(failure(redis([1, 1, 0x6B] + huge))?.code == .truncated)
    let all = [UInt8](repeating: 255, count: 8)
    #expect(failure(redis([0, 1, 0x6B, 0x81] + all))?.code == .truncated)
  }

  @Test func anUnknownTypeNamesItsKey() {
    let file = redis([99, 3, 0x61, 0x0A, 0x22, 1, 2, 3])
    let error = failure(file)
    #expect(error?.code == .unknownType)
    #expect(error?.offset == 9)
    #expect(error?.key == "\"a\\x0a\\\"\"")
    #expect(failure(redis([6, 1, 0x6B, 0]))?.code == .unsupportedType)
    var options = RDBReaderOptions()
    options.unknownTypeEndsRead = true
    for portion in [1, Int.max] {
      let recording = RDBTest.record(
        redis([0, 1, 0x6B, 0]) + file[9...], portions: [portion], options: options)
      #expect(recording.error == nil)
      #expect(recording.trailer?.unknownType == RDBType(rawValue: 99))
      #expect(recording.entries.count == 1)
    }
  }

  @Test func everyFlippedBitIsFound() {
    let file = FileBuilder.file("REDIS0011") { file in
      file.raw([254, 1])
      file.entry(0, "key") { $0.string("value") }
      file.entry(5, "zset") {
        $0.length(1)
        $0.string("member")
        $0.double(3.5)
      }
    }
    for bit in 0..<(file.count * 8) {
      var damaged = file
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      let recording = RDBTest.record(damaged)
      let isVersionDigit = (5..<9).contains(bit / 8)
      if isVersionDigit && recording.trailer?.checksum == .absent { continue }
      #expect(recording.error != nil, "bit \(bit)")
    }
  }

  @Test func anErrorStays() {
    var reader = RDBReader()
    reader.append(Array("nonsense".utf8).span)
    for _ in 0..<2 {
      do {
        _ = try reader.next()
        Issue.record("no error")
      } catch { #expect(error.code == .notAnRDBFile) }
      reader.append(Array("REDIS0011".utf8).span)
    }
  }

  /// Noise behind a sound header: any outcome but a trap or a hang, the same in all portions.
  @Test func noiseIsSafe() {
    var random = SplitMix(seed: 0xBAD)
    for _ in 0..<3000 {
      let noise = (0..<Int.random(in: 1...60, using: &random)).map { _ in
        Bool.random(using: &random)
          ? UInt8.random(in: 0...30, using: &random) : UInt8.random(in: 0...255, using: &random)
      }
      let whole = RDBTest.record(redis(noise))
      let split = RDBTest.record(redis(noise), portions: [3])
      #expect(split.error == whole.error, "seed \(random.seed): \(noise)")
      #expect(split.events == whole.events)
    }
  }
}
