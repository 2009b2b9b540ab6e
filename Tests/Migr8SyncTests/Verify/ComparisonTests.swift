// The decisions of verify and delete that need no server.

import RDBParser
import Testing

@testable import Migr8Sync

@Suite struct ComparisonTests {
  private let rules = ComparisonRules(toleranceMilliseconds: 1_000)
  private let now: Int64 = 1_700_000_000_000

  /// The state of a string of one byte.
  private func state(_ byte: UInt8, expiry: Int64? = nil) throws -> KeyState {
    let value: [UInt8] = [1, byte]
    var payload = DumpPayload(type: .string)
    payload.update(value.span)
    let footer = payload.footer(version: 6)
    let bytes = [0] + value + (0..<10).map { footer[$0] }
    return try RawState(payload: bytes, expiryMilliseconds: expiry).state(now: now)
  }

  @Test func eachCauseHasItsName() throws {
    let one = try state(65)
    #expect(rules.compare(one, one, now: now) == .same)
    #expect(rules.compare(.missing, .missing, now: now) == .same)
    #expect(rules.compare(one, .missing, now: now) == .different(.missing))
    #expect(rules.compare(.missing, one, now: now) == .different(.extra))
    #expect(rules.compare(one, try state(66), now: now) == .different(.value))
    #expect(rules.compare(one, try state(65, expiry: now * 2), now: now) == .different(.ttl))
  }

  @Test func timesMayLieApartByTheTolerance() throws {
    let far = now * 2
    for (other, isSame) in [(far + 1_000, true), (far + 1_001, false), (far - 1_000, true)] {
      #expect(rules.isSame(far, other) == isSame)
    }
    #expect(!rules.isSame(far, nil) && rules.isSame(nil, nil) && !rules.isSame(.min, .max))
  }

  /// A key that is gone at one end and about to go at the other is no difference yet.
  @Test func whatIsAboutToExpireIsWaitedFor() throws {
    #expect(rules.compare(try state(65, expiry: now + 500), .missing, now: now) == .expiring)
    #expect(rules.compare(.missing, try state(65, expiry: now - 5), now: now) == .expiring)
    let later = try state(65, expiry: now + 60_000)
    #expect(rules.compare(later, .missing, now: now) == .different(.missing))
  }

  @Test func suspectsComeInGroupsOfOneDatabase() {
    var book = SuspectBook()
    for number in 0..<3_000 {
      let name = KeyName(database: number % 2, key: Array("\(number)".utf8))
      book.add(Suspect(name, page: UInt64(3 + number)))
    }
    #expect(book.firstPage == 3)
    let first = book.takeDue(now: 0)
    #expect(first.count == SuspectBook.groupMax && first.allSatisfy { $0.name.database == 0 })
    var sizes: [Int] = []
    while !book.isEmpty { sizes.append(book.takeDue(now: 0).count) }
    #expect(sizes.reduce(0, +) == 3_000 - SuspectBook.groupMax)
    #expect(book.firstPage == nil)
  }

  @Test func aSuspectIsTriedSoOftenAndNoMore() {
    var book = SuspectBook()
    book.add(Suspect(KeyName(database: 0, key: []), page: 1))
    var now: Int64 = 0
    var rounds = 0
    while let suspect = book.takeDue(now: now).first {
      rounds += 1
      if !book.putBack(suspect, now: now) { break }
      #expect(book.takeDue(now: now).isEmpty)
      now = book.firstDueMilliseconds ?? now
    }
    #expect(rounds == SuspectBook.attemptsMax && book.isEmpty)
    #expect((5_000...40_000).contains(now))
  }

  @Test func aPlaceIsReadAsItIsWritten() {
    let place = VerifyPlace(
      looksForExtra: true, database: 3, cursor: Array("184".utf8), route: 2, runID: "0a1b2c3d",
      foundDifferences: true)
    #expect(place.text == "2:extra:3:184:0a1b2c3d:differ" && VerifyPlace(place.text) == place)
    #expect(place.option == "--from 2:extra:3:184:0a1b2c3d:differ")
    var hostile = place
    hostile.cursor = Array("$(x)".utf8)
    #expect(hostile.option == "--from '2:extra:3:$(x):0a1b2c3d:differ'")
    for text in [
      "", "0:keys:0:0:x", "0:keys:-1:0:x:same", "0:other:0:0:x:same", "0:keys:0:a:x:same",
    ] { #expect(VerifyPlace(text) == nil) }
  }

  @Test func aRateIsHeld() {
    var pace = Pace(perSecondMax: 1_000)
    #expect(pace.add(500, now: 0) == 500)
    #expect(pace.add(500, now: 1_000) == 0)
    #expect(pace.add(1_000, now: 1_500) == 500)
    var free = Pace(perSecondMax: nil)
    #expect(free.add(1_000_000, now: 0) == 0)
  }

  @Test func aSlowServerIsGivenWay() {
    var throttle = LatencyThrottle(microsecondsMax: 10_000)
    let start = throttle.batch
    #expect(throttle.measured(batch: 400, ping: 500) == 400 && throttle.batch > start)
    for _ in 0..<10 { #expect(throttle.measured(batch: 400, ping: 20_500) == 180_000) }
    #expect(throttle.batch == LatencyThrottle.batchMin)
    #expect(throttle.measured(batch: 400, ping: 60_000_000) == 1_000_000)
    for _ in 0..<100 { _ = throttle.measured(batch: 1, ping: 1) }
    #expect(throttle.batch == LatencyThrottle.batchMax)
  }

  /// What takes long because the server is far away does not make it slower still.
  @Test func aLongWayIsNoTrouble() {
    var throttle = LatencyThrottle(microsecondsMax: 10_000)
    for _ in 0..<100 { #expect(throttle.measured(batch: 90_000, ping: 30_000) == 1_000) }
    #expect(throttle.batch == LatencyThrottle.batchMax)
  }

  /// Each of a thousand is kept about as often as another.
  @Test func aSampleIsFair() {
    var random = SystemRandomNumberGenerator()
    var times = [Int](repeating: 0, count: 1_000)
    for _ in 0..<200 {
      var reservoir = Reservoir<Int>(countMax: 100)
      for number in 0..<1_000 { reservoir.offer(number, &random) }
      #expect(reservoir.kept.count == 100 && Set(reservoir.kept).count == 100)
      for number in reservoir.kept { times[number] += 1 }
    }
    // 20 times each; the first and the last tenth alike, ten standard deviations wide.
    for part in [times[..<100], times[900...]] {
      #expect((1_600...2_400).contains(part.reduce(0, +)))
    }
  }

  @Test func idsFollowEachOther() {
    for (id, next) in [("5-1", "5-2"), ("5-18446744073709551615", "6-0")] {
      #expect(PairReader.following(Array(id.utf8)) == Array(next.utf8))
    }
    #expect(PairReader.following(Array("x".utf8)) == nil)
  }
}
