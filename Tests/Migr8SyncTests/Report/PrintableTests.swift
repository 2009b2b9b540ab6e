// Keys as text: harmless, unambiguous, short.

import Testing

@testable import Migr8Sync

@Suite struct PrintableTests {
  private static let keys: [([UInt8], String)] = [
    (Array("bump:42".utf8), "bump:42"), ([], #""""#), (Array("a b".utf8), #""a b""#),
    (Array("tab\there".utf8), #""tab\there""#), (Array("line\nend\r".utf8), #""line\nend\r""#),
    (Array(#"say "x\y""#.utf8), #""say \"x\\y\"""#),
    ([0, 0x1B, 0x7F, 0xFF], #""\x00\x1b\x7f\xff""#),
    (Array("ä".utf8), #""\xc3\xa4""#),
    ([UInt8](repeating: 0x61, count: 60), String(repeating: "a", count: 60)),
    (
      [UInt8](repeating: 0x61, count: 61),
      "\"" + String(repeating: "a", count: 60) + "\"... (61 bytes)"
    ),
  ]

  @Test(arguments: keys)
  func aKeyIsEscaped(key: [UInt8], text: String) {
    #expect(Printable.key(key) == text)
    #expect(Printable.key(key.span) == text)
  }

  @Test func anyByteGivesShortPrintableASCII() {
    for byte in UInt8.min...UInt8.max {
      for count in [1, 59, 60, 61, 100_000] {
        let text = Printable.key([UInt8](repeating: byte, count: count))
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7E })
        #expect(text.utf8.count <= 60 + 2 + "... (100000 bytes)".utf8.count)
        #expect(count == 1 || count < 61 || text.hasSuffix("(\(count) bytes)"))
      }
    }
  }
}
