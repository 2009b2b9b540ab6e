// CommandRouter: the decision for each kind of command, and that no input makes it trap.

import Testing

@testable import Migr8Sync

/// A decision without its payload, for tables.
enum Outcome: Equatable, Sendable {
  case forward, begin, commit, abort, acknowledge, consumed, needsKeys, flush
  case subset(String)
  case translated(String)
  case renamed(String)
  case repair([String])
  case clear(ClearScope)
  case swap(Int, Int)
  case drop(DropReason)
  case resynchronise(RoutingError.Code)
  case stop(RoutingError.Code)

  init(_ decision: RoutingDecision) {
    self =
      switch decision {
      case .forward: .forward
      case .rewritten(let bytes, _, .subset): .subset(Self.text(bytes))
      case .rewritten(let bytes, _, .translated): .translated(Self.text(bytes))
      case .rewritten(let bytes, _, .renamed): .renamed(Self.text(bytes))
      case .repair(let names): .repair(names.map { String(decoding: $0.encoded, as: UTF8.self) })
      case .clear(let scope): .clear(scope)
      case .flush: .flush
      case .swap(let one, let other): .swap(one, other)
      case .needsKeys: .needsKeys
      case .resynchronise(let error): .resynchronise(error.code)
      case .drop(let reason): .drop(reason)
      case .begin: .begin
      case .commit: .commit
      case .abort: .abort
      case .acknowledge: .acknowledge
      case .consumed: .consumed
      case .stop(let error): .stop(error.code)
      }
  }

