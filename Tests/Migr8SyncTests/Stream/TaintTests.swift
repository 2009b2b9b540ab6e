// What the router does with commands on keys that are under repair, and with renames.

import Testing

@testable import Migr8Sync

@Suite struct TaintTests {
  /// A router under the prefix `in:` with `in:t` under repair since offset 10.
  static func tainted(_ keys: [String] = ["in:t"]) -> CommandRouter {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    for key in keys {
      let entered = router.repairs.request(KeyName(database: 0, key: Array(key.utf8)), at: 10)
      #expect(entered)
    }
    return router
  }

  static let cases: [(command: String, outcome: Outcome)] = [
    ("SET in:t 1", .drop(.underRepair)), ("DEL in:t", .drop(.underRepair)),
    ("DEL in:t in:a out:b", .subset("DEL in:a")), ("MSET in:t 1 in:a 2", .subset("MSET in:a 2")),
    ("RENAME in:t in:a", .repair(["0:in:a"])), ("RENAME in:a in:t", .translated("UNLINK in:a")),
    ("RENAME in:t out:a", .drop(.underRepair)), ("RENAME out:a in:t", .drop(.underRepair)),
    ("SMOVE in:t in:a m", .translated("SADD in:a m")),
    ("SMOVE in:a in:t m", .translated("SREM in:a m")),
    ("LMOVE in:t in:a LEFT LEFT", .repair(["0:in:a"])),
    ("LMOVE in:a in:t LEFT LEFT", .translated("LPOP in:a")),
    ("RPOPLPUSH in:t in:t", .drop(.underRepair)), ("COPY in:t in:a", .repair(["0:in:a"])),
    ("COPY in:a in:t", .drop(.underRepair)), ("SUNIONSTORE in:a in:b in:t", .repair(["0:in:a"])),
    ("SUNIONSTORE in:t in:a in:b", .drop(.underRepair)),
    ("SUNIONSTORE out:a in:t", .drop(.underRepair)), ("SUNIONSTORE in:a in:b", .forward),
    ("SORT in:a BY in:w* STORE in:b", .repair(["0:in:b"])), ("SORT in:a STORE in:b", .forward),
    ("EVAL x 2 in:t in:a", .repair(["0:in:a"])), ("EVAL x 1 in:t", .drop(.underRepair)),
    ("MOVE in:t 3", .repair(["3:in:t"])), ("MOVE in:a 3", .forward), ("SET in:a 1", .forward),
    ("PFCOUNT in:a in:t", .drop(.underRepair)), ("FLUSHDB", .flush),
  ]

  @Test(arguments: cases) func routesAroundAKeyUnderRepair(_ case: (String, Outcome)) {
    var router = Self.tainted()
    #expect(router.outcome(`case`.0) == `case`.1)
  }

  @Test func theSameKeyInAnotherDatabaseIsAnother() {
    var router = Self.tainted()
    #expect(router.outcome("SELECT 3", "SET in:t 1") == .forward)
    #expect(router.outcome("SELECT 0", "SET in:t 1") == .drop(.underRepair))
  }

  @Test func swappedDatabasesTaintBoth() {
    var router = Self.tainted()
    #expect(router.outcome("SWAPDB 0 3") == .swap(0, 3))
    #expect(Set(router.repairs.names.map(\.database)) == [0, 3])
  }

  @Test func aLargeCommandOnAKeyUnderRepairIsPassedOver() {
    var router = Self.tainted()
    let command = CommandUnderTest("APPEND in:t x")
    let decision = router.routeHead(
      command.bytes.span, arguments: command.arguments.span.extracting(first: 2), startOffset: 20,
      rewritesTimeToLive: false)
    #expect(decision == .drop(.underRepair))
  }

