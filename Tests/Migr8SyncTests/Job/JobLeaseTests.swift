// What becomes of a lease that is renewed, whoever does something to it in between.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite("The lease of a job")
struct JobLeaseTests {
  private let runner = JobRunner(JobIdentity(name: "drill", rules: "", database: 0))

  /// Renews against a server that gives these answers, in this order.
  private func renew(_ answers: [String]) throws -> (JobRunner.Renewal, asked: [String]) {
    let script = Guarded((answers: answers, asked: [String]()))
    let server = try ScriptedServer { words in
      script.withLock {
        $0.asked.append(words[0])
        return $0.answers.isEmpty ? "-ERR the script is over\r\n" : $0.answers.removeFirst()
      }
    }
    let renewal: JobRunner.Renewal
    do {
      var connection = try RedisConnection.open(try RedisURL(server.url), timeouts: Timeouts())
      renewal = try runner.renew(&connection)
    }
    withExtendedLifetime(server) {}
    return (renewal, script.withLock { $0.asked })
  }

  private func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }
  private let nothing = "$-1\r\n"

  @Test func oneThatIsThereLastsLonger() throws {
    let (renewal, asked) = try renew([bulk(runner.id), ":1\r\n"])
    #expect(renewal == .renewed && asked == ["GET", "PEXPIRE"])
  }

  @Test func oneThatHasVanishedIsTakenAgain() throws {
    let (renewal, asked) = try renew([nothing, "+OK\r\n"])
    #expect(renewal == .retaken && asked == ["GET", "SET"])
  }

  /// A session of the same run, which confirms the lease on a new connection, was quicker.
  @Test func oneThatThisProcessTookItselfIsItsOwn() throws {
    let (renewal, asked) = try renew([nothing, nothing, bulk(runner.id), ":1\r\n"])
    #expect(renewal == .retaken && asked == ["GET", "SET", "GET", "PEXPIRE"])
  }

  @Test func oneThatAnotherTookIsLost() throws {
    let line = "id=7 addr=a name=migr8sync:drill:0:other:1:ab cmd=get\n"
    let (renewal, asked) = try renew([nothing, nothing, bulk("other:1:ab"), bulk(line)])
    #expect(renewal == .takenOver && asked == ["GET", "SET", "GET", "CLIENT"])
  }

  /// Whoever wrote his name and has no connection is not there.
  @Test func oneOfSomebodyWhoHasGoneIsWaitedFor() throws {
    let (renewal, _) = try renew([
      nothing, nothing, bulk("other:1:ab"), bulk("id=7 name= cmd=get\n"),
    ])
    #expect(renewal == .renewed)
  }
}
