// KeyExpression: what it finds in keys of any bytes, what it refuses and where, and its worst case.

import Glibc
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

  /// What the pattern is compiled into means what the pattern means: the library is asked about the
  /// pattern itself, on keys without the bytes that it treats otherwise.
  @Test func agreesWithThePatternItself() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    func random(_ alphabet: String, _ lengths: ClosedRange<Int>) -> [UInt8] {
      (0..<Int.random(in: lengths, using: &generator)).map { _ in
        Array(alphabet.utf8).randomElement(using: &generator) ?? 0
      }
    }
    var compiled = 0
    for _ in 0..<2_000 {
      let pattern = random("aab.*+?|()[]^$-\\", 0...8)
      var plain = regex_t()
      let text = pattern.map { CChar(bitPattern: $0) } + [0]
      let isGood = regcomp(&plain, text, REG_EXTENDED | REG_NOSUB) == 0
      defer { if isGood { regfree(&plain) } }
      guard let expression = try? KeyExpression(pattern) else { continue }
      #expect(isGood, "seed \(seed): \(pattern)")
      guard isGood else { continue }
      compiled += 1
      for _ in 0..<20 {
        let key = random("aab.-", 0...6)
        let found = regexec(&plain, key.map { CChar(bitPattern: $0) } + [0], 0, nil, 0) == 0
        let isMatch = expression.matches(key.span)
        #expect(
          isMatch == found,
          "seed \(seed): \(String(decoding: pattern, as: UTF8.self)) in \(String(decoding: key, as: UTF8.self))"
        )
      }
    }
    #expect(compiled > 300)
  }
}
