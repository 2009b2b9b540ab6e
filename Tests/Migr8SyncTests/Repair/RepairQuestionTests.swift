// RepairQuestion: what it asks and how it reads the answer, without a server.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct RepairQuestionTests {
  static let name = KeyName(database: 0, key: Array("k".utf8))
  static let identity = String(repeating: "a", count: 40)

  static func question(_ version: String, isReplica: Bool = false) -> RepairQuestion {
    RepairQuestion(
      ServerFacts(info: "redis_version:\(version)\r\nrole:\(isReplica ? "slave" : "master")\r\n"))
  }

  static func info(isReplica: Bool = false) -> RESPValue {
    let role = isReplica ? "role:slave\r\nslave_repl_offset:7" : "role:master"
    return .bulk(
      Array("\(role)\r\nmaster_replid:\(identity)\r\nmaster_repl_offset:9\r\n".utf8))
  }

  private func words(_ question: RepairQuestion) -> [String] {
    question.commands(for: Self.name.key).map {
      $0.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }
  }

  @Test func theQuestionFitsTheServer() {
    #expect(
      words(Self.question("7.0.15"))
        == ["MULTI", "DUMP k", "PEXPIRETIME k", "INFO replication", "EXEC"])
    #expect(
      words(Self.question("6.2.5", isReplica: true)) == [
        "MULTI", "DUMP k", "PTTL k", "TIME", "MEMORY USAGE k SAMPLES 1", "INFO replication", "EXEC",
      ])
    #expect(
      words(Self.question("3.2.0", isReplica: true))
        == ["MULTI", "DUMP k", "PTTL k", "TIME", "INFO replication", "EXEC"])
  }

  @Test func aValueHasItsOffsetAndDeadline() {
    let new = Self.question("7.0.0").answer(
      .array([.bulk([1, 2]), .integer(5_000), Self.info()]), for: Self.name)
    #expect(
      new
        == RepairAnswer(
          value: RepairValue(
            name: Self.name, payload: [1, 2], expiryMilliseconds: 5_000, offset: 9),
          replicationID: Self.identity))
    let clock = RESPValue.array([.bulk(Array("1000".utf8)), .bulk(Array("7999".utf8))])
    let old = Self.question("6.2.0").answer(
      .array([.bulk([1]), .integer(50), clock, Self.info()]), for: Self.name)
    #expect(old?.value.expiryMilliseconds == 1_000_057)
    let endless = Self.question("6.2.0").answer(
      .array([.bulk([1]), .integer(-1), clock, Self.info()]), for: Self.name)
    #expect(endless?.value.payload == [1] && endless?.value.expiryMilliseconds == nil)
    let gone = Self.question("6.2.0").answer(
      .array([.bulk([1]), .integer(-2), clock, Self.info()]), for: Self.name)
    #expect(gone != nil && gone?.value.payload == nil && gone?.isSettled == true)
  }

  @Test func atAReplicaAKeyIsGoneOnlyWhenItTakesNoMemory() {
    func settled(_ version: String, _ parts: [RESPValue], asked isReplica: Bool = true) -> Bool? {
      let answer = Self.question(version, isReplica: isReplica).answer(
        .array(parts + [Self.info(isReplica: true)]), for: Self.name)
      #expect(answer == nil || answer?.value.offset == 7)
      return answer?.isSettled
    }
    #expect(settled("7.0.0", [.null, .integer(-2), .null]) == true)
    #expect(settled("7.0.0", [.null, .integer(-2), .integer(48)]) == false)
    #expect(settled("7.0.0", [.bulk([1]), .integer(-1), .integer(48)]) == true)
    // Asked while it was a master: the answer does not tell.
    #expect(settled("7.0.0", [.null, .integer(-2)], asked: false) == false)
    // Nothing better can be had of old replicas.
    #expect(settled("3.2.0", [.null, .integer(-2), .array([.integer(1), .integer(1)])]) == true)
  }

  @Test func anAnswerThatMakesNoSenseIsNone() {
    let question = Self.question("6.2.0")
    let clock = RESPValue.array([.integer(1), .integer(1)])
    for parts: [RESPValue] in [
      [], [.null], [.bulk([1]), .integer(5), clock],
      [.integer(1), .integer(5), clock, Self.info()],
      [.bulk([1]), .null, clock, Self.info()], [.bulk([1]), .integer(5), .null, Self.info()],
      [.bulk([1]), .integer(5), clock, .bulk([])],
      [.bulk([1]), .integer(.max), clock, Self.info()],
      [.bulk([1]), .integer(5), .array([.integer(.max), .integer(1)]), Self.info()],
      [.bulk([1]), .integer(5), clock, Self.info(), .null],
    ] {
      #expect(question.answer(.array(parts), for: Self.name) == nil)
    }
    #expect(question.answer(.null, for: Self.name) == nil)
  }
}
