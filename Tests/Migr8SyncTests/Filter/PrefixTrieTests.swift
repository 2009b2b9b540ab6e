// PrefixTrie against the plain way of asking, and what a question costs.

import Testing

@testable import Migr8Sync

@Suite struct PrefixTrieTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func longest(_ trie: PrefixTrie, _ key: [UInt8]) -> Int? {
    trie.longestPrefix(of: key.span)
  }

  @Test func theLongestPrefixCounts() {
    let trie = PrefixTrie(["a:", "a:b:", "", "a:b:c", "b"].map(bytes))
    #expect(longest(trie, bytes("a:b:c1")) == 3)
    #expect(longest(trie, bytes("a:b:")) == 1)
    #expect(longest(trie, bytes("a:b")) == 0)
    #expect(longest(trie, bytes("a")) == 2)
    #expect(longest(trie, []) == 2)
    #expect(longest(PrefixTrie(), bytes("a")) == nil)
  }

  @Test func ofEqualPrefixesTheFirstCounts() {
    #expect(longest(PrefixTrie([bytes("a"), bytes("b"), bytes("a")]), bytes("ab")) == 0)
  }

  /// The independent truth is `starts(with:)`, tried on every prefix.
  @Test func agreesWithTryingEveryPrefix() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    func random(_ lengths: ClosedRange<Int>) -> [UInt8] {
      (0..<Int.random(in: lengths, using: &generator)).map { _ in
        [0, 0x3F, 0x40, 0x7F, 0x80, 0xBF, 0xC0, 0xFF].randomElement(using: &generator) ?? 0
      }
    }
    for _ in 0..<100 {
      let prefixes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in random(0...4) }
      let trie = PrefixTrie(prefixes)
      for _ in 0..<50 {
        let key = random(0...6)
        let fitting = prefixes.indices.filter { key.starts(with: prefixes[$0]) }
        let longest = fitting.map { prefixes[$0] }.max { $0.count < $1.count }
        let found = trie.longestPrefix(of: key.span)
        #expect(found.map { prefixes[$0] } == longest, "seed \(seed)")
        let contains = trie.containsPrefix(of: key.span)
        #expect(contains == !fitting.isEmpty, "seed \(seed)")
        let extends = trie.containsPrefix(startingWith: key.span)
        #expect(extends == prefixes.contains { $0.starts(with: key) }, "seed \(seed)")
      }
    }
  }

  /// Each byte of a key is read at most once, and none behind the longest prefix: with a thousand
  /// prefixes as with ten.
  @Test func aThousandPrefixesCostNoMoreThanTen() {
    func cost(_ count: Int, _ key: String) -> Int {
      let prefixes = (0..<count).map { number -> [UInt8] in
        bytes("tenant:" + String(repeating: "0", count: 4 - "\(number)".count) + "\(number):")
      }
      return PrefixTrie(prefixes).bytesRead(of: bytes(key).span)
    }
    for key in ["tenant:0007:user:1", "tenant:0003:", "other:1", "tenant:x", ""] {
      #expect(cost(1_000, key) <= max(cost(10, key), "tenant:0000:".count))
      #expect(cost(1_000, key) <= key.utf8.count)
    }
    #expect(cost(1_000, "tenant:0007:user:1") == "tenant:0007:".count + 1)
    #expect(cost(10, "tenant:0007:user:1") == "tenant:0007:".count + 1)
  }

  @Test func aLongChainNeedsNoStack() {
    let chain = (0...2_000).map { [UInt8](repeating: 7, count: $0) }
    let trie = PrefixTrie(chain)
    #expect(longest(trie, [UInt8](repeating: 7, count: 1_500) + [8]) == 1_500)
  }
}
