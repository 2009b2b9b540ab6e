// The link against real servers that drop it: it goes on where it was, with the fewest snapshots.

import Testing

@testable import ReplicaLink

@Suite(
  .enabled(if: RealServer.isPresent, "no redis-server on the PATH"), .timeLimit(.minutes(10)))
struct LinkResyncTests {
  private static func offset(_ client: inout RedisConnection) throws -> UInt64 {
    try #require(UInt64(information("master_repl_offset", &client) ?? ""))
  }

  @Test func aLinkThatIsKilledAgainAndAgainGoesOnWithoutASnapshot() throws {
    let server = try RealServer(["--repl-backlog-size", "64mb"])
    var client = try server.connect()
    let running = RunningLink(try server.url())
    let follower = Follower(running)
    _ = try running.await("the stream") { $0.phase == .following }
    let kills = 30
    var next = 0
    for round in 0..<kills {
      for _ in 0..<200 {
        _ = try client.command("RPUSH", "list", "\(next)")
        next += 1
      }
      if round % 3 == 0 {
        _ = try client.command("MULTI")
        for _ in 0..<20 {
          _ = try client.command("RPUSH", "list", "\(next)")
          next += 1
        }
        _ = try client.command("EXEC")
      }
      let before = running.link.status.reconnects
      try awaiting("a link to kill") {
        try client.command("CLIENT", "KILL", "TYPE", "replica").integer == 1
      }
      try running.await("the loss") { $0.reconnects > before }
    }
    try follower.follow(to: try Self.offset(&client))
    #expect(try follower.numbers() == Array(0..<next))
    #expect(follower.snapshots == 1)
    #expect(try statistic("sync_full", &client) == 1)
    try running.await("the last of them") { $0.continuations == kills }
    #expect(try statistic("sync_partial_ok", &client) == kills)
    running.end()
  }

  @Test func aBacklogThatIsTooSmallLeadsToASnapshotThatSaysSo() throws {
    let server = try RealServer(["--repl-backlog-size", "16kb"])
    var client = try server.connect()
    let running = RunningLink(try server.url()) {
      $0.pauses.firstMilliseconds = 1000
      $0.pauses.longestMilliseconds = 1000
    }
    let follower = Follower(running)
    _ = try running.await("the stream") { $0.phase == .following }
    _ = try client.command("CLIENT", "KILL", "TYPE", "replica")
    try running.await("the loss") { $0.reconnects == 1 }
    let value = String(repeating: "x", count: 1 << 20)
    for _ in 0..<3 { _ = try client.command("SET", "key", value) }
    try running.await("a snapshot") { $0.fullResyncCount == 2 && $0.phase == .following }
    _ = try client.command("RPUSH", "list", "7")
    try follower.follow(to: try Self.offset(&client))
    #expect(follower.snapshots == 1 || follower.snapshots == 2)
    let reason = try #require(running.link.status.fullResyncs.last?.reason)
    #expect(
      reason.contains("the backlog begins") && reason.contains("B after what we have"), "\(reason)")
    #expect(try statistic("sync_full", &client) == 2)
    #expect(try statistic("sync_partial_err", &client) == 1)
    running.end()
  }

  @Test func anEmptySuccessorIsNamedAsTheReason() throws {
    let first = try RealServer([])
    let second = try RealServer([])
    let address = Swappable(try first.url())
    let running = RunningLink({ address.url })
    try running.await("the stream") { $0.phase == .following }
    address.url = try second.url()
    var client = try first.connect()
    _ = try client.command("CLIENT", "KILL", "TYPE", "replica")
    try running.await("a snapshot") { $0.fullResyncCount == 2 }
    let reason = try #require(running.link.status.fullResyncs.last?.reason)
    #expect(reason.contains("does not know the replication id"), "\(reason)")
    #expect(running.link.status.address == "127.0.0.1:\(second.port)")
    running.end()
  }

  @Test func aPromotedReplicaGoesOnUnderItsNewId() throws {
    let first = try RealServer([])
    let second = try RealServer([
      "--replicaof", "127.0.0.1 \(first.port)", "--repl-ping-replica-period", "1",
    ])
    var old = try first.connect()
    var new = try second.connect()
    try awaiting("replication") { try information("master_link_status", &new) == "up" }
    let address = Swappable(try first.url())
    let running = RunningLink({ address.url })
    let follower = Follower(running)
    try running.await("the stream") { $0.phase == .following }
    for number in 0..<100 { _ = try old.command("RPUSH", "list", "\(number)") }
    let goal = try Self.offset(&old)
    try running.await("everything") { $0.boundaryOffset >= goal }
    try awaiting("the replica has it all") { try Self.offset(&new) >= goal }
    address.url = try second.url()
    _ = try new.command("REPLICAOF", "NO", "ONE")
    _ = try? old.command("SHUTDOWN", "NOSAVE", "NOW")
    try running.await("the new master") { $0.continuations == 1 }
    for number in 100..<200 { _ = try new.command("RPUSH", "list", "\(number)") }
    try follower.follow(to: try Self.offset(&new))
    #expect(try follower.numbers() == Array(0..<200))
    #expect(follower.snapshots == 1)
    #expect(running.link.status.replicationID == (try information("master_replid", &new)))
    #expect(try statistic("sync_full", &new) == 0)
    running.end()
  }

  @Test func aCheckpointIsEnoughToGoOn() throws {
    let server = try RealServer([])
    var client = try server.connect()
    let running = RunningLink(try server.url())
    try running.await("the stream") { $0.phase == .following }
    _ = try client.command("RPUSH", "list", "0")
    let offset = try Self.offset(&client)
    try running.await("everything") { $0.boundaryOffset >= offset }
    let place = ReplicationPlace(
      replicationID: try #require(running.link.status.replicationID), offset: offset)
    running.end()
    _ = try client.command("RPUSH", "list", "1")
    let url = try server.url()
    let again = RunningLink({ url }, resumingFrom: place)
    let follower = Follower(again)
    try follower.follow(to: try Self.offset(&client))
    #expect(again.events.first == .stream(place))
    #expect(try follower.numbers() == [1])
    #expect(try statistic("sync_full", &client) == 1)
    again.end()
  }

  @Test func aReaderThatAsksForASnapshotGetsOne() throws {
    let server = try RealServer([])
    var client = try server.connect()
    let url = try server.url()
    let running = RunningLink({ url }, readerCount: 2)
    try running.await("the stream") { $0.phase == .following }
    for reader in 0..<2 { _ = try running.awaitSnapshot(reader) }
    running.link.readers[0].requestSnapshot("this destination was emptied")
    try running.await("a snapshot") { $0.fullResyncCount == 2 }
    // The other one, which does not know of it, asks for the same reason: that is answered already.
    running.link.readers[1].requestSnapshot("this one too")
    for reader in 0..<2 { _ = try running.awaitSnapshot(reader) }
    #expect(
      running.events.contains { event in
        if case .snapshot(_, "this destination was emptied") = event { true } else { false }
      })
    #expect(try statistic("sync_full", &client) == 2)
    running.end()
  }

  @Test func aSourceThatWaitsForItsOwnMasterIsWaitedFor() throws {
    let server = try RealServer(["--replicaof", "127.0.0.1 1"])
    let running = RunningLink(try server.url())
    try running.await("the wait") { $0.lastError?.code == .masterLinkDown }
    var client = try server.connect()
    _ = try client.command("REPLICAOF", "NO", "ONE")
    _ = try running.awaitSnapshot()
    running.end()
  }
}
