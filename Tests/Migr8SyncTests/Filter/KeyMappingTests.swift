// KeyMapping: new names and the way back; and collisions, against every short key there is.

import Testing

@testable import Migr8Sync

@Suite struct KeyMappingTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func mapping(
    _ rewrites: (String, String)..., filter: KeyFilter = KeyFilter()
  ) -> KeyMapping {
    KeyMapping(filter, rewrites: rewrites.map { KeyRewrite(old: bytes($0.0), new: bytes($0.1)) })
  }

  private func prefixes(_ texts: String...) -> KeyFilter { KeyFilter(prefixes: texts.map(bytes)) }

  @Test func theLongestRewriteApplies() {
    let mapping = mapping(("a:", "x:"), ("a:b:", "y:"), ("z", ""))
    #expect(mapping.destinationKey(of: bytes("a:1")) == bytes("x:1"))
    #expect(mapping.destinationKey(of: bytes("a:b:1")) == bytes("y:1"))
    #expect(mapping.destinationKey(of: bytes("z1")) == bytes("1"))
    #expect(mapping.destinationKey(of: bytes("other")) == bytes("other"))
    #expect(KeyMapping.identity.destinationKey(of: [0, 255]) == [0, 255])
  }

  @Test func beginningsAreThoseOfTheKeysThatMove() {
    func text(_ mapping: KeyMapping) -> [[String]] {
      let both = mapping.beginnings
      return [both.source, both.destination].map { $0.map { String(decoding: $0, as: UTF8.self) } }
    }
    #expect(text(.identity) == [[""], [""]])
    #expect(
      text(mapping(("a:", "x:"), filter: prefixes("a:", "a:b", "c"))) == [
        ["a:", "c"], ["c", "x:"],
      ])
    #expect(text(mapping(("a:b:", "y:"), filter: prefixes("a"))) == [["a"], ["a", "y:"]])
    let globs = KeyFilter(prefixes: [bytes("a")], globs: [GlobPattern(bytes("b*[0-9]"))])
    #expect(text(mapping(filter: globs)) == [["a", "b"], ["a", "b"]])
    let excluding = KeyFilter(
      included: KeyRules(prefixes: [bytes("a")]), excluded: KeyRules(prefixes: [bytes("a:b:")]))
    #expect(text(mapping(("a:b:", "y:"), filter: excluding)) == [["a"], ["a"]])
  }

  @Test func theWayBackIsFoundWhereItIsUnique() {
    let mapping = mapping(("a:", "x:"), ("a:b:", "y:"), filter: prefixes("a:"))
    #expect(mapping.sourceKey(of: bytes("x:1")) == bytes("a:1"))
    #expect(mapping.sourceKey(of: bytes("y:1")) == bytes("a:b:1"))
    // Such a key would have become y:1.
    #expect(mapping.sourceKey(of: bytes("x:b:1")) == nil)
    #expect(mapping.sourceKey(of: bytes("a:1")) == nil)
    // x:1 may be a:1 renamed, or itself.
    #expect(self.mapping(("a:", "x:")).sourceKey(of: bytes("x:1")) == nil)
    #expect(KeyMapping(prefixes("j")).sourceKey(of: bytes("k")) == nil)
  }

  @Test func namesThatMayMeetAreFound() {
    #expect(mapping(("a:", "b:"), filter: prefixes("a:")).collision == nil)
    #expect(
      mapping(("a:", "b:"), filter: KeyFilter()).collision == .init(rewrite: 0, other: nil))
    #expect(
      mapping(("a:", "x:"), ("b:", "x:"), filter: prefixes("a:", "b:")).collision
        == .init(rewrite: 0, other: 1))
    #expect(mapping(("a:", ""), filter: prefixes("a:")).collision == nil)
    #expect(mapping(("", "new:"), filter: KeyFilter()).collision == nil)
    #expect(mapping(("a:", "b:"), filter: prefixes("a:x:", "b:y:")).collision == nil)
    #expect(mapping(("a:", "b:"), filter: prefixes("a:x:", "b:x")).collision != nil)
    // Changing places is no collision.
    #expect(mapping(("a:", "b:"), ("b:", "a:"), filter: KeyFilter()).collision == nil)
  }

  @Test func whatIsExcludedDoesNotMeet() {
    let filter = KeyFilter(excluded: KeyRules(prefixes: [bytes("b:")]))
    #expect(mapping(("a:", "b:"), filter: filter).collision == nil)
  }

  @Test func globsAndExpressionsMayMeetWhatTheyMayMatch() throws {
    let glob = KeyFilter(globs: [GlobPattern(bytes("a:*"))])
    #expect(mapping(("a:", "b:"), filter: glob).collision == nil)
    let expression = try KeyFilter(included: KeyRules(expressions: [KeyExpression(bytes("^a:"))]))
    #expect(mapping(("a:", "b:"), filter: expression).collision != nil)
  }

  /// With prefixes alone the answer is exact: every key over two letters, up to the length at which
  /// anything can still happen, is renamed and compared.
  @Test func collisionsAreExactForPrefixes() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    func random() -> [UInt8] {
      (0..<Int.random(in: 0...2, using: &generator)).map { _ in
        UInt8.random(in: 0x61...0x62, using: &generator)
      }
    }
    func several(_ most: Int) -> [[UInt8]] {
      (0..<Int.random(in: 0...most, using: &generator)).map { _ in random() }
    }
    var keys: [[UInt8]] = [[]]
    for key in 0..<63 { keys += [keys[key] + [0x61], keys[key] + [0x62]] }
    var collisions = 0
    for _ in 0..<300 {
      let olds = Set(several(3))
      let filter = KeyFilter(
        included: KeyRules(prefixes: several(2)),
        excluded: KeyRules(prefixes: several(2).filter { !$0.isEmpty }))
      let mapping = KeyMapping(
        filter, rewrites: olds.map { KeyRewrite(old: $0, new: random()) })
      let moving = keys.filter { filter.matches(key: $0.span) }
      let names = moving.map { mapping.destinationKey(of: $0) }
      let meets = Set(names).count < names.count
      let found = mapping.collision
      #expect((found != nil) == meets, "seed \(seed): \(mapping.rewrites) \(filter.words)")
      if meets {
        collisions += 1
      } else {
        for (key, name) in zip(moving, names) {
          #expect(mapping.sourceKey(of: name) == key, "seed \(seed)")
        }
      }
    }
    #expect(collisions > 10, "the generator makes too few collisions")
  }

  @Test(arguments: [
    (["bump:"], [("bump:", "b*:")], "b\\*:*"), (["bump:"], [("", "x:")], "x:bump:*"),
    (["bump:"], [("other:", "x:")], "bump:*"), (["bump:"], [("bump:a:", "x:")], nil),
    (["a:", "b:"], [("a:", "x:")], nil), ([], [("a:", "x:")], nil),
  ])
  func onePatternFindsThemWhereOneCan(
    prefixes: [String], rewrites: [(String, String)], pattern: String?
  ) {
    let mapping = KeyMapping(
      KeyFilter(prefixes: prefixes.map(bytes)),
      rewrites: rewrites.map { KeyRewrite(old: bytes($0.0), new: bytes($0.1)) })
    #expect(mapping.scanPattern == pattern.map(bytes))
  }

  @Test func aKeyIsShownByBothItsNames() {
    let mapping = KeyMapping(
      KeyFilter(prefixes: [bytes("old:"), bytes("x")]),
      rewrites: [KeyRewrite(old: bytes("old:"), new: bytes("new:"))])
    #expect(mapping.shown(bytes("old:1")) == "new:1 (at the source old:1)")
    #expect(mapping.shown(bytes("x")) == "x" && mapping.shown(there: bytes("x")) == "x")
    #expect(mapping.shown(there: bytes("new:1")) == "new:1 (at the source old:1)")
  }

  /// A key that would become one of this program's own never moves.
  @Test func nobodyCanWriteTheRecordOfAJob() {
    let mapping = mapping(("bump:", ""), ("b:", "migr8"))
    let filter = KeyFilter(reserved: KeyMapping.reserved(by: mapping.rewrites))
    for key in ["bump:migr8sync:job:one", "b:sync:job:one", "migr8sync:job:one"] {
      let isIn = filter.matches(key: bytes(key).span)
      #expect(!isIn, "\(key)")
    }
    let isIn = filter.matches(key: bytes("bump:migr8sync:other").span)
    #expect(isIn)
  }
}

