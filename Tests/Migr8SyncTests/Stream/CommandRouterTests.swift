// CommandRouter: the decision for each kind of command, and that no input makes it trap.

import Testing

@testable import Migr8Sync

/// A decision without its payload, for tables.
enum Outcome: Equatable, Sendable {
  case forward, begin, commit, abort, acknowledge, consumed
  case subset(String)
  case drop(DropReason)
  case stop(RoutingError.Code)

  init(_ decision: RoutingDecision) {
    self =
      switch decision {
      case .forward: .forward
      case .forwardSubset(let bytes, _):
        .subset(
          (RESP.decode(bytes, at: 0)?.arguments ?? [])
            .map { String(decoding: bytes[$0], as: UTF8.self) }.joined(separator: " "))
      case .drop(let reason): .drop(reason)
      case .begin: .begin
      case .commit: .commit
      case .abort: .abort
      case .acknowledge: .acknowledge
      case .consumed: .consumed
      case .stop(let error): .stop(error.code)
      }
  }
}

extension CommandRouter {
  mutating func decide(_ command: CommandUnderTest, at offset: UInt64 = 0) -> RoutingDecision {
    route(command.bytes.span, arguments: command.arguments.span, startOffset: offset)
  }

  /// The outcome of the last of several commands.
  mutating func outcome(_ commands: String...) -> Outcome {
    var last = Outcome.consumed
    for command in commands { last = Outcome(decide(CommandUnderTest(command))) }
    return last
  }
}

@Suite struct CommandRouterTests {
  static func router(
    prefixes: [String] = [], databases: Set<Int>? = nil, ours: Bool = true
  ) -> CommandRouter {
    CommandRouter(
      filter: KeyFilter(prefixes: prefixes.map { Array($0.utf8) }, databases: databases),
      destinationIsOurs: ours, database: 0)
  }

  typealias Case = (command: String, outcome: Outcome)

  static let underAPrefix: [Case] = [
    ("SET in:a 1", .forward), ("set in:a 1", .forward), ("SET out:a 1", .drop(.otherKeys)),
    ("SET in 1", .drop(.otherKeys)), ("XGROUP CREATE in:a g 0", .forward),
    ("RENAME in:a in:b", .forward), ("RENAME out:a out:b", .drop(.otherKeys)),
    ("RENAME in:a out:b", .stop(.crossesFilter)), ("RENAME out:a in:b", .stop(.crossesFilter)),
    ("DEL in:a in:b", .forward), ("DEL out:a out:b", .drop(.otherKeys)),
    ("DEL out:a in:b out:c in:d", .subset("DEL in:b in:d")),
    ("unlink in:b out:c", .subset("unlink in:b")), ("TOUCH out:c in:b", .subset("TOUCH in:b")),
    ("MSET in:a out:1 in:b 2", .forward), ("MSET out:a in:1", .drop(.otherKeys)),
    ("MSET in:a 1 out:b 2 in:c 3", .subset("MSET in:a 1 in:c 3")),
    ("MSETNX in:a 1 out:b 2", .subset("MSET in:a 1")), ("MSETNX in:a 1 in:b 2", .forward),
    ("SUNIONSTORE in:d in:a out:b", .stop(.crossesFilter)),
    ("BITOP AND in:d in:a in:b", .forward), ("PFMERGE in:d out:a", .stop(.crossesFilter)),
    ("ZUNIONSTORE in:d 2 in:a in:b WEIGHTS 1 2", .forward),
    ("ZUNIONSTORE in:d 2 in:a out:b", .stop(.crossesFilter)),
    ("ZUNIONSTORE out:d 2 in:a in:b", .stop(.crossesFilter)),
    ("SORT in:a STORE in:d", .forward), ("SORT in:a STORE out:d", .stop(.crossesFilter)),
    ("SORT in:a BY out:w_* STORE in:d", .stop(.crossesFilter)),
    ("SORT in:a BY in:w_* GET in:v_*->f GET # STORE in:d", .forward),
    ("SORT in:a BY nosort GET i* STORE in:d", .stop(.crossesFilter)),
    ("SORT in:a BY nosort STORE in:d", .forward),
    ("GEORADIUS in:a 1 2 3 m STORE in:d", .forward),
    ("EVAL x 1 in:a out:arg", .forward), ("EVAL x 1 out:a in:arg", .drop(.otherKeys)),
    ("EVAL x 2 in:a out:b", .stop(.crossesFilter)), ("EVAL x 0", .stop(.undeclaredKeys)),
    ("EVALSHA x 0 in:a", .stop(.undeclaredKeys)), ("FCALL f 0", .stop(.undeclaredKeys)),
    ("EVAL x 3 in:a", .stop(.malformed)), ("FLUSHDB", .stop(.wholeDatabase)),
    ("FLUSHALL ASYNC", .stop(.wholeDatabase)), ("SWAPDB 0 1", .stop(.wholeDatabase)),
    ("SWAPDB 0", .stop(.malformed)), ("FUNCTION LOAD x", .drop(.code)),
    ("SCRIPT LOAD x", .drop(.code)), ("PUBLISH in:a x", .drop(.message)),
    ("SPUBLISH in:a x", .drop(.message)), ("CLUSTER SETSLOT 1 NODE x", .drop(.cluster)),
    ("MOVE in:a 1", .forward), ("MOVE out:a 1", .drop(.otherKeys)),
    ("MOVE in:a x", .stop(.malformed)),
    ("COPY in:a in:b", .forward), ("COPY out:a in:b", .stop(.crossesFilter)),
    ("COPY in:a in:b DB 3 REPLACE", .forward), ("COPY out:a out:b DB 3", .drop(.otherKeys)),
    ("COPY in:a in:b REPLACE db 0", .subset("COPY in:a in:b REPLACE")),
    ("COPY in:a in:b DB", .stop(.malformed)), ("COPY in:a in:b DB -1", .stop(.malformed)),
    ("JSON.SET in:a $ 1", .stop(.unknownCommand)), ("SET", .stop(.malformed)),
    ("MSET in:a", .stop(.malformed)), ("PING", .consumed), ("ping x", .consumed),
    ("REPLCONF GETACK *", .acknowledge), ("replconf getack *", .acknowledge),
    ("REPLCONF ACK 1", .consumed), ("REPLCONF", .consumed), ("SELECT 3", .consumed),
    ("SELECT x", .stop(.malformed)), ("SELECT -1", .stop(.malformed)),
    ("SELECT", .stop(.malformed)),
    ("SELECT 99999999999", .stop(.malformed)), ("MULTI", .begin), ("EXEC", .stop(.transaction)),
    ("DISCARD", .stop(.transaction)),
  ]

