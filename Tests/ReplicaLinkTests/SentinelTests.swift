// ServerLocator against sentinels and servers that are played: each of their states, and the one line
// that an operator gets for it.

import Foundation
import Synchronization
import Testing

@testable import ReplicaLink

@Suite struct SentinelTests {
  static let timeouts = Timeouts(connectMilliseconds: 3_000, ioMilliseconds: 10_000)

  private func locator(
    _ sentinels: [Endpoint], master: String = "main", login: String = "",
    prefersReplica: Bool = false
  ) throws -> ServerLocator {
    let hosts = sentinels.map(\.description).joined(separator: ",")
    return ServerLocator(
      try RedisURL("redis+sentinel://\(login)\(hosts)/\(master)"), timeouts: Self.timeouts,
      prefersReplica: prefersReplica)
  }

  private func failure(_ locator: ServerLocator) throws -> LinkError {
    let error = try #require(throws: LinkError.self) { try locator.locate() }
    #expect(!"\(error)".contains("\n"))
    return error
  }

  @Test func aPlainURLAnswersItselfWithoutAQuestion() throws {
    let url = try RedisURL("redis://u:p@nowhere.invalid:1/2")
    let found = try ServerLocator(url, timeouts: Self.timeouts).find()
    #expect(found.url.description == url.description)
    #expect(found.remark == nil)
  }

  @Test func theFirstSentinelThatAnswersIsAsked() throws {
    let master = try ScriptedServer.server { ["role:master"] }
    let sentinel = try ScriptedServer.sentinel { master }
    let stranger = try ScriptedServer.sentinel { nil }
    let (dead, order) = (try DeadEnd(), [stranger.endpoint, sentinel.endpoint])
    let url = try locator([dead.endpoint] + order).locate()
    #expect(url.endpoint == master.endpoint)
    // The login is for the master, and the played one knows no AUTH.
    let error = try failure(try locator(order, login: "u:p@"))
    #expect(error.code == .rejected && "\(error)".contains("\(master.endpoint)"), "\(error)")
  }

  @Test func noSentinelAnswers() throws {
    let dead = [try DeadEnd(), try DeadEnd()]
    let error = try failure(try locator(dead.map(\.endpoint)))
    #expect(error.code == .refused && error.isRetryable)
    for end in dead { #expect("\(error)".contains("\(end.endpoint): connection refused")) }
  }

  /// One that takes the connection and says nothing does not hold up the next for the time that a reply
  /// may take otherwise: an hour, here.
  @Test func aSentinelThatHangs() throws {
    let master = try ScriptedServer.server { ["role:master"] }
    let sentinel = try ScriptedServer.sentinel { master }
    let hanging = try FakeMaster()
    let url = try locator([.tcp(host: "127.0.0.1", port: hanging.port), sentinel.endpoint]).url
    let patient = ServerLocator(
      url, timeouts: Timeouts(connectMilliseconds: 3_000, ioMilliseconds: 3_600_000))
    #expect(try patient.locate().endpoint == master.endpoint)
  }

  @Test func theMasterIsUnknown() throws {
    let sentinel = try ScriptedServer.sentinel { nil }
    let error = try failure(try locator([sentinel.endpoint], master: "mian"))
    #expect(error.code == .rejected && !error.isRetryable)
    #expect("\(error)".contains("no master called mian (it knows other, main)"), "\(error)")
  }

  @Test func aServerInPlaceOfASentinel() throws {
    let server = try ScriptedServer.server { [] }
    let error = try failure(try locator([server.endpoint]))
    #expect("\(error)".contains("it is a server, not a sentinel"), "\(error)")
  }

  @Test func theSentinelsOwnPassword() throws {
    let master = try ScriptedServer.server { ["role:master"] }
    let heard = Guarded<[[String]]>([])
    let port = master.port
    let sentinel = try ScriptedServer { command in
      heard.withLock { $0.append(command) }
      guard heard.withLock({ $0.contains(["AUTH", "watch", "secret"]) }) else {
        return "-NOAUTH Authentication required.\r\n"
      }
      return command[0] == "AUTH" ? "+OK\r\n" : ScriptedServer.list(["127.0.0.1", "\(port)"])
    }
    let refused = try failure(try locator([sentinel.endpoint]))
    #expect(refused.code == .authentication, "\(refused)")
    let url = try RedisURL(
      "redis+sentinel://\(sentinel.endpoint)/main?sentinel-user=watch&sentinel-password=secret")
    let found = try ServerLocator(url, timeouts: Self.timeouts).locate()
    #expect(found.endpoint == master.endpoint && found.credentials == nil)
  }

  /// During a failover Sentinel's answer may be ahead of the server's.
  @Test func anAddressThatIsNoMasterYetIsAskedAgain() throws {
    let questions = Atomic<Int>(0)
    let master = try ScriptedServer.server {
      questions.add(1, ordering: .relaxed).newValue < 3 ? ["role:slave"] : ["role:master"]
    }
    let sentinel = try ScriptedServer.sentinel { master }
    #expect(try locator([sentinel.endpoint]).locate().endpoint == master.endpoint)
    #expect(questions.load(ordering: .relaxed) == 3)
  }

  @Test func anAddressThatStaysAReplicaIsAnError() throws {
    let replica = try ScriptedServer.server { ["role:slave"] }
    let sentinel = try ScriptedServer.sentinel { replica }
    let url = try locator([sentinel.endpoint]).url
    let impatient = ServerLocator(
      url, timeouts: Timeouts(connectMilliseconds: 2_000, ioMilliseconds: 10_000))
    let error = try failure(impatient)
    #expect(error.code == .notMaster && error.isRetryable)
    #expect("\(error)".contains("the master main by the word of the sentinel"), "\(error)")
  }

  @Test func aBellEndsTheSearch() throws {
    let replica = try ScriptedServer.server { ["role:slave"] }
    let sentinel = try ScriptedServer.sentinel { replica }
    let patient = ServerLocator(
      try locator([sentinel.endpoint]).url,
      timeouts: Timeouts(connectMilliseconds: 3_600_000, ioMilliseconds: 3_600_000))
    let bell = WakePipe()
    bell.ring()
    let error = try #require(throws: LinkError.self) { try patient.locate(interrupt: bell) }
    #expect(error.code == .stopped)
  }

  /// A stale sentinel names the old master, which is gone; the next one knows better.
  @Test func aDeadMasterIsNotTheLastWord() throws {
    let master = try ScriptedServer.server { ["role:master"] }
    let gone = try DeadEnd()
    let stale = try ScriptedServer { _ in ScriptedServer.list(["127.0.0.1", "\(gone.port)"]) }
    let sentinel = try ScriptedServer.sentinel { master }
    let url = try locator([stale.endpoint, sentinel.endpoint]).locate()
    #expect(url.endpoint == master.endpoint)
    let error = try failure(try locator([stale.endpoint]))
    #expect(error.code == .refused && error.isRetryable, "\(error)")
  }

  @Test func whoMayNotAskForTheRoleBelievesSentinel() throws {
    let master = try ScriptedServer { _ in "-NOPERM this user has no permissions\r\n" }
    let sentinel = try ScriptedServer.sentinel { master }
    #expect(try locator([sentinel.endpoint]).locate().endpoint == master.endpoint)
    let found = try locator([sentinel.endpoint], prefersReplica: true).find()
    #expect(found.url.endpoint == master.endpoint)
    #expect(found.remark?.contains("may not be asked for its replicas") == true)
  }

  // MARK: - Replicas

  private static func line(
    _ number: Int, _ port: UInt16, offset: Int, state: String = "online"
  ) -> String {
    "slave\(number):ip=127.0.0.1,port=\(port),state=\(state),offset=\(offset),lag=0"
  }

  private func replica(
    _ offset: Int, _ lines: [String] = ["master_link_status:up"], id: String = "a"
  ) throws -> ScriptedServer {
    try ScriptedServer.server {
      ["role:slave", "master_replid:\(id)", "master_repl_offset:\(offset)"] + lines
    }
  }

  private func find(_ master: ScriptedServer) throws -> ServerLocator.Place {
    try ServerLocator(
      try RedisURL("redis://\(master.endpoint)/1"), timeouts: Self.timeouts, prefersReplica: true
    ).find()
  }

  @Test func theReplicaWithTheSmallestLagIsPreferred() throws {
    let (far, near) = (try replica(50), try replica(90))
    let ports = (far.port, near.port)
    let master = try ScriptedServer.server {
      [
        "role:master", "master_replid:a", "master_repl_offset:100", Self.line(0, 0, offset: 100),
        Self.line(1, ports.0, offset: 50), Self.line(2, ports.1, offset: 90),
      ]
    }
    let found = try find(master)
    #expect(found.url.endpoint == near.endpoint && found.url.database == 1)
    #expect(
      found.remark
        == "attaching to \(near.endpoint), a replica of \(master.endpoint), 10 bytes behind")
  }

