// KeyFilter: what is in, and the SCAN pattern that says the same.

import Testing

@testable import Migr8Sync

@Suite struct KeyFilterTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  // A span cannot stand inside #expect.
  private func matches(_ filter: KeyFilter, _ key: [UInt8]) -> Bool {
    filter.matches(key: key.span)
  }

  private func matches(_ pattern: GlobPattern, _ key: [UInt8]) -> Bool { pattern.matches(key.span) }

  @Test func anyPrefixOrAnyGlobLetsAKeyIn() {
    let filter = KeyFilter(
      prefixes: [bytes("bump:"), bytes("jobs:")], globs: [GlobPattern(bytes("*:keep"))])
    for key in ["bump:", "bump:1", "jobs:x", "a:keep"] {
      #expect(matches(filter, bytes(key)))
    }
    for key in ["", "bump", "Bump:1", "xbump:1", "a:keep:"] {
      #expect(!matches(filter, bytes(key)))
    }
    #expect(!filter.matchesEveryKey)
    #expect(filter.scanPattern == nil)
  }

  @Test func noRuleLetsEveryKeyIn() {
    let filter = KeyFilter()
    #expect(filter.matchesEveryKey && filter.matchesEverything && filter.scanPattern == nil)
    #expect(matches(filter, []) && filter.matches(database: 15))
  }

  @Test func aRuleThatIsTrueOfEveryKeyIsNoFilter() {
    #expect(KeyFilter(prefixes: [[]]).matchesEveryKey)
    #expect(KeyFilter(globs: [GlobPattern(bytes("*"))]).matchesEveryKey)
    // The empty key is not matched by this one.
    #expect(!KeyFilter(globs: [GlobPattern(bytes("**"))]).matchesEveryKey)
  }

  @Test func databasesAreASet() {
    let filter = KeyFilter(databases: [0, 3])
    #expect(filter.matches(database: 3) && !filter.matches(database: 1))
    #expect(filter.matchesEveryKey && !filter.matchesEverything)
  }

  @Test func scanPatternMatchesExactlyThePrefix() throws {
    let prefix = bytes("a*b?[c]\\d^-") + [0, 255]
    let filter = KeyFilter(prefixes: [prefix])
    let pattern = GlobPattern(try #require(filter.scanPattern))
    #expect(matches(pattern, prefix) && matches(pattern, prefix + [1]))
    for index in prefix.indices {
      var other = prefix
      other[index] ^= 1
      #expect(!matches(pattern, other))
    }
    #expect(KeyFilter(globs: [GlobPattern(bytes("a?"))]).scanPattern == bytes("a?"))
  }
}