@Suite struct DatabaseMapTests {
  @Test func databasesKeepTheirNumbersUnlessTold() {
    let map = DatabaseMap(numbers: [0: 3, 3: 0, 5: 5])
    #expect([0, 3, 5, 7].map { map.destination(of: $0) } == [3, 0, 5, 7])
    #expect([3, 0, 5, 7].map { map.source(of: $0, filter: KeyFilter()) } == [0, 3, 5, 7])
    #expect(DatabaseMap(numbers: [1: 1]).isIdentity && DatabaseMap().isIdentity)
    #expect(!map.isIdentity && !DatabaseMap(target: 0).isIdentity)
  }

  @Test func twoDatabasesInOneAreFound() {
    #expect(DatabaseMap(numbers: [0: 3]).collision(among: nil) == 3)
    #expect(DatabaseMap(numbers: [0: 3]).collision(among: [0]) == nil)
    #expect(DatabaseMap(numbers: [0: 3]).collision(among: [0, 3]) == 3)
    #expect(DatabaseMap(numbers: [0: 3, 3: 0]).collision(among: nil) == nil)
    #expect(DatabaseMap(numbers: [0: 3, 3: 4]).collision(among: nil) == 4)
    #expect(DatabaseMap().collision(among: nil) == nil)
  }
}
