// The test machinery itself: what every other suite here trusts.

import Glibc
import Testing

@Suite("The test support", .ownThread)
struct SupportTests {
  @Test(arguments: ServerKind.allCases)
  func everyServerStartsAndAnswers(kind: ServerKind) throws {
    let server = try TestServer(kind)
    let client = try server.client()
    try client("SET", [0, 13, 10, 255], "value")
    #expect(try client("GET", [0, 13, 10, 255]) == .bulk(Array("value".utf8)))
    #expect(try client.reply(to: "NOSUCHCOMMAND").bytes == nil)
  }

  @Test func aProcessIsDrainedAndItsExitCodeKept() throws {
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; echo e$i >&2; i=$((i+1)); done; exit 7"
    let process = try Subprocess("sh", ["-c", script])
    #expect(try process.wait(seconds: 60) == 7)
    #expect(process.standardOutput.hasSuffix("19999\n"))
    #expect(process.standardError.hasSuffix("e19999\n"))
  }

  @Test func aSignalledProcessTellsTheSignal() throws {
    let process = try Subprocess("sleep", ["60"])
    process.send(signal: SIGINT)
    #expect(try process.wait(seconds: 10) == 128 + SIGINT)
  }

  @Test func aProcessEndsWithTheLastReferenceToIt() throws {
    var process: Subprocess? = try Subprocess("sleep", ["60"])
    let identifier = try #require(process?.processIdentifier)
    #expect(kill(identifier, 0) == 0)
    process = nil
    #expect(kill(identifier, 0) == -1 && errno == ESRCH)
  }
}

/// The truth must see equal data as equal whatever the version, and see every kind of change.
@Suite("The keyspace as a server tells it", .ownThread)
struct KeyspaceTests {
  /// Redis 6.2 cannot tell an expiry time, so its reading is compared with what was set.
  @Test(arguments: ServerKind.allCases)
  func expiryTimesAreExact(kind: ServerKind) throws {
    let server = try TestServer(kind)
    try SampleData.fill(server)
    let keyspace = try Keyspace(of: server)
    let key = KeyName(database: 3, key: Array("bump:ttl-list".utf8))
    #expect(keyspace.keys[key]?.expiresAt == SampleData.farFuture + 877)
    #expect(keyspace.keys.values.count { $0.expiresAt != nil } == 25)
  }

  @Test(arguments: [ServerKind.redis62, .valkey81, .redis82])
  func aNativeReplicaOfTheSameDataIsEqual(kind: ServerKind) throws {
    let source = try TestServer(.redis62)
    let replica = try TestServer(kind)
    try SampleData.fill(source)
    let client = try replica.client()
    try client("REPLICAOF", "127.0.0.1", source.port)
    try awaitCondition("the replica") {
      try client.info("replication")["master_link_status"] == "up"
    }
    let truth = try Keyspace(of: source)
    #expect(truth.keys.count > 150)
    #expect(try Keyspace(of: replica, streams: .beforeSeven).differences(from: truth) == [])
  }

  @Test(arguments: [
    ["SET", "bump:int", "12346"], ["RPUSH", "bump:list", "c"], ["ZINCRBY", "bump:zset", "1", "a"],
    ["XACK", "bump:stream", "group", "1-2"], ["PEXPIREAT", "bump:ttl-int", "4102444800123"],
    ["HPERSIST", "bump:hash-fields", "FIELDS", "1", "b"], ["DEL", "bump:set"],
    ["SET", "new", "key"],
  ])
  func anyChangeIsSeen(change: [String]) throws {
    let server = try TestServer(.redis82)
    try SampleData.fill(server)
    let before = try Keyspace(of: server)
    _ = try server.client().pipeline([change])
    #expect(try Keyspace(of: server).differences(from: before).count == 1)
  }
}