  @Test func aFullBookEndsTheRunByName() {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    var limits = RepairBook.Limits()
    limits.keysMax = 2
    router.repairs = RepairBook(limits: limits)
    #expect(
      router.outcome("COPY out:a in:1", "COPY out:a in:2", "COPY out:a in:2") == .drop(.underRepair)
    )
    #expect(router.outcome("COPY out:a in:3") == .resynchronise(.tooManyRepairs))
  }

  // MARK: Renames

  static func renaming() -> CommandRouter {
    CommandRouter(
      mapping: KeyMapping(
        KeyFilter(prefixes: [Array("in:".utf8)]),
        rewrites: [KeyRewrite(old: Array("in:a:".utf8), new: Array("x:".utf8))],
        databases: [0: 4]),
      destinationIsOurs: true, database: 0)
  }

  static let renames: [(command: String, outcome: Outcome)] = [
    ("SET in:a:1 in:a:1", .renamed("SET x:1 in:a:1")), ("SET in:b in:a:1", .forward),
    ("DEL in:a:1 out:1 in:b", .subset("DEL x:1 in:b")),
    ("MSET in:a:1 in:a:1 out:1 2", .subset("MSET x:1 in:a:1")),
    ("RENAME in:a:1 out:1", .translated("UNLINK x:1")),
    ("RENAME in:a:1 in:b", .renamed("RENAME x:1 in:b")),
    ("SMOVE out:1 in:a:1 in:a:2", .translated("SADD x:1 in:a:2")),
    (
      "ZUNIONSTORE in:a:d 2 in:a:1 in:b WEIGHTS 1 2",
      .renamed("ZUNIONSTORE x:d 2 x:1 in:b WEIGHTS 1 2")
    ),
    ("BITOP AND in:a:d in:b in:a:1", .renamed("BITOP AND x:d in:b x:1")),
    ("SORT in:a:1 STORE in:a:2", .renamed("SORT x:1 STORE x:2")),
    ("SORT in:a:1 BY in:a:* STORE in:a:2", .repair(["0:in:a:2"])),
    ("EVAL s 2 in:a:1 in:b in:a:1", .renamed("EVAL s 2 x:1 in:b in:a:1")),
    ("COPY in:a:1 in:b", .renamed("COPY x:1 in:b")),
    ("COPY in:a:1 in:b DB 0 REPLACE", .renamed("COPY x:1 in:b REPLACE")),
    ("COPY in:a:1 in:b DB 2", .renamed("COPY x:1 in:b DB 2")), ("MOVE in:b 2", .forward),
    ("MOVE in:a:1 2", .renamed("MOVE x:1 2")), ("SWAPDB 0 1", .swap(4, 1)),
    ("XGROUP CREATE in:a:1 g 0", .renamed("XGROUP CREATE x:1 g 0")),
  ]

  @Test(arguments: renames) func writesTheDestinationsNames(_ case: (String, Outcome)) {
    var router = Self.renaming()
    #expect(router.outcome(`case`.0) == `case`.1)
  }

  @Test func theDecisionHoldsTheDestinationsDatabase() {
    var router = Self.renaming()
    #expect(router.decide(CommandUnderTest("SET in:b 1")) == .forward(database: 4))
    _ = router.outcome("SELECT 1")
    #expect(router.decide(CommandUnderTest("SET in:b 1")) == .forward(database: 1))
    #expect(router.outcome("MOVE in:b 0") == .renamed("MOVE in:b 4"))
    #expect(router.otherDatabase == 4)
    _ = router.outcome("COPY in:b in:a:1 DB 2")
    #expect(router.otherDatabase == 2)
    _ = router.outcome("SET in:b 1")
    #expect(router.otherDatabase == nil)
  }

  @Test func aRefusedCommandNamesTheSourcesKeys() {
    let router = Self.renaming()
    func refused(_ text: String, _ database: Int) -> [String] {
      router.keysRefused(text.split(separator: " ").map { Array($0.utf8) }, database: database)
        .map { String(decoding: $0.encoded, as: UTF8.self) }
    }
    #expect(refused("LPUSH x:1 v", 4) == ["0:in:a:1"])
    #expect(refused("SUNIONSTORE in:b x:1", 4) == ["0:in:b", "0:in:a:1"])
    #expect(refused("LPUSH in:b v", 1) == ["1:in:b"])
    // Both databases: the key is in the other one by now.
    #expect(refused("MOVE x:1 1", 4) == ["0:in:a:1", "1:in:a:1"])
    #expect(
      refused("COPY x:1 in:b DB 4 REPLACE", 1) == ["1:in:a:1", "1:in:b", "0:in:a:1", "0:in:b"])
    #expect(refused("LPUSH other v", 4) == [] && refused("NOSUCH x:1", 4) == [])
    #expect(refused("LPUSH in:b v", 0) == [] && refused("LPUSH", 4) == [])
  }

  @Test func onlyScriptsMayHaveFailedAtTheSource() {
    let router = Self.renaming()
    func mayFail(_ text: String) -> Bool {
      router.mayFailAtSource(text.split(separator: " ").map { Array($0.utf8) })
    }
    #expect(mayFail("eval x 1 in:b") && mayFail("EVALSHA x 0"))
    #expect(!mayFail("RESTORE in:b 0 x") && !mayFail("NOSUCH") && !mayFail(""))
  }

  @Test func relativeTimesBecomeAbsoluteUnderTheNewName() {
    var router = Self.renaming()
    func routed(_ text: String) -> Outcome {
      let command = CommandUnderTest(text)
      return Outcome(
        router.route(
          command.bytes.span, arguments: command.arguments.span, startOffset: 0,
          receiptMilliseconds: 1_000_000))
    }
    #expect(routed("EXPIRE in:a:1 5") == .renamed("PEXPIREAT x:1 1005000"))
    #expect(routed("SET in:a:1 in:a:1 EX 5") == .renamed("SET x:1 in:a:1 PXAT 1005000"))
    #expect(routed("SETEX in:b 5 v") == .renamed("SET in:b v PXAT 1005000"))
    #expect(routed("RESTORE in:a:1 7 p") == .renamed("RESTORE x:1 1000007 p ABSTTL"))
    #expect(routed("SET in:b v") == .forward)
    #expect(routed("EXPIRE out:1 5") == .drop(.otherKeys))
  }
}
