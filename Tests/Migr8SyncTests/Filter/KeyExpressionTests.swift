// KeyExpression: what it finds in keys of any bytes, what it refuses and where, and its worst case.

import Testing

@testable import Migr8Sync

@Suite struct KeyExpressionTests {
  private func matches(_ pattern: String, _ key: [UInt8]) throws -> Bool {
    try KeyExpression(Array(pattern.utf8)).matches(key.span)
  }

  @Test(arguments: [
    ("user", "a:user:1"), ("^user:[0-9]+$", "user:17"), ("^(a|b):", "b:1"), ("x{2,3}", "axxb"),
    ("a.c", "a\nc"), ("^$", ""), ("", "a"), ("a*", ""), ("[]x]", "]"), ("[^]]", "a"),
    ("[[:digit:]]", "7"), ("\\.", "a.b"), ("[.]", "."), ("a\\(", "a("), ("ä", "bär"),
    ("b$|^a", "ax"), ("(^a|b)c", "bc"), ("\\w+:\\w", "a_1:b"), ("[[.-.]x]", "-"), ("a|^b", "b"),
  ])
  func finds(pattern: String, key: String) throws {
    #expect(try matches(pattern, Array(key.utf8)))
  }

  @Test(arguments: [
    ("^user", "a:user:1"), ("^user:[0-9]+$", "user:17\n"), ("[.]", "a"), ("\\.", "a"),
    ("a.c", "ac"), ("^$", "a"), ("(^a|b)c", "xac"), ("x{2}", "x"), ("A", "a"),
  ])
  func doesNotFind(pattern: String, key: String) throws {
    #expect(try !matches(pattern, Array(key.utf8)))
  }

  @Test func aKeyMayHoldAnyByte() throws {
    #expect(try matches("^a.b$", [0x61, 0, 0x62]))
    #expect(try matches("^a.b$", [0x61, 0xFF, 0x62]))
    #expect(try matches("b$", [0, 0, 0x62]))
    #expect(try !matches("b$", [0x62, 0]))
    #expect(try matches("^[^a]$", [0]))
    let every = (0...255).map { UInt8($0) }
    #expect(try matches("^.{255}.$", every))
  }

  @Test(arguments: [
    ("a(b", 2, "("), ("a(b(c)", 2, "("), ("ab[c", 3, "["), ("a)b", 2, "')'"),
    ("ab\\", 3, "backslash"),
    ("a{2,1}", 2, "content"), ("*a", 1, "preceding"), ("x[[:foo:]]", 2, "class"),
    ("[z-a]", 1, "range"),
    ("(a)\\1", 4, "back-reference"), ("\\d+", 1, "[0-9]"), ("\\x00", 1, "[0-9]"),
    ("a\0b", 2, "zero byte"), ("[äö]", 2, "ASCII"),
  ])
  func aBadPatternIsRefusedWithItsPlace(pattern: String, position: Int, word: String) throws {
    let error = try #require(throws: KeyExpressionError.self) {
      try KeyExpression(Array(pattern.utf8))
    }
    #expect(error.position == position, "\(error)")
    #expect(error.problem.contains(word), "\(error)")
    #expect(!error.problem.contains("\n"))
  }

  @Test func aVeryLongPatternIsRefused() {
    let pattern = [UInt8](repeating: 0x61, count: KeyExpression.bytesMax + 1)
    #expect(throws: KeyExpressionError.self) { try KeyExpression(pattern) }
  }

  /// A search that begins anew at every byte would take 10^12 steps for these.
  @Test(arguments: ["(a*)*b", "a*a*a*b", "a.*a.*b", "(a|aa)+$b"])
  func aHostileKeyTakesLinearTime(pattern: String) throws {
    #expect(try !matches(pattern, [UInt8](repeating: 0x61, count: 1_000_000)))
  }
}
