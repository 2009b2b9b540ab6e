// GlobPattern against a table, against a real server's SCAN MATCH, and against its worst case.

import Testing

@testable import Migr8Sync

@Suite struct GlobPatternTests {
  static func matches(_ pattern: String, _ key: String) -> Bool {
    GlobPattern(Array(pattern.utf8)).matches(Array(key.utf8).span)
  }

  @Test(
    arguments: [
      ("user:*", "user:1"), ("user:*", "user:"), ("*", ""), ("", ""), ("h?llo", "hello"),
      ("h[ae]llo", "hallo"), ("h[^e]llo", "hallo"), ("h[a-b]llo", "hbllo"), ("h[b-a]llo", "hallo"),
      ("a\\*b", "a*b"), ("\\", "\\"), ("a*b*c", "axbxbxc"), ("*:tmp", "a:tmp:tmp"),
      ("[\\]]", "]"), ("[abc", "c"), ("a[^", "ax"), ("**a**", "bab"),
    ])
  func matchesAsServersDo(_ pattern: String, _ key: String) {
    #expect(Self.matches(pattern, key))
  }

  @Test(arguments: [
    ("user:*", "user"), ("h?llo", "hllo"), ("h[^e]llo", "hello"), ("**", ""), ("?", ""),
    ("[", "["), ("[]a]", "a"), ("a*b", "abc"), ("", "a"), ("abc", "ab"), ("ab", "abc"),
  ])
  func refusesAsServersDo(_ pattern: String, _ key: String) {
    #expect(!Self.matches(pattern, key))
  }

  @Test func manyStarsTakePolynomialTime() {
    let pattern = String(repeating: "a*", count: 200) + "b"
    #expect(!Self.matches(pattern, String(repeating: "a", count: 5_000)))
  }

  @Test(.enabled(if: RedisServer.executable != nil, "redis-server is not installed"))
  func agreesWithScanMatchOnRandomPatterns() throws {
    let server = try RedisServer(executable: try #require(RedisServer.executable))
    let seed: UInt64 = 20_240_601
    var generator = SeededGenerator(seed: seed)
    let alphabet: [UInt8] = Array("aabbcz*?[]^-\\".utf8) + [0, 0x7F, 0x80, 0xFF]
    func random(_ lengths: ClosedRange<Int>) -> [UInt8] {
      (0..<Int.random(in: lengths, using: &generator)).map { _ in
        alphabet.randomElement(using: &generator)!
      }
    }
    var keys: Set<[UInt8]> = [[]]
    while keys.count < 200 { keys.insert(random(1...6)) }
    _ = try server.send([Array("MSET".utf8)] + keys.flatMap { [$0, [1]] })
    for _ in 0..<2_000 {
      let pattern = random(0...9)
      let reply = try server.send(
        ["SCAN", "0", "COUNT", "100000", "MATCH"].map { Array($0.utf8) } + [pattern])
      let expected = Set(reply.items[1].items.compactMap(\.bytes))
      let glob = GlobPattern(pattern)
      let actual = keys.filter { glob.matches($0.span) }
      #expect(actual == expected, "seed \(seed), pattern \(pattern)")
    }
  }
}
