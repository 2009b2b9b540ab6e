// KeyFilter: what is in, and the SCAN pattern that says the same.

import RDBParser
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

  @Test func anyExclusionLeavesAKeyOut() throws {
    let filter = try KeyFilter(
      included: KeyRules(
        prefixes: [bytes("bump:")], expressions: [KeyExpression(bytes("^j[0-9]+$"))]),
      excluded: KeyRules(
        prefixes: [bytes("bump:tmp:")], globs: [GlobPattern(bytes("*:lock"))],
        expressions: [KeyExpression(bytes("^j0"))]))
    for key in ["bump:1", "j12", "bump:tm"] { #expect(matches(filter, bytes(key)), "\(key)") }
    for key in ["bump:tmp:1", "bump:a:lock", "j01", "k1", ""] {
      #expect(!matches(filter, bytes(key)), "\(key)")
    }
    #expect(filter.scanPattern == nil && !filter.matchesEveryKey)
    let all = KeyFilter(excluded: KeyRules(prefixes: [bytes("tmp:")]))
    #expect(matches(all, bytes("a")) && !matches(all, bytes("tmp:1")))
    #expect(!all.matchesEveryKey && !all.matchesEverything && all.scanPattern == nil)
  }

  @Test func thisProgramsOwnKeysAreNeverIn() {
    let own = KeyFilter.reservedPrefix + bytes("one")
    for filter in [
      KeyFilter(), KeyFilter(prefixes: [bytes("migr8sync:job:one")]),
      KeyFilter(globs: [GlobPattern(bytes("*"))]),
    ] {
      #expect(!matches(filter, own))
    }
  }

  @Test func aBeginningIsInWhenNothingCanLeaveItOut() throws {
    func all(_ filter: KeyFilter, _ beginning: String) -> Bool {
      filter.matchesEveryKey(startingWith: bytes(beginning).span)
    }
    let filter = KeyFilter(
      included: KeyRules(prefixes: [bytes("bump:")]),
      excluded: KeyRules(prefixes: [bytes("bump:tmp:")], globs: [GlobPattern(bytes("bump:x*y"))]))
    #expect(all(filter, "bump:user:"))
    for beginning in ["bump:", "bump:tmp", "bump:tmp:1", "bump:x", "bump:xa", "bum", "other"] {
      #expect(!all(filter, beginning), "\(beginning)")
    }
    let vague = try KeyFilter(excluded: KeyRules(expressions: [KeyExpression(bytes("^z"))]))
    #expect(!all(vague, "a"))
    #expect(all(KeyFilter(), "a"))
  }

  @Test func theLongestPrefixDecidesBetweenDestinations() {
    let hot = KeyFilter(
      included: KeyRules(prefixes: [bytes("bump:hot:")]), otherPrefixes: [bytes("bump:"), []])
    let bump = KeyFilter(
      included: KeyRules(prefixes: [bytes("bump:")]), otherPrefixes: [bytes("bump:hot:"), []])
    let rest = KeyFilter(
      included: KeyRules(prefixes: [[]]), otherPrefixes: [bytes("bump:hot:"), bytes("bump:")])
    let filters = [hot, bump, rest]
    for (key, index) in [("bump:hot:1", 0), ("bump:1", 1), ("bum", 2), ("", 2), ("bump:hot", 1)] {
      let takers = filters.indices.filter { matches(filters[$0], bytes(key)) }
      #expect(takers == [index], "\(key)")
    }
    #expect(hot.otherPrefixes.isEmpty && hot.scanPattern == bytes("bump:hot:*"))
    #expect(bump.scanPattern == nil && !rest.matchesEveryKey)
    let whole = bump.matchesEveryKey(startingWith: bytes("bump:").span)
    let cold = bump.matchesEveryKey(startingWith: bytes("bump:c").span)
    #expect(!whole && cold)
  }

  @Test func typesAreThoseOfTheTypeCommand() {
    let filter = KeyFilter(types: [.hash, .sortedSet])
    #expect(filter.matches(type: .hash) && filter.matches(type: .sortedSet))
    #expect(!filter.matches(type: .string) && !filter.matches(type: .unknown))
    #expect(!filter.matchesEverything && filter.matchesEveryKey)
    #expect(KeyFilter().matches(type: .unknown))
  }

  @Test func theWordsNameEveryRule() throws {
    #expect(KeyFilter().words == ["every key"])
    let filter = try KeyFilter(
      included: KeyRules(
        prefixes: [bytes("b"), bytes("a b")], globs: [GlobPattern(bytes("*"))],
        expressions: [KeyExpression(bytes("^a"))]),
      excluded: KeyRules(prefixes: [[0xFF]]), otherPrefixes: [bytes("bc")], databases: [3, 0],
      types: [.hash])
    #expect(
      filter.words == [
        "prefix \"a b\"", "prefix b", "match *", "regex ^a", "not prefix \"\\xff\"",
        "elsewhere bc", "type hash", "db 0,3",
      ])
  }
}
