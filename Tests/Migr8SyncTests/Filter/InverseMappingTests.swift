// The reverse's mapping, against the one that it turns round: for every short name there is.

import Testing

@testable import Migr8Sync

@Suite("The mapping of a reverse")
struct InverseMappingTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func mapping(
    _ prefixes: [String], _ rewrites: [(String, String)] = [], without: [String] = [],
    databases: Set<Int>? = nil, numbers: [Int: Int] = [:]
  ) -> KeyMapping {
    let rewrites = rewrites.map { KeyRewrite(old: bytes($0.0), new: bytes($0.1)) }
    return KeyMapping(
      KeyFilter(
        included: KeyRules(prefixes: prefixes.map(bytes)),
        excluded: KeyRules(prefixes: without.map(bytes)), databases: databases,
        reserved: KeyMapping.reserved(by: rewrites)), rewrites: rewrites, databases: numbers)
  }

  /// Every name of up to five of four letters, and some near the program's own keys.
  private static let names: [[UInt8]] = {
    var names: [[UInt8]] = [[]]
    var last: [[UInt8]] = [[]]
    for _ in 0..<5 {
      last = last.flatMap { name in Array("ab:x".utf8).map { name + [$0] } }
      names += last
    }
    let own = ["", "a:", "b:", "x:", "a", "ab"].flatMap { prefix in
      ["migr8sync:job:n", "migr8sync:job", "igr8sync:job:n"].map { Array((prefix + $0).utf8) }
    }
    return names + own
  }()

  /// Whatever comes from the source goes back to where it was; nothing else goes anywhere.
  private func expectExact(_ mapping: KeyMapping) throws {
    let inverse = try mapping.inverse()
    #expect(mapping.collision == nil && inverse.collision == nil)
    var count = 0
    for name in Self.names {
      let key = mapping.sourceKey(of: name)
      let back = inverse.filter.matches(key: name.span) ? inverse.destinationKey(of: name) : nil
      if key != back { Issue.record("\(name): from \(key as Any), back to \(back as Any)") }
      if back != nil { count += 1 }
    }
    #expect(count > 0)
    for database in 0..<6 {
      let source = mapping.source(of: database)
      let back =
        inverse.filter.matches(database: database) ? inverse.destination(of: database) : nil
      #expect(source == back)
    }
  }

  @Test func namesThatStay() throws {
    try expectExact(mapping(["a:", "b"]))
    try expectExact(mapping([]))
    try expectExact(mapping(["a"], without: ["a:", "ab"]))
    let globs = KeyFilter(globs: [GlobPattern(bytes("a*:x"))])
    try expectExact(KeyMapping(globs))
  }

  @Test func newNames() throws {
    try expectExact(mapping(["a:"], [("a:", "x:")]))
    try expectExact(mapping(["a:"], [("a:", "")]))
    try expectExact(mapping([], [("", "x:")]))
    // Changing places.
    try expectExact(mapping(["a:", "b:"], [("a:", "b:"), ("b:", "a:")]))
    // A rewrite of which only a part moves, and a prefix that keeps its name.
    try expectExact(mapping(["ab:", "x"], [("a", "b")]))
    try expectExact(mapping(["a:"], [("a:", "x:")], without: ["a:b"]))
    try expectExact(mapping(["a:", "b:"], [("a:", "x:")], without: ["b"]))
  }

  @Test func databases() throws {
    try expectExact(mapping(["a:"], databases: [0, 2], numbers: [0: 3]))
    try expectExact(mapping(["a:"], databases: [1, 2], numbers: [1: 2, 2: 1]))
    try expectExact(mapping(["a:"], numbers: [1: 4, 4: 1]))
    try expectExact(
      KeyMapping(KeyFilter(prefixes: [bytes("a")], databases: [2]), DatabaseMap(target: 5)))
  }

  private func reason(_ mapping: KeyMapping) -> String {
    do throws(KeyMapping.Irreversible) {
      _ = try mapping.inverse()
      return "none"
    } catch {
      return error.description
    }
  }

  @Test func whatCannotBeTurnedRound() {
    // a:b:1 becomes y:1, so x:b:1 would come from nowhere.
    #expect(reason(mapping(["a:"], [("a:", "x:"), ("a:b", "b:")])).contains("overlap"))
    #expect(reason(mapping([], [("a:", "x:")])).contains("overlap"))
    #expect(reason(mapping(["a:", "b:"], [("a:", "x:"), ("b:", "x:b")])).contains("overlap"))
    let rewrite = [KeyRewrite(old: bytes("a"), new: bytes("b"))]
    let glob = KeyFilter(globs: [GlobPattern(bytes("a*:"))])
    #expect(reason(KeyMapping(glob, rewrites: rewrite)).contains("--match"))
    #expect(reason(KeyMapping(KeyFilter(types: [.hash]))).contains("--type"))
    #expect(reason(mapping(["a:"], numbers: [0: 3])).contains("--db"))
    #expect(
      reason(KeyMapping(KeyFilter(databases: [1, 2]), DatabaseMap(target: 0))).contains(
        "several dbs"))
  }
}
