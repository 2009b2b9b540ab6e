// LZF decompression: what decodes, and every way input can be damaged.

import RDBParser
import Testing

struct LZFTests {
  private func decompress(_ input: [UInt8], _ size: Int) -> [UInt8]? {
    var output = [UInt8](repeating: 0xEE, count: size)
    var span = output.mutableSpan
    return LZF.decompress(input.span, into: &span) ? output : nil
  }

  @Test func literalsAndReferencesDecode() {
    #expect(decompress([2, 65, 66, 67], 3) == [65, 66, 67])
    // One literal, then nine more of it: the reference overlaps what it writes.
    #expect(decompress([0, 97, 0xE0, 0, 0], 10) == Array(repeating: 97, count: 10))
    // "abcd", then the three bytes that began three back.
    #expect(decompress([3, 97, 98, 99, 100, 0x20, 2], 7) == Array("abcdbcd".utf8))
    #expect(decompress([], 0) == [])
  }

  @Test(arguments: [
    ("literal beyond the input", [5, 65], 6),
    ("literal beyond the output", [1, 65, 66], 1),
    ("reference before the start", [0, 65, 0x20, 1], 4),
    ("reference beyond the output", [0, 65, 0x20, 0], 3),
    ("input ends in a reference", [0, 65, 0x20], 4),
    ("input ends in an extended length", [0, 65, 0xE0], 9),
    ("too little output", [0, 65], 2),
    ("output from nothing", [], 1),
  ])
  func damageIsRefused(what: String, input: [UInt8], size: Int) {
    #expect(decompress(input, size) == nil, "\(what)")
  }

  @Test func theRatioIsCapped() {
    #expect(LZF.isPlausible(compressed: 3, original: 264))
    #expect(!LZF.isPlausible(compressed: 3, original: 265))
    #expect(!LZF.isPlausible(compressed: 0, original: 1))
    #expect(LZF.isPlausible(compressed: 0, original: 0))
    #expect(LZF.isPlausible(compressed: .max, original: .max))
  }

  /// Random input must never read or write outside, whatever it decodes to.
  @Test func noiseIsSafe() {
    var random = SplitMix(seed: 0x12F)
    for _ in 0..<20_000 {
      let input = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      _ = decompress(input, Int.random(in: 0...300, using: &random))
    }
  }
}
