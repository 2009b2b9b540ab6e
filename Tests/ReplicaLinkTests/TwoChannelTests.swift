// Snapshot and stream over two channels, from the real servers that offer it, while they are written to.

import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(10)))
struct TwoChannelTests {
  struct Source: Sendable, CustomTestStringConvertible {
    var name: String
    var options: [String]
    var testDescription: String { name }
    var program: String? { RealServer.provided(name) }
  }

  static let sources = [
    Source(name: "redis-8.2/redis-server", options: ["--repl-rdb-channel", "yes"]),
    Source(
      name: "valkey-8.1/valkey-server", options: ["--dual-channel-replication-enabled", "yes"]),
  ]
  static let present = sources.filter { $0.program != nil }

  private static func offset(_ client: inout RedisConnection) throws -> UInt64 {
    try #require(UInt64(information("master_repl_offset", &client) ?? ""))
  }

  /// Writes until a snapshot that takes its time is there, and some more.
  private static func play(
    _ server: RealServer, _ running: RunningLink, snapshots: Int
  ) throws -> Follower {
    var client = try server.connect()
    let follower = Follower(running)
    var number = 0
    let deadline = Clock.monotonicMilliseconds() + 2 * FakeMaster.patienceMilliseconds
    while running.link.status.phase != .following
      || running.link.status.fullResyncCount < snapshots
    {
      _ = try client.command("RPUSH", "list", "\(number)")
      number += 1
      guard Clock.monotonicMilliseconds() < deadline else {
        throw PlayError(description: "no stream: \(running.link.status)")
      }
    }
    for _ in 0..<100 {
      _ = try client.command("RPUSH", "list", "\(number)")
      number += 1
    }
    try follower.follow(to: try offset(&client))
    let numbers = try follower.numbers()
    let first = try #require(numbers.first)
    #expect(numbers == Array(first..<number))
    return follower
  }

  private static func fill(_ server: RealServer, keys: Int) throws {
    var client = try server.connect()
    let value = String(repeating: "x", count: 200)
    for key in 0..<keys { client.enqueue(["SET", "key:\(key)", value].map { Array($0.utf8) }) }
    for _ in 0..<keys { _ = try client.receive() }
  }

  @Test(
    .enabled(if: !present.isEmpty, "neither Redis 8.2 nor Valkey 8.1: run scripts/servers"),
    arguments: present, [true, false])
  func theStreamComesWhileTheSnapshotDoes(_ source: Source, isOffered: Bool) throws {
    // Longer than repl-timeout, so that the source must be content with how it is treated meanwhile.
    let server = try RealServer(
      (isOffered ? source.options : [source.options[0], "no"])
        + ["--rdb-key-save-delay", "2000", "--repl-timeout", "4"], program: source.program)
    try Self.fill(server, keys: 4_000)
    let running = RunningLink(try server.url()) { $0.usesTwoChannels = true }
    if isOffered {
      try running.await("the stream beside the snapshot") { status in
        if case .receivingSnapshot = status.phase {
          _ = status.receivedOffset
          return true
        }
        return status.phase == .following
      }
    }
    let follower = try Self.play(server, running, snapshots: 1)
    #expect(running.link.status.hasSnapshotChannel == isOffered)
    #expect(running.link.status.reconnects == 0)
    #expect(follower.snapshot.starts(with: Array("REDIS".utf8)))
    #expect(follower.snapshot.dropLast(8).last == 0xff)
    #expect(follower.snapshot.count > 4_000 * 10)
    var client = try server.connect()
    #expect(try statistic("sync_full", &client) == 1)
    try awaiting("the replica online") {
      try information("slave0", &client)?.contains("state=online") == true
    }
    // And it can be told that all is applied.
    _ = try client.command("SET", "last", "1")
    let end = try Self.offset(&client)
    try follower.follow(to: end)
    running.link.acknowledge(end, generation: running.link.readers[0].generation)
    running.link.acknowledgeNow()
    #expect(try client.command("WAIT", "1", "20000") == .integer(1))
    running.end()
  }

  @Test(
    .enabled(if: !present.isEmpty, "neither Redis 8.2 nor Valkey 8.1: run scripts/servers"),
    arguments: present)
  func aCutInTheMiddleOfBothStartsAgainAndOneLaterDoesNot(_ source: Source) throws {
    // The first snapshot does not end by itself before it is cut off.
    let server = try RealServer(
      source.options + ["--rdb-key-save-delay", "5000", "--repl-backlog-size", "64mb"],
      program: source.program)
    try Self.fill(server, keys: 2_000)
    let running = RunningLink(try server.url()) { $0.usesTwoChannels = true }
    try running.await("a snapshot") { $0.fullResyncCount == 1 }
    var client = try server.connect()
    _ = try client.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    try awaiting("the cut") {
      _ = try client.command("CLIENT", "KILL", "TYPE", "replica")
      return running.link.status.reconnects == 1
    }
    _ = try Self.play(server, running, snapshots: 2)
    #expect(running.link.status.fullResyncCount == 2)
    #expect(running.link.status.fullResyncs.last?.reason?.contains("cut off") == true)
    _ = try client.command("CLIENT", "KILL", "TYPE", "replica")
    try running.await("the way back") { $0.continuations == 1 }
    #expect(running.link.status.fullResyncCount == 2)
    running.end()
  }
}
