// Numbers that no server means: they must not end the program, whatever is worked out from them.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite("Numbers in servers' answers")
struct ServerAnswerTests {
  private func time(_ seconds: String, _ microseconds: String) -> Int64? {
    RESPValue.array([.bulk(Array(seconds.utf8)), .bulk(Array(microseconds.utf8))]).milliseconds
  }

  @Test func aTimeIsOneThatCanBeReckonedWith() throws {
    #expect(time("1700000000", "123456") == 1_700_000_000_123)
    #expect(time("0", "0") == 0)
    let answers = [
      ("-9223372036854775", "0"), ("9223372036854775", "0"), ("1", "-9223372036854775808"),
      ("0", "1000000"),
    ]
    for (seconds, microseconds) in answers { #expect(time(seconds, microseconds) == nil) }
    let last = try #require(time("8796093022207", "999999"))
    var reading = ClockReading()
    #expect(reading.offset(of: last, between: 10, and: 20) == last - 15)
    #expect(RepairQuestion.deadline(.max, .array([.integer(1), .integer(0)])) == nil)
  }

  @Test func aDatabaseHasANumber() {
    let facts = ServerFacts(
      info: "db0:keys=3,expires=0\ndb-5:keys=1\ndb7:keys=18446744073709551615\ndbx:keys=1\n")
    #expect(facts.keyCounts == [0: 3, 7: .max])
    #expect(facts.keyCount == .max)
  }

  @Test func moreCommandsThanAnyServerHasAreNotLearned() {
    let rows = (0..<70_000).map { number in
      RESPValue.array([
        .bulk(Array("x\(number)".utf8)), .integer(2), .array([]), .integer(1), .integer(1),
        .integer(1),
      ])
    }
    let table = CommandTable.learned(from: .array(rows))
    let (last, beyond) = (CommandTable.learnedMax - 1, CommandTable.learnedMax)
    #expect(table.shape(named: Array("x\(last)".utf8).span) != nil)
    #expect(table.shape(named: Array("x\(beyond)".utf8).span) == nil)
    #expect(table.shape(named: Array("set".utf8).span) != nil)
  }
}
