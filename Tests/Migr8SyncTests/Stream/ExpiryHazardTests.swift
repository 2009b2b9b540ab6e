// What the router watches about commands on keys that may expire, and what it does in place of those that
// come too late.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct ExpiryHazardTests {
  private static func router(mayExpire: Bool = true) -> CommandRouter {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    router.mayExpire = mayExpire
    return router
  }

  private static func route(
    _ text: String, _ router: inout CommandRouter, isLate: Bool
  ) -> RoutingDecision {
    let command = CommandUnderTest(text)
    return router.route(
      command.bytes.span, arguments: command.arguments.span, startOffset: 20, isLate: isLate)
  }

  static let watches: [(String, ReplyExpectation, isTimely: Bool, question: String?)] = [
    ("INCR in:a", .any, false, nil), ("SET in:a 1", .any, false, nil),
    ("SET in:a 1 PXAT 5", .any, false, nil), ("SET in:a 1 XX", .value, false, nil),
    ("SET in:a 1 IFEQ 2", .value, false, nil), ("DEL in:a", .any, false, nil),
    ("PEXPIREAT in:a 5", .effect, true, "PTTL in:a"), ("PERSIST in:a", .effect, true, "PTTL in:a"),
    ("EXPIRE in:a 5", .effect, true, "PTTL in:a"), ("RESTORE in:a 5 x", .any, false, nil),
    ("HPEXPIREAT in:a 5 GT FIELDS 2 f g", .fields, true, "HPTTL in:a FIELDS 2 f g"),
    ("HPERSIST in:a FIELDS 1 f", .fields, true, "HPTTL in:a FIELDS 1 f"),
    ("HSETEX in:a FXX PXAT 5 FIELDS 1 f v", .effect, false, nil),
  ]

  @Test(arguments: watches) func watchesWhatDependsOnTheTimeToLive(
    _ case: (String, ReplyExpectation, isTimely: Bool, question: String?)
  ) {
    var router = Self.router()
    #expect(Self.route(`case`.0, &router, isLate: false) == .forward(database: 0))
    #expect(router.watch == ExpiryWatch(expectation: `case`.1, isTimely: `case`.isTimely))
    #expect(Self.route(`case`.0, &router, isLate: true) == .forward(database: 0))
    let question = `case`.question.map { CommandUnderTest($0).bytes } ?? []
    #expect(router.watch == ExpiryWatch(expectation: `case`.1, question: question))
  }

  static let derived: [(String, instead: String?, repaired: [String])] = [
    ("COPY in:a in:b", nil, ["0:in:b"]), ("RENAME in:a in:b", "UNLINK in:a", ["0:in:b"]),
    ("SMOVE in:a in:b m", "SREM in:a m", ["0:in:b"]),
    ("LMOVE in:a in:b LEFT RIGHT", "LPOP in:a", ["0:in:b"]),
    ("RPOPLPUSH in:a in:b", "RPOP in:a", ["0:in:b"]),
    ("SUNIONSTORE in:a in:b in:c", nil, ["0:in:a"]),
    ("ZUNIONSTORE in:a 2 in:b in:c", nil, ["0:in:a"]), ("SORT in:a STORE in:b", nil, ["0:in:b"]),
    ("BITOP AND in:a in:b", nil, ["0:in:a"]), ("EVAL x 2 in:a in:b", nil, ["0:in:a", "0:in:b"]),
    ("MOVE in:a 3", "UNLINK in:a", ["3:in:a"]),
  ]

  @Test(arguments: derived) func repairsWhatIsMadeOfKeysThatMayHaveExpired(
    _ case: (String, instead: String?, repaired: [String])
  ) {
    var router = Self.router()
    let decision = Self.route(`case`.0, &router, isLate: true)
    if let instead = `case`.instead {
      #expect(decision == .rewritten(CommandUnderTest(instead).bytes, database: 0, .translated))
    } else {
      #expect(RoutingKind(decision) == .repaired)
    }
    #expect(
      Set(router.repairs.names.map { String(decoding: $0.encoded, as: UTF8.self) })
        == Set(`case`.repaired))
    // In time it passes, and is doubted when it turns out not to have been.
    var punctual = Self.router()
    #expect(RoutingKind(Self.route(`case`.0, &punctual, isLate: false)) == .forwarded)
    #expect(punctual.watch.isTimely && punctual.repairs.isEmpty)
  }

  @Test func aListThatIsRotatedPasses() {
    var router = Self.router()
    #expect(
      Self.route("LMOVE in:a in:a LEFT RIGHT", &router, isLate: true) == .forward(database: 0))
  }

  /// Before the first key with a time to live none can have expired.
  @Test func withoutTimesToLiveNothingIsLate() {
    var router = Self.router(mayExpire: false)
    #expect(Self.route("COPY in:a in:b", &router, isLate: true) == .forward(database: 0))
    #expect(!router.mayExpire)
    _ = Self.route("PEXPIREAT in:a 5", &router, isLate: true)
    #expect(router.mayExpire)
    #expect(RoutingKind(Self.route("COPY in:a in:b", &router, isLate: true)) == .repaired)
  }

  @Test func aQuestionsKeysAreFound() {
    let router = Self.router()
    for words in [["PTTL", "in:a"], ["HPTTL", "in:a", "FIELDS", "1", "f"]] {
      #expect(
        router.keysRefused(words.map { Array($0.utf8) }, database: 0)
          == [KeyName(database: 0, key: Array("in:a".utf8))])
    }
  }

  @Test func thePulseSaysHowOldACommandIsAtMost() {
    var pulse = Pulse()
    #expect(pulse.earliest(at: 5) == nil)
    pulse.note(offset: 10, milliseconds: 100)
    pulse.note(offset: 10, milliseconds: 150)
    pulse.note(offset: 30, milliseconds: 200)
    #expect(pulse.earliest(at: 9) == nil)
    #expect(pulse.earliest(at: 10) == 150)
    #expect(pulse.earliest(at: 29) == 150)
    #expect(pulse.earliest(at: 30) == 200)
    // Another history.
    pulse.note(offset: 20, milliseconds: 250)
    #expect(pulse.earliest(at: 30) == 250)
    for beat in 1...100 { pulse.note(offset: 30, milliseconds: 250 + Int64(beat)) }
    #expect(pulse.earliest(at: 29) == nil && pulse.earliest(at: 30) == 350)
  }

  @Test func onlyADestinationThatIsAheadMakesCommandsOlder() {
    let clocks = DestinationClocks()
    #expect(clocks.allowance == (DestinationClocks.ageMillisecondsMax, 0))
    clocks.noteSource(1_000)
    clocks.noteDestination(900)
    #expect(clocks.skewMilliseconds == 0)
    clocks.noteDestination(1_500)
    #expect(clocks.allowance == (DestinationClocks.ageMillisecondsMax - 500, 500))
    var reading = ClockReading()
    #expect(reading.offset(of: 10_000, between: 100, and: 200) == 9_850)
  }

  /// What a server says that had stood still is not its clock; what takes long all the time is.
  @Test func anAnswerThatTakesLongSaysNothing() {
    var reading = ClockReading()
    #expect(reading.offset(of: 10_000, between: 100, and: 102) == 9_899)
    #expect(reading.offset(of: 22_000, between: 200, and: 12_200) == nil)
    #expect(reading.offset(of: 23_000, between: 13_098, and: 13_102) == 9_900)
    var answers = 0
    while reading.offset(of: 30_000, between: 20_000, and: 20_400) == nil { answers += 1 }
    #expect((2...10).contains(answers))
  }

  @Test func importModeMakesNothingLateUntilItEnds() {
    let clocks = DestinationClocks()
    clocks.noteImport(true)
    #expect(clocks.allowance.age > Clock.monotonicMilliseconds() - DestinationClocks.unknown / 2)
    let before = Clock.monotonicMilliseconds()
    clocks.noteImport(false)
    #expect(clocks.lateMilliseconds >= before)
    #expect(clocks.allowance.age == DestinationClocks.ageMillisecondsMax)
  }
}