  @Test func aReplicaThatWillNotDoIsPassedOver() throws {
    let down = try replica(99, ["master_link_status:down"])
    let other = try replica(98, id: "b")
    let promoted = try ScriptedServer.server { ["role:master", "master_replid:a"] }
    let (gone, good) = (try DeadEnd(), try replica(10))
    let ports = (down.port, other.port, promoted.port, good.port)
    let master = try ScriptedServer.server {
      [
        "role:master", "master_replid:a", "master_repl_offset:100",
        Self.line(0, ports.0, offset: 99), Self.line(1, ports.1, offset: 98),
        Self.line(2, ports.2, offset: 97), Self.line(3, gone.port, offset: 96),
        Self.line(4, ports.3, offset: 95, state: "wait_bgsave"), Self.line(5, ports.3, offset: 10),
      ]
    }
    #expect(try find(master).url.endpoint == good.endpoint)
  }

  @Test func withoutAReplicaTheMasterIsTakenAndThatIsSaid() throws {
    let lonely = try ScriptedServer.server { ["role:master", Self.line(0, 0, offset: 1)] }
    let found = try find(lonely)
    #expect(found.url.endpoint == lonely.endpoint)
    #expect(found.remark?.contains("no replica is attached") == true, "\(found)")

    let gone = try DeadEnd()
    let master = try ScriptedServer.server { ["role:master", Self.line(0, gone.port, offset: 1)] }
    let other = try find(master)
    #expect(other.url.endpoint == master.endpoint)
    #expect(other.remark?.contains("\(gone.endpoint): connection refused") == true, "\(other)")
  }

  @Test func aReplicaThatIsNamedIsTaken() throws {
    let named = try replica(5)
    let found = try find(named)
    #expect(found.url.endpoint == named.endpoint && found.remark == nil)
  }

  @Test func linesThatMakeNoSenseAreNoReplicas() {
    let facts = ReplicationFacts(
      info: """
        role:master\r
        slave0:ip=h,port=70000,state=online,offset=1,lag=0\r
        slave1:port=1,state=online\r
        slave2:\r
        slave_read_only:ip=h,port=1,state=online\r
        slave3:ip=::1,port=7,state=online,offset=-1,lag=x,type=replica\r
        """)
    let one = ReplicationFacts.Replica(
      endpoint: .tcp(host: "::1", port: 7), offset: 0, lagSeconds: .max)
    #expect(facts.replicas == [one])
  }
}
