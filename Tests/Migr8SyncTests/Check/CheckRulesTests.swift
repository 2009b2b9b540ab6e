// The rules of check, on what servers might say that no test can make them say.

import RDBParser
import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct CheckRulesTests {
  private func survey(_ info: String, _ settings: [String: String] = [:]) -> ServerSurvey {
    var survey = ServerSurvey(endpoint: "host:6379")
    survey.facts = ServerFacts(info: info)
    survey.latencyMicroseconds = 300
    survey.clockAheadMilliseconds = 0
    survey.settings = settings
    survey.settings["databases"] = survey.settings["databases"] ?? "16"
    return survey
  }

  private func facts() -> CheckFacts {
    let source = survey("redis_version:7.0.15\r\nrun_id:a\r\nrole:master\r\nmaster_replid:1\r\n")
    let destination = survey(
      "redis_version:7.0.15\r\nrun_id:b\r\nrole:master\r\nmaster_replid:2\r\nmaxmemory:1000000\r\n"
        + "used_memory:100000\r\nmaxmemory_policy:noeviction\r\n")
    return CheckFacts(source: source, destination: destination, mapping: .identity)
  }

  private func row(_ facts: CheckFacts, _ subject: String) -> CheckFinding? {
    CheckRules.all(facts).first { $0.subject == subject }
  }

  @Test func nothingFailsWhereNothingIsWrong() {
    #expect(!CheckRules.all(facts()).contains { $0.level == .fail })
  }

  @Test func clocksThatDifferAreSeen() {
    var facts = facts()
    #expect(row(facts, "clocks")?.level == .pass)
    facts.destination.clockAheadMilliseconds = -90_000
    #expect(row(facts, "clocks")?.level == .warn)
    #expect(row(facts, "clocks")?.text.contains("1 min 30 s behind") == true)
  }

  @Test func aFarServerIsSeen() {
    var facts = facts()
    facts.destination.latencyMicroseconds = 45_000
    #expect(row(facts, "destination reachable")?.level == .warn)
  }

  @Test func modulesCountMoreWhenKeysNeedThem() {
    var facts = facts()
    facts.source.modules = ["ReJSON"]
    #expect(row(facts, "modules")?.level == .warn)
    facts.sample = KeySample(keysHeld: 1, keysSeen: 1, keysMatched: 1, types: [.module: 1])
    #expect(row(facts, "modules")?.level == .warn)
    facts.destination.modules = []
    #expect(row(facts, "modules")?.level == .fail)
    facts.destination.modules = ["search"]
    #expect(row(facts, "modules")?.level == .warn)
    facts.destination.modules = ["ReJSON"]
    #expect(row(facts, "modules")?.level == .pass)
  }

  @Test func memoryIsMeasuredAgainstWhatIsLeft() {
    var facts = facts()
    func level(_ bytes: UInt64) -> CheckFinding.Level? {
      facts.sample = KeySample(
        keysHeld: 100, keysSeen: 100, keysMatched: 10, sampled: 10, sampledBytes: bytes)
      return row(facts, "memory")?.level
    }
    #expect(level(500_000) == .pass && level(800_000) == .warn && level(1_000_000) == .fail)
  }

  @Test func destinationsThatRefuseWritesAreSeen() {
    for (info, settings) in [
      ("aof_last_write_status:err\r\n", [:]),
      ("rdb_last_bgsave_status:err\r\n", ["stop-writes-on-bgsave-error": "yes"]),
      ("connected_slaves:0\r\n", ["min-replicas-to-write": "1"]),
    ] {
      var facts = facts()
      facts.destination = survey("redis_version:7.0.15\r\nrun_id:b\r\n" + info, settings)
      #expect(row(facts, "destination writes")?.level == .fail)
    }
  }

  @Test func loadingServersAndOldOnesAreSeen() {
    var facts = facts()
    facts.source = survey("redis_version:7.0.15\r\nloading:1\r\n")
    #expect(row(facts, "source state")?.level == .fail)
    facts.destination = survey("redis_version:4.0.14\r\nloading:1\r\n")
    #expect(row(facts, "destination state")?.level == .fail)
    #expect(row(facts, "versions")?.level == .fail)
  }

  @Test func littleDiskIsSeen() {
    var facts = facts()
    facts.spoolFreeBytes = 1 << 20
    #expect(row(facts, "spool")?.level == .warn)
  }

  @Test func answersAboutRightsAreJudgedOneByOne() {
    let needed = [["psync"], ["dump", "k"], ["exec"]].map { words in
      ServerSurvey.Request(words: words.map { Array($0.utf8) })
    }
    let gone = RESPValue.error("ERR Command 'psync' not found")
    let no = RESPValue.bulk(Array("This user has no permissions to run the 'dump' command".utf8))
    #expect(
      ServerSurvey.judge(needed, [gone, no, .simple("OK")])
        == .told(denied: [needed[1]], missing: ["psync"]))
    for line in [
      "NOPERM this user has no permissions to run the 'acl|dryrun' command",
      "ERR User 'me' not found",
    ] {
      #expect(ServerSurvey.judge(needed, [gone, no, .error(line)]) == .untold(line))
    }
  }

  @Test func rightsThatAreNotToldAreAWarning() {
    var facts = facts()
    #expect(row(facts, "source rights")?.level == .warn)
    facts.source.rights = .everything
    #expect(row(facts, "source rights")?.level == .pass)
    facts.source.rights = .told(denied: [], missing: [])
    #expect(row(facts, "source rights")?.level == .pass)
    facts.source.rights = .told(denied: [], missing: ["memory"])
    #expect(row(facts, "source rights")?.level == .warn)
  }
}