  @Test(arguments: underAPrefix) func routesUnderAPrefix(_ case: Case) {
    var router = Self.router(prefixes: ["in:"])
    #expect(router.outcome(`case`.command) == `case`.outcome)
  }

  static let mirroringEverything: [Case] = [
    ("SET out:a 1", .forward), ("RENAME a b", .forward), ("FLUSHDB", .forward),
    ("FLUSHALL", .forward), ("SWAPDB 0 1", .forward), ("FUNCTION FLUSH", .forward),
    ("SCRIPT FLUSH", .forward), ("EVAL x 0", .forward), ("MOVE a 3", .forward),
    ("PUBLISH c m", .drop(.message)), ("NOSUCH a", .stop(.unknownCommand)),
    ("DEL", .stop(.malformed)), ("SORT a BY w_* STORE d", .forward),
  ]

  @Test(arguments: mirroringEverything) func routesEverythingToADestinationOfOurs(_ case: Case) {
    var router = Self.router()
    #expect(router.mirrorsEverything)
    #expect(router.outcome(`case`.command) == `case`.outcome)
  }

  @Test(
    arguments: [
      ("SET a 1", .forward), ("FLUSHDB", .stop(.wholeDatabase)),
      ("FLUSHALL", .stop(.wholeDatabase)),
      ("SWAPDB 0 1", .stop(.wholeDatabase)), ("FUNCTION FLUSH", .drop(.code)),
    ] as [Case]) func sparesTheDataOfOthersAtTheDestination(_ case: Case)
  {
    var router = Self.router(ours: false)
    #expect(router.outcome(`case`.command) == `case`.outcome)
  }

