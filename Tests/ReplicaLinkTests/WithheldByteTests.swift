// What an acknowledgement says: never the source's own offset, unless the source shuts down.

import Testing

@testable import ReplicaLink

@Suite struct WithheldByteTests {
  private let question = Array("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n".utf8)
  private let ping = Array("*1\r\n$4\r\nping\r\n".utf8)

  private func receive(_ rule: inout WithheldByte, _ bytes: [UInt8], now: Int64) {
    bytes.withUnsafeBytes { rule.received($0, now: now) }
  }

  @Test func whatIsBehindIsAcknowledgedExactly() {
    let rule = WithheldByte(now: 0)
    for applied: UInt64 in [0, 1, 99] {
      #expect(rule.acknowledged(applied: applied, received: 100, now: 10_000) == applied)
    }
  }

  @Test func theLastByteReceivedIsWithheld() {
    var rule = WithheldByte(now: 0)
    #expect(rule.acknowledged(applied: 0, received: 0, now: 10_000) == 0)
    #expect(rule.acknowledged(applied: 100, received: 100, now: 10_000) == 99)
    receive(&rule, ping, now: 1)
    #expect(rule.acknowledged(applied: 114, received: 114, now: 1_000_000) == 113)
    // Applied in a history that is over.
    #expect(rule.acknowledged(applied: 500, received: 114, now: 1_000_000) == 113)
  }

  /// WAIT needs the end of the write, which is where the question begins.
  @Test func theAnswerToAQuestionCoversWhatCameBeforeIt() {
    var rule = WithheldByte(now: 0)
    receive(&rule, question, now: 0)
    #expect(rule.acknowledged(applied: 137, received: 137, now: 0) >= 100)
    #expect(rule.acknowledged(applied: 100, received: 137, now: 0) == 100)
  }

  @Test func silenceBehindAQuestionFreesTheByte() {
    let quiet = WithheldByte.quietMilliseconds
    for size in 1...question.count {
      var rule = WithheldByte(now: 0)
      receive(&rule, ping, now: 0)
      for start in stride(from: 0, to: question.count, by: size) {
        receive(&rule, Array(question[start..<min(start + size, question.count)]), now: 5)
      }
      #expect(rule.acknowledged(applied: 51, received: 51, now: 5 + quiet - 1) == 50)
      #expect(rule.acknowledged(applied: 51, received: 51, now: 5 + quiet) == 51)
      receive(&rule, ping, now: 9_000)
      #expect(rule.acknowledged(applied: 65, received: 65, now: 9_000 + quiet) == 64)
    }
  }
}