  private static func text(_ bytes: [UInt8]) -> String {
    (RESP.decode(bytes, at: 0)?.arguments ?? [])
      .map { String(decoding: bytes[$0], as: UTF8.self) }.joined(separator: " ")
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
      mapping: KeyMapping(
        KeyFilter(prefixes: prefixes.map { Array($0.utf8) }, databases: databases)),
      destinationIsOurs: ours, database: 0)
  }

  typealias Case = (command: String, outcome: Outcome)

  static let underAPrefix: [Case] = [
    ("SET in:a 1", .forward), ("set in:a 1", .forward), ("SET out:a 1", .drop(.otherKeys)),
    ("SET in 1", .drop(.otherKeys)), ("XGROUP CREATE in:a g 0", .forward),
    ("RENAME in:a in:b", .forward), ("RENAME out:a out:b", .drop(.otherKeys)),
    ("RENAME in:a out:b", .translated("UNLINK in:a")), ("RENAME out:a in:b", .repair(["0:in:b"])),
    ("RENAMENX in:a out:b", .translated("UNLINK in:a")),
    ("SMOVE in:a out:b m", .translated("SREM in:a m")),
    ("SMOVE out:a in:b m", .translated("SADD in:b m")), ("SMOVE in:a in:b m", .forward),
    ("LMOVE in:a out:b LEFT RIGHT", .translated("LPOP in:a")),
    ("BLMOVE in:a out:b right LEFT 0", .translated("RPOP in:a")),
    ("LMOVE in:a out:b x LEFT", .stop(.malformed)),
    ("LMOVE out:a in:b LEFT LEFT", .repair(["0:in:b"])),
    ("RPOPLPUSH in:a out:b", .translated("RPOP in:a")),
    ("BRPOPLPUSH out:a in:b 0", .repair(["0:in:b"])), ("BLPOP in:a out:b 0", .repair(["0:in:a"])),
    ("PFCOUNT in:a out:b", .drop(.otherKeys)), ("PFCOUNT in:a", .forward),
    ("DEL in:a in:b", .forward), ("DEL out:a out:b", .drop(.otherKeys)),
    ("DEL out:a in:b out:c in:d", .subset("DEL in:b in:d")),
    ("unlink in:b out:c", .subset("unlink in:b")), ("TOUCH out:c in:b", .subset("TOUCH in:b")),
    ("MSET in:a out:1 in:b 2", .forward), ("MSET out:a in:1", .drop(.otherKeys)),
    ("MSET in:a 1 out:b 2 in:c 3", .subset("MSET in:a 1 in:c 3")),
    ("MSETNX in:a 1 out:b 2", .subset("MSET in:a 1")), ("MSETNX in:a 1 in:b 2", .forward),
    ("SUNIONSTORE in:d in:a out:b", .repair(["0:in:d"])),
    ("SUNIONSTORE out:d in:a out:b", .drop(.otherKeys)),
    ("BITOP AND in:d in:a in:b", .forward), ("PFMERGE in:d out:a", .repair(["0:in:d"])),
    ("BITOP NOT in:d out:a", .repair(["0:in:d"])), ("BITOP NOT out:d in:a", .drop(.otherKeys)),
    ("ZRANGESTORE in:d out:a 0 -1", .repair(["0:in:d"])),
    ("GEOSEARCHSTORE out:d in:a FROMMEMBER m", .drop(.otherKeys)),
    ("ZUNIONSTORE in:d 2 in:a in:b WEIGHTS 1 2", .forward),
    ("ZUNIONSTORE in:d 2 in:a out:b", .repair(["0:in:d"])),
    ("ZUNIONSTORE out:d 2 in:a in:b", .drop(.otherKeys)),
    ("SORT in:a STORE in:d", .forward), ("SORT in:a STORE out:d", .drop(.otherKeys)),
    ("SORT out:a STORE in:d", .repair(["0:in:d"])),
    ("SORT in:a BY out:w_* STORE in:d", .repair(["0:in:d"])),
    ("SORT in:a BY in:w_* GET in:v_*->f GET # STORE in:d", .forward),
    ("SORT in:a BY nosort GET i* STORE in:d", .repair(["0:in:d"])),
    ("SORT in:a BY nosort STORE in:d", .forward),
    ("GEORADIUS in:a 1 2 3 m STORE in:d", .forward),
    ("GEORADIUS out:a 1 2 3 m STORE in:d", .repair(["0:in:d"])),
    ("GEORADIUS in:a 1 2 3 m STORE out:d", .drop(.otherKeys)),
    ("GEORADIUSBYMEMBER out:a m 3 m STOREDIST in:d", .repair(["0:in:d"])),
    ("MIGRATE h 1 in:a 0 10", .repair(["0:in:a"])),
    ("EVAL x 1 in:a out:arg", .forward), ("EVAL x 1 out:a in:arg", .drop(.otherKeys)),
    ("EVAL x 2 in:a out:b", .repair(["0:in:a"])),
    ("EVAL x 3 in:a in:b in:a", .forward),
    ("EVAL x 4 in:a out:b in:b in:a", .repair(["0:in:a", "0:in:b"])),
    ("EVAL x 0", .stop(.undeclaredKeys)),
    ("EVALSHA x 0 in:a", .stop(.undeclaredKeys)), ("FCALL f 0", .stop(.undeclaredKeys)),
    ("EVAL x 3 in:a", .stop(.malformed)), ("FLUSHDB", .flush), ("FLUSHALL ASYNC", .flush),
    ("SWAPDB 0 1", .swap(0, 1)), ("SWAPDB 1 1", .consumed),
    ("SWAPDB 0", .stop(.malformed)), ("FUNCTION LOAD x", .drop(.code)),
    ("SCRIPT LOAD x", .forward), ("SCRIPT FLUSH", .drop(.code)), ("FUNCTION", .drop(.code)),
    ("PUBLISH in:a x", .drop(.message)),
    ("SPUBLISH in:a x", .drop(.message)), ("CLUSTER SETSLOT 1 NODE x", .drop(.cluster)),
    ("MOVE in:a 1", .forward), ("MOVE out:a 1", .drop(.otherKeys)),
    ("MOVE in:a x", .stop(.malformed)),
    ("COPY in:a in:b", .forward), ("COPY out:a in:b", .repair(["0:in:b"])),
    ("COPY in:a out:b", .drop(.otherKeys)), ("COPY out:a in:b DB 7", .repair(["7:in:b"])),
    ("COPY in:a in:b DB 1 DB 2", .repair(["2:in:b"])),
    ("COPY in:a in:b DB 3 REPLACE", .forward), ("COPY out:a out:b DB 3", .drop(.otherKeys)),
    ("COPY in:a in:b REPLACE db 0", .renamed("COPY in:a in:b REPLACE")),
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
    ("SET out:a 1", .forward), ("RENAME a b", .forward), ("FLUSHDB", .flush),
    ("FLUSHALL", .flush), ("SWAPDB 0 1", .swap(0, 1)), ("FUNCTION FLUSH", .forward),
    ("FUNCTION LOAD x", .translated("FUNCTION LOAD REPLACE x")),
    ("FUNCTION LOAD REPLACE x", .forward), ("MIGRATE h 1 a 0 10", .repair(["0:a"])),
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
      ("SET a 1", .forward), ("FLUSHDB", .clear(.database(0))), ("FLUSHALL", .clear(.all)),
      ("SWAPDB 0 1", .resynchronise(.wholeDatabase)), ("SCRIPT FLUSH", .drop(.code)),
    ] as [Case]) func sparesTheDataOfOthersAtTheDestination(_ case: Case)
  {
    var router = Self.router(ours: false)
    #expect(router.outcome(`case`.command) == `case`.outcome)
  }

  /// What the destination holds says nothing: in a later run it is what the first one brought.
  @Test func functionsGoWhereEverythingGoes() {
    for command in ["FUNCTION LOAD x", "FUNCTION DELETE x"] {
      var router = Self.router(ours: false)
      #expect(router.outcome(command) != .drop(.code))
      router.movesFunctions = false
      #expect(router.outcome(command) == .drop(.code))
      router = Self.router(databases: [0])
      #expect(router.outcome(command) == .drop(.code))
    }
  }

  /// The snapshot may have brought the libraries already.
  @Test func functionsReplaceThoseThatAreThere() {
    var router = Self.router(ours: false)
    #expect(router.outcome("FUNCTION LOAD x") == .translated("FUNCTION LOAD REPLACE x"))
    #expect(router.outcome("FUNCTION LOAD REPLACE x") == .forward)
    for command in ["FUNCTION RESTORE x", "FUNCTION RESTORE x append"] {
      #expect(router.outcome(command) == .translated("FUNCTION RESTORE x REPLACE"))
    }
    #expect(router.outcome("FUNCTION RESTORE x FLUSH") == .forward)
    #expect(router.outcome("FUNCTION DELETE x") == .forward)
  }

  @Test func aDatabaseFilterDropsWhatActsElsewhere() {
    var router = Self.router(databases: [1, 2])
    #expect(router.outcome("SET a 1") == .drop(.otherDatabase))
    #expect(router.outcome("FLUSHDB") == .drop(.otherDatabase))
    #expect(router.outcome("NOSUCH a") == .drop(.otherDatabase))
    #expect(router.outcome("FLUSHALL") == .flush)
    #expect(router.outcome("SWAPDB 0 3") == .drop(.otherDatabase))
    #expect(router.outcome("SWAPDB 0 1") == .resynchronise(.wholeDatabase))
    #expect(router.outcome("MOVE a 3") == .drop(.otherDatabase))
    #expect(router.outcome("MOVE a 1") == .repair(["1:a"]))
    #expect(router.outcome("COPY a b DB 2") == .repair(["2:b"]))
    router.repairs = RepairBook()
    #expect(router.decide(CommandUnderTest("SELECT 1")) == .consumed)
    #expect(router.decide(CommandUnderTest("SET a 1")) == .forward(database: 1))
    #expect(router.outcome("MOVE a 2") == .forward)
    #expect(router.outcome("MOVE a 0") == .translated("UNLINK a"))
    #expect(router.outcome("COPY a b") == .forward)
    #expect(router.outcome("COPY a b DB 2") == .forward)
    #expect(router.outcome("COPY a b DB 1") == .renamed("COPY a b"))
    #expect(router.outcome("COPY a b DB 0") == .drop(.otherKeys))
    #expect(router.outcome("FLUSHDB") == .flush)
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

  @Test func anErrorNamesCommandDatabaseOffsetAndAdviceInOneLine() throws {
    var router = Self.router(prefixes: ["in:"])
    _ = router.outcome("SELECT 3")
    guard case .stop(let error) = router.decide(CommandUnderTest("no\nsuch in:a"), at: 123_456)
    else {
      Issue.record("not stopped")
      return
    }
    #expect(
      error.description == """
        "no\\nsuch" (db 3, offset 123456): neither this program nor the source's COMMAND knows it, \
        so its keys cannot be found; stop the application from sending it, or start again with \
        --on-unknown drop|forward
        """)
    #expect(error.offset == 123_456)
  }

  private static func renaming(_ router: CommandRouter) -> CommandRouter {
    CommandRouter(
      mapping: KeyMapping(
        router.filter, rewrites: [KeyRewrite(old: Array("in:".utf8), new: Array("x".utf8))],
        databases: [0: 2]), table: LearnedTableTests.foreign, destinationIsOurs: false, database: 0)
  }

  @Test func mutatedCommandsNeverTrap() {
    let seed: UInt64 = 8_128
    var generator = SeededGenerator(seed: seed)
    let names = CommandTable.entries.map(\.name) + ["nosuch", "", "mod.many", "mod.movable"]
    let words = [
      "in:a", "out:b", "in:", "", "0", "1", "-1", "2147483648", "9223372036854775807", "STORE",
      "BY",
      "GET", "*", "in:*", "out:*", "DB", "REPLACE", "EX", "PX", "IFEQ", "KEYS", "STREAMS", "GETACK",
    ]
    for databases in [nil, [0, 3]] as [Set<Int>?] {
      for prefixes in [[], ["in:"]] {
        var router = Self.router(prefixes: prefixes, databases: databases)
        for step in 0..<15_000 {
          // From the middle on with renames, and with keys under repair all along.
          if step == 7_500 { router = Self.renaming(router) }
          var command = CommandUnderTest(
            [names.randomElement(using: &generator)!]
              + (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                words.randomElement(using: &generator)!
              })
          for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let at = Int.random(in: 0..<command.bytes.count, using: &generator)
            command.bytes[at] = UInt8.random(in: 0...255, using: &generator)
          }
          let decision = router.decide(command, at: UInt64(step))
          if decision == .needsKeys {
            _ = router.route(
              command.bytes.span, arguments: command.arguments.span, startOffset: 1,
              askedKeys: [Array("in:a".utf8), Array("out:b".utf8)])
          }
          let explanation = decision.explanation(
            command.bytes.span, arguments: command.arguments.span, database: 0, offset: 1)
          #expect(!explanation.contains("\n"), "seed \(seed)")
          if case .stop(let error) = decision {
            #expect(!error.description.contains("\n"), "seed \(seed)")
          }
          if case .rewritten(let bytes, _, _) = decision {
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
