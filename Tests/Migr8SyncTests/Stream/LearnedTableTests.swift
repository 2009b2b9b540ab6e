// What a source says of its commands: against COMMAND GETKEYS of real servers, as if none of their
// commands were built in, and with hand-made replies.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct LearnedTableTests {
  private static func keys(_ table: CommandTable, _ command: CommandUnderTest) -> [[UInt8]]? {
    guard let shape = table.shape(named: command.bytes.span.extracting(command.arguments[0])),
      let keys = table.keys(
        of: shape, in: command.bytes.span, arguments: command.arguments.span)
    else { return nil }
    return (0..<keys.count).map { command.words[keys[$0]] }
  }

  private static func knows(_ table: CommandTable, _ name: String) -> Bool {
    table.shape(named: Array(name.utf8).span) != nil
  }

  /// Every sample either has the keys that the server names, or is one to ask about.
  @Test(
    .enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"),
    arguments: SourceKind.allCases)
  func agreesWithTheServerWithoutTheBuiltInTable(kind: SourceKind) throws {
    let server = try kind.start()
    let connection = try TestConnection(server)
    let table = CommandTable.learned(from: try connection("COMMAND"), builtIn: [])
    var known = 0
    for sample in CommandTableTests.samples {
      let words = (["COMMAND", "GETKEYS"] + sample).map { Array($0.utf8) }
      guard let reply = try connection.send(words).array else { continue }
      let expected = Set(reply.compactMap(\.text))
      let command = CommandUnderTest(sample)
      let shape = table.shape(named: command.bytes.span.extracting(command.arguments[0]))
      if shape?.kind == .asked { continue }
      known += 1
      let found = Self.keys(table, command)?.map { String(decoding: $0, as: UTF8.self) }
      #expect(found.map(Set.init) == expected, "\(kind): \(sample)")
    }
    #expect(known > 40)
    withExtendedLifetime(server) {}
  }

  @Test(
    .enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"),
    arguments: SourceKind.allCases)
  func theBuiltInEntriesStay(kind: SourceKind) throws {
    let server = try kind.start()
    var connection = try RedisConnection.open(try RedisURL(server.url), timeouts: Timeouts())
    let table = try CommandTable.learned(from: &connection)
    for entry in CommandTable.entries {
      let shape = table.shape(named: Array(entry.name.utf8).span)
      #expect(shape == entry.shape)
    }
    #expect(Self.knows(table, "zscore") && !Self.knows(table, "nosuch"))
  }

  @Test(.enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"))
  func withoutPermissionTheBuiltInTableIsUsed() throws {
    let server = try SourceKind.redis70.start()
    _ = try server.command("ACL", "SETUSER", "default", "-command")
    var connection = try RedisConnection.open(try RedisURL(server.url), timeouts: Timeouts())
    let table = try CommandTable.learned(from: &connection)
    #expect(!Self.knows(table, "zscore") && Self.knows(table, "set"))
    var question = KeyQuestion(
      source: ServerLocator(try RedisURL(server.url), timeouts: Timeouts()), timeouts: Timeouts(),
      interrupt: WakePipe())
    let keys = try question.keys(of: ["SET", "k", "v"].map { Array($0.utf8) })
    #expect(keys == nil)
  }

  @Test(.enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"))
  func theSourceNamesTheKeysOfACommand() throws {
    let server = try SourceKind.redis70.start()
    var question = KeyQuestion(
      source: ServerLocator(try RedisURL(server.url), timeouts: Timeouts()), timeouts: Timeouts(),
      interrupt: WakePipe())
    let first = try question.keys(of: ["EVAL", "x", "2", "a", "b"].map { Array($0.utf8) })
    #expect(first == [Array("a".utf8), Array("b".utf8)])
    let second = try question.keys(of: ["NOSUCH", "x"].map { Array($0.utf8) })
    #expect(second == nil)
  }

  // MARK: Hand-made replies

  private static func row(
    _ name: String, _ flags: [String], _ first: Int64, _ last: Int64, _ step: Int64,
    _ more: [RESPValue] = []
  ) -> RESPValue {
    .array(
      [
        .bulk(Array(name.utf8)), .integer(-2), .array(flags.map { .simple($0) }), .integer(first),
        .integer(last), .integer(step),
      ] + more)
  }

  static let foreign = CommandTable.learned(
    from: .array([
      row("MOD.SET", ["write"], 1, 1, 1), row("mod.many", ["write"], 1, -1, 2),
      row("mod.movable", ["write", "movablekeys"], 0, 0, 0), row("mod.none", ["write"], 0, 0, 0),
      row(
        "mod.container", ["write"], 0, 0, 0,
        [.array([]), .array([]), .array([]), .array([row("mod.container|x", ["write"], 2, 2, 1)])]),
      row("set", ["write"], 3, 3, 1), row("mod.odd", ["write"], 5, 5, -1), .integer(1), .array([]),
    ]))

  static func router(_ policy: RoutingPolicy = RoutingPolicy()) -> CommandRouter {
    CommandRouter(
      mapping: KeyMapping(KeyFilter(prefixes: [Array("in:".utf8)])), policy: policy,
      table: foreign, destinationIsOurs: true, database: 0)
  }

  static let cases: [(command: String, outcome: Outcome)] = [
    ("mod.set in:a x", .forward), ("MOD.SET out:a x", .drop(.otherKeys)),
    ("mod.many in:a 1 out:b 2", .repair(["0:in:a"])), ("mod.many in:a 1 in:b", .forward),
    ("mod.set", .stop(.malformed)), ("mod.movable x", .needsKeys), ("mod.container x", .needsKeys),
    ("mod.none x", .stop(.unknownCommand)), ("mod.odd x", .stop(.unknownCommand)),
    ("set in:a x", .forward), ("mod.other x", .stop(.unknownCommand)),
  ]

  @Test(arguments: cases) func routesCommandsOfTheSource(_ case: (String, Outcome)) {
    var router = Self.router()
    #expect(router.outcome(`case`.0) == `case`.1)
  }

  /// A source may say anything.
  @Test func noReplyMakesItTrap() {
    let seed = UInt64.random(in: 0..<1_000_000)
    var random = SeededGenerator(seed: seed)
    let numbers: [Int64] = [
      0, 1, 2, 3, -1, -2, -9, 9, .max, .min, Int64(Int32.max), Int64(Int32.min), 1 << 40,
    ]
    func number() -> RESPValue { .integer(numbers.randomElement(using: &random) ?? 0) }
    func map(_ names: [String]) -> RESPValue {
      .array(names.flatMap { [RESPValue.simple($0), number()] })
    }
    func specification() -> RESPValue {
      let begin =
        [
          RESPValue.array([.simple("type"), .simple("index"), .simple("spec"), map(["index"])]),
          .array([
            .simple("type"), .simple("keyword"), .simple("spec"),
            .array([.simple("keyword"), .simple("b"), .simple("startfrom"), number()]),
          ]), number(),
        ].randomElement(using: &random) ?? .null
      let find =
        [
          RESPValue.array([
            .simple("type"), .simple("range"), .simple("spec"),
            map(["lastkey", "keystep", "limit"]),
          ]),
          .array([
            .simple("type"), .simple("keynum"), .simple("spec"),
            map(["keynumidx", "firstkey", "keystep"]),
          ]), .null,
        ].randomElement(using: &random) ?? .null
      return .array([
        .simple("flags"), .array([]), .simple("begin_search"), begin, .simple("find_keys"), find,
      ])
    }
    let command = CommandUnderTest("x 1 b 2 in:a 3 4")
    var found = 0
    for _ in 0..<20_000 {
      var row: [RESPValue] = [.simple("x"), number(), .array([]), number(), number(), number()]
      if Bool.random(using: &random) {
        row += [.array([]), .array([]), .array([specification(), specification()])]
      }
      row.removeLast(Int.random(in: 0...10, using: &random) / 10)
      let table = CommandTable.learned(from: .array([.array(row)]), builtIn: [])
      if let keys = Self.keys(table, command) { found += keys.count }
    }
    #expect(found > 50, "seed \(seed)")
  }

  @Test func thePolicyDecidesAboutWhatCannotBePlaced() {
    for (unplaced, outcome) in [
      (RoutingPolicy.Unplaced.drop, Outcome.drop(.unplaced)), (.forward, .forward),
      (.stop, .stop(.unknownCommand)),
    ] {
      var policy = RoutingPolicy()
      policy.unplaced = unplaced
      var router = Self.router(policy)
      #expect(router.outcome("mod.none x") == outcome)
      #expect(router.outcome("nosuch x") == outcome)
      #expect(asked(&router, "mod.movable x", nil) == outcome)
      #expect(router.outcome("EVAL s 0") == (unplaced == .stop ? .stop(.undeclaredKeys) : outcome))
    }
  }

  private func asked(_ router: inout CommandRouter, _ text: String, _ keys: [String]?) -> Outcome {
    let command = CommandUnderTest(text)
    return Outcome(
      router.route(
        command.bytes.span, arguments: command.arguments.span, startOffset: 1,
        askedKeys: keys.map { $0.map { Array($0.utf8) } }))
  }

  @Test func theAnswerToTheQuestionDecides() {
    var router = Self.router()
    #expect(asked(&router, "mod.movable 1 in:a x", ["in:a"]) == .forward)
    #expect(asked(&router, "mod.movable 1 out:a x", ["out:a"]) == .drop(.otherKeys))
    #expect(
      asked(&router, "mod.movable in:a in:b out:a", ["in:b", "out:a"]) == .repair(["0:in:b"]))
    #expect(asked(&router, "mod.movable 1 in:b x", ["in:b"]) == .drop(.underRepair))
    #expect(asked(&router, "mod.movable 1 in:a x", []) == .stop(.unknownCommand))
    #expect(asked(&router, "mod.movable 1 in:a x", ["other"]) == .stop(.unknownCommand))
  }

  @Test func messagesPassOnChannelsThatWereAskedFor() {
    var policy = RoutingPolicy()
    policy.channels = [GlobPattern(Array("news:*".utf8)), GlobPattern(Array("__*".utf8))]
    var router = Self.router(policy)
    #expect(router.outcome("PUBLISH news:a x") == .forward)
    #expect(router.outcome("SPUBLISH __x x") == .forward)
    #expect(router.outcome("PUBLISH other x") == .drop(.message))
    #expect(router.outcome("PUBLISH __sentinel__:hello x") == .drop(.message))
    #expect(router.outcome("PUBLISH") == .drop(.message))
  }

  @Test func specificationsThatDoNotFitAreNoKeys() {
    let command = CommandUnderTest("x 2 a b STREAMS c d 1 2")
    func keys(_ begin: KeySpecification.Begin, _ find: KeySpecification.Find) -> [Int]? {
      KeySpecification(begin: begin, find: find).keys(
        in: command.bytes.span, command.arguments.span)
    }
    let all = KeySpecification.Find.range(last: 0, step: 1, limit: 0)
    #expect(
      keys(.index(2), all) == [2] && keys(.index(9), all) == nil && keys(.index(0), all) == nil)
    #expect(keys(.index(2), .range(last: 1, step: 1, limit: 0)) == [2, 3])
    #expect(keys(.index(2), .range(last: 90, step: 1, limit: 0)) == nil)
    #expect(keys(.index(1), .range(last: -1, step: 0, limit: 0)) == nil)
    #expect(keys(.index(1), .counted(number: 0, first: 1, step: 1)) == [2, 3])
    #expect(keys(.index(2), .counted(number: 0, first: 1, step: 1)) == nil)
    #expect(keys(.index(1), .counted(number: 0, first: 7, step: 1)) == nil)
    let half = KeySpecification.Find.range(last: -1, step: 1, limit: 2)
    #expect(keys(.keyword(Array("streams".utf8), from: 1), half) == [5, 6])
    #expect(keys(.keyword(Array("streams".utf8), from: -2), half) == [5, 6])
    #expect(keys(.keyword(Array("keys".utf8), from: 1), half) == [])
    #expect(keys(.keyword(Array("2".utf8), from: -1), all) == nil)
  }
}