  @Test func aDatabaseFilterDropsWhatActsElsewhere() {
    var router = Self.router(databases: [1, 2])
    #expect(router.outcome("SET a 1") == .drop(.otherDatabase))
    #expect(router.outcome("FLUSHDB") == .drop(.otherDatabase))
    #expect(router.outcome("NOSUCH a") == .drop(.otherDatabase))
    #expect(router.outcome("FLUSHALL") == .stop(.wholeDatabase))
    #expect(router.outcome("SWAPDB 0 3") == .drop(.otherDatabase))
    #expect(router.outcome("SWAPDB 0 1") == .stop(.wholeDatabase))
    #expect(router.outcome("MOVE a 3") == .drop(.otherDatabase))
    #expect(router.outcome("MOVE a 1") == .stop(.crossesDatabases))
    #expect(router.outcome("COPY a b DB 2") == .stop(.crossesDatabases))
    #expect(router.decide(CommandUnderTest("SELECT 1")) == .consumed)
    #expect(router.decide(CommandUnderTest("SET a 1")) == .forward(database: 1))
    #expect(router.outcome("MOVE a 2") == .forward)
    #expect(router.outcome("MOVE a 0") == .stop(.crossesDatabases))
    #expect(router.outcome("COPY a b") == .forward)
    #expect(router.outcome("COPY a b DB 2") == .forward)
    #expect(router.outcome("COPY a b DB 1") == .subset("COPY a b"))
    #expect(router.outcome("COPY a b DB 0") == .stop(.crossesDatabases))
    #expect(router.outcome("FLUSHDB") == .stop(.wholeDatabase))
  }

  @Test func transactionsAreFollowedAndSelectInsideThemLasts() {
    var router = Self.router(prefixes: ["in:"])
    #expect(router.outcome("MULTI") == .begin)
    #expect(router.isInTransaction)
    #expect(router.outcome("MULTI") == .stop(.transaction))
    #expect(router.outcome("SELECT 5") == .consumed)
    #expect(router.decide(CommandUnderTest("SET in:a 1")) == .forward(database: 5))
    #expect(router.outcome("EXEC") == .commit)
    #expect(!router.isInTransaction && router.database == 5)
    #expect(router.outcome("MULTI", "DISCARD") == .abort)
    #expect(router.outcome("EXEC") == .stop(.transaction))
  }

  @Test func anEmptyCommandIsConsumed() {
    var router = Self.router()
    #expect(router.decide(CommandUnderTest([[UInt8]]())) == .consumed)
  }

  @Test func anErrorNamesCommandKeysDatabaseOffsetAndAdviceInOneLine() throws {
    var router = Self.router(prefixes: ["in:"])
    _ = router.outcome("SELECT 3")
    let command = CommandUnderTest([
      Array("SUNIONSTORE".utf8), Array("in:d\n".utf8), Array("out:a".utf8) + [0, 0xFF],
      Array(String(repeating: "x", count: 500).utf8), Array("y".utf8), Array("z".utf8),
    ])
    guard case .stop(let error) = router.decide(command, at: 123_456) else {
      Issue.record("not stopped")
      return
    }
    let long = String(repeating: "x", count: 64)
    #expect(
      error.description == """
        SUNIONSTORE selected "in:d\\n", not selected "out:a\\x00\\xff" "\(long)"... (500 bytes) "y" \
        and 1 more (db 3, offset 123456): it touches keys on both sides of the filter and cannot be \
        split; widen the filter, or stop the application from sending it, and start again
        """)
    #expect(error.offset == 123_456)
  }

  @Test func mutatedCommandsNeverTrap() {
    let seed: UInt64 = 8_128
    var generator = SeededGenerator(seed: seed)
    let names = CommandTable.entries.map(\.name) + ["nosuch", ""]
    let words = [
      "in:a", "out:b", "in:", "", "0", "1", "-1", "2147483648", "9223372036854775807", "STORE",
      "BY",
      "GET", "*", "in:*", "out:*", "DB", "REPLACE", "EX", "PX", "IFEQ", "KEYS", "STREAMS", "GETACK",
    ]
    for databases in [nil, [0, 3]] as [Set<Int>?] {
      for prefixes in [[], ["in:"]] {
        var router = Self.router(prefixes: prefixes, databases: databases)
        for _ in 0..<15_000 {
          var command = CommandUnderTest(
            [names.randomElement(using: &generator)!]
              + (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                words.randomElement(using: &generator)!
              })
          for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let at = Int.random(in: 0..<command.bytes.count, using: &generator)
            command.bytes[at] = UInt8.random(in: 0...255, using: &generator)
          }
          let decision = router.decide(command)
          if case .stop(let error) = decision {
            #expect(!error.description.contains("\n"), "seed \(seed)")
          }
          if case .forwardSubset(let bytes, _) = decision {
            #expect(RESP.decode(bytes, at: 0)?.range == 0..<bytes.count, "seed \(seed)")
          }
          if let bytes = AbsoluteExpiry.rewritten(
            command.bytes.span, arguments: command.arguments.span, receiptMilliseconds: 1_700_000)
          {
            #expect(RESP.decode(bytes, at: 0)?.range == 0..<bytes.count, "seed \(seed)")
          }
        }
      }
    }
  }
}
