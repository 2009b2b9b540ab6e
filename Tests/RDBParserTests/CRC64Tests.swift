// The checksum against its published check value and a bit-by-bit definition.

import Testing

@testable import RDBParser

struct CRC64Tests {
  @Test func theCheckValueIsThePublishedOne() {
    #expect(CRC64.update(0, Array("123456789".utf8).span) == 0xe9c6_d914_c4b8_d9ca)
  }

  @Test func everyLengthAgreesWithTheDefinition() {
    var random = SplitMix(seed: 64)
    let bytes = (0..<400).map { _ in UInt8.random(in: 0...255, using: &random) }
    for length in 0...400 {
      let part = Array(bytes[..<length])
      let initial = random.next()
      #expect(CRC64.update(0, part.span) == referenceCRC(part))
      let sliced = part.withUnsafeBytes { $0.baseAddress.map { CRC64.sliced(0, $0, length) } }
      #expect(sliced ?? 0 == referenceCRC(part))
      for cut in [0, 1, 8, length / 2] where cut <= length {
        let first = CRC64.update(initial, part.span.extracting(first: cut))
        let both = CRC64.update(first, part.span.extracting(droppingFirst: cut))
        #expect(both == CRC64.update(initial, part.span), "cut at \(cut) of \(length)")
      }
    }
  }
}
