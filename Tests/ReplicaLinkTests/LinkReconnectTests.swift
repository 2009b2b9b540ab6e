// The link and a fake master that cuts it at chosen moments: what is asked for next, what readers are
// told, what is left behind.

import Glibc
import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(10)))
struct LinkReconnectTests {
  private static let ping = "*1\r\n$4\r\nping\r\n"

  /// A link that follows behind offset 1000.
  private static func follow(
    _ master: FakeMaster, _ adjust: (inout LinkOptions) -> Void = { _ in }
  ) throws -> (RunningLink, FakePeer) {
    let running = RunningLink(try master.url(), adjust)
    let peer = try master.accept()
    try peer.acceptReplica(offset: 1000, framing: "$3")
    try peer.say("RDB")
    return (running, peer)
  }

  @Test func aCutInsideACommandGivesItAgain() throws {
    let master = try FakeMaster()
    let (running, first) = try Self.follow(master)
    try first.say(Self.ping + "*2\r\n$6\r\nSEL")
    #expect(try running.take(3 + 14 + 11).suffix(3) == Array("SEL".utf8))
    first.hangUp()
    let second = try master.accept()
    try second.expectReturn(to: 1014)
    try second.say("+CONTINUE\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n")
    #expect(try running.next().0 == .rewound(to: 1014))
    #expect(try running.take(23) == Array("*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n".utf8))
    running.end()
  }

  @Test func aCutInsideATransactionGoesBackToItsBeginning() throws {
    let master = try FakeMaster()
    let (running, first) = try Self.follow(master)
    try first.say(Self.ping + "*1\r\n$5\r\nMULTI\r\n" + Self.ping)
    try running.await("it all") { $0.receivedOffset == 1000 + 14 + 15 + 14 }
    first.reset()
    try master.accept().expectReturn(to: 1014)
    running.end()
  }

  /// An answer to INFO is counted in bytes, whatever a replica calls itself.
  @Test func namesThatAreNoText() throws {
    let master = try FakeMaster()
    let (running, first) = try Self.follow(master)
    try first.say(Self.ping)
    _ = try running.take(3 + 14)
    first.hangUp()
    let second = try master.accept()
    try second.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    try second.say("+OK\r\n")
    try second.expect("INFO", "replication")
    let line = Array("slave0:ip=".utf8) + [UInt8](repeating: 0xFF, count: 40) + [13, 10]
    try second.say(Array("$\(line.count * 2)\r\n".utf8) + line + line + [13, 10])
    try second.expect("PSYNC", FakePeer.identity, "1015")
    try second.say("+CONTINUE\r\n" + Self.ping)
    _ = try running.take(14)
    running.end()
  }

  /// A replica was promoted that had received one PING less.
  private static func promote(_ peer: FakePeer, to offset: UInt64) throws {
    try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    try peer.say("+OK\r\n")
    try peer.expect("INFO", "replication")
    let text =
      "master_replid:\(String(repeating: "e", count: 40))\r\nmaster_replid2:\(FakePeer.identity)\r\n"
      + "master_repl_offset:\(offset + 14)\r\nsecond_repl_offset:\(offset + 1)\r\n"
    try peer.say("$\(text.utf8.count)\r\n\(text)\r\n")
  }

  @Test func aSourceThatWasPromotedBehindUsIsFollowedFromWhereItStands() throws {
    let master = try FakeMaster()
    let (running, first) = try Self.follow(master)
    let reader = running.link.readers[0]
    try first.say(Self.ping + Self.ping + Self.ping)
    _ = try running.take(3 + 42)
    reader.release(upTo: 1014)
    first.hangUp()
    let second = try master.accept()
    try Self.promote(second, to: 1028)
    try second.expect("PSYNC", FakePeer.identity, "1029")
    let name = String(repeating: "e", count: 40)
    try second.say("+CONTINUE \(name)\r\n*1\r\n$4\r\nPONG\r\n")
    // Until the reader is told, what it has read is of the old history.
    try running.await("the new history") { $0.replicationID == name }
    #expect(reader.replicationID == FakePeer.identity)
    #expect(try running.next().0 == .rewound(to: 1028))
    #expect(reader.replicationID == name)
    // A destination that has the third PING has what this source never had.
    #expect(reader.rewind(to: 1014, applied: 1042) == .lost)
    #expect(reader.rewind(to: 1014, applied: 1028) == .done)
    #expect(try running.take(28) == Array((Self.ping + "*1\r\n$4\r\nPONG\r\n").utf8))
    #expect(reader.rewind(to: 1014, applied: 1042) == .done)
    #expect(running.link.status.fullResyncCount == 1)
    running.end()
  }

  @Test func oneThatWasPromotedBehindWhatIsAppliedIsAskedForEverything() throws {
    let master = try FakeMaster()
    let (running, first) = try Self.follow(master)
    try first.say(Self.ping + Self.ping)
    _ = try running.take(3 + 28)
    running.link.readers[0].release(upTo: 1028)
    first.hangUp()
    let second = try master.accept()
    try Self.promote(second, to: 1014)
    try second.expect("PSYNC", FakePeer.identity, "1029")
    try second.say("+FULLRESYNC \(String(repeating: "e", count: 40)) 1028\r\n$0\r\n")
    try running.await("a snapshot") { $0.fullResyncCount == 2 }
    #expect(running.link.status.fullResyncs.last?.reason?.contains("promoted 14 bytes") == true)
    running.end()
  }

  @Test func aSnapshotThatIsCutStartsAgainAndVoidsWhatWasRead() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url())
    let first = try master.accept()
    try first.acceptReplica(offset: 5, framing: "$1000")
    try first.say("half")
    #expect(try running.take(4) == Array("half".utf8))
    first.hangUp()
    let second = try master.accept()
    try second.acceptReplica(offset: 9, framing: "$4")
    try second.say("full" + Self.ping)
    guard case .snapshot(let start, let reason) = try running.next().0 else {
      Issue.record("no snapshot")
      return
    }
    #expect(start.offset == 9)
    #expect(reason?.hasPrefix("the snapshot before it was cut off") == true)
    #expect(try running.take(18) == Array(("full" + Self.ping).utf8))
    running.end()
  }

  @Test func silenceIsALostLinkAndStreamsThatMakeNoSenseAreAskedForOnceMore() throws {
    let master = try FakeMaster()
    let (running, first) = try Self.follow(master) { $0.timeouts.ioMilliseconds = 3_000 }
    try first.say(Self.ping)
    // It says nothing more, and keeps the connection.
    let second = try master.accept()
    try second.expectReturn(to: 1014)
    #expect(running.link.status.lastError?.code == .timedOut)
    try second.say("+CONTINUE\r\n" + Self.ping + "nonsense")
    let third = try master.accept()
    #expect(running.link.status.lastError?.code == .protocolViolation)
    try third.expectReturn(to: 1014)
    try third.say("+CONTINUE\r\n" + Self.ping + "nonsense")
    let fourth = try master.accept()
    try fourth.acceptReplica(offset: 77, framing: "$0")
    try running.await("a snapshot") { $0.fullResyncCount == 2 }
    #expect(running.link.status.fullResyncs.last?.reason?.contains("makes no sense") == true)
    running.end()
  }

  @Test func anOldSourceIsFollowedWithSyncAndNeverAcknowledged() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url())
    for round in 0..<2 {
      let peer = try master.accept()
      try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
      try peer.say("-ERR unknown command 'REPLCONF'\r\n")
      try peer.expect("PSYNC", "?", "-1")
      try peer.say("-ERR unknown command 'PSYNC'\r\n")
      try peer.expect("SYNC")
      try peer.say("\n\n$3\r\nRDB" + Self.ping)
      #expect(try running.take(17) == Array(("RDB" + Self.ping).utf8))
      running.link.acknowledge(14, generation: running.link.readers[0].generation)
      running.link.acknowledgeNow()
      try running.await("a while") { $0.receivedOffset == 14 }
      if round == 0 { peer.hangUp() } else { running.end() }
      #expect(try round == 0 || peer.hear() == nil)
    }
    #expect(running.link.status.fullResyncs.last?.reason?.contains("older than 2.8") == true)
  }

  @Test func aSourceThatIsNotReadyIsWaitedForVisibly() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url())
    for answer in [
      "-LOADING Redis is loading the dataset in memory", "-NOMASTERLINK Can't SYNC",
      "-ERR Can't SYNC while not connected with my master", "-BUSY script",
    ] {
      let peer = try master.accept()
      try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
      try peer.say("+OK\r\n")
      try peer.expect("PSYNC", "?", "-1")
      try peer.say(answer + "\r\n")
      try running.await("the wait") { $0.lastError?.isTemporary == true }
    }
    let peer = try master.accept()
    try peer.acceptReplica(offset: 5, framing: "$0")
    #expect(try running.awaitSnapshot().offset == 5)
    running.end()
  }

  @Test func twoHundredReconnectsLeaveNothingBehind() throws {
    let master = try FakeMaster()
    let folder = try TemporaryFolder()
    var random = SeededRandom("two hundred reconnects")
    let running = RunningLink(
      try master.url(), memoryBytes: 1, diskBytes: 64 << 20, folder: folder.path
    ) {
      $0.pauses.firstMilliseconds = 1
      $0.pauses.longestMilliseconds = 2
    }
    let first = try master.accept()
    try first.acceptReplica(offset: 0, framing: "$3")
    try first.say("RDB")
    first.hangUp()
    let block = String(repeating: Self.ping, count: 3_000)
    var offset: UInt64 = 0
    for round in 0..<200 {
      let peer = try master.accept()
      try peer.expectReturn(to: offset)
      if random.chance(4) { continue }
      try peer.say("+CONTINUE\r\n" + block + "*1\r\n")
      offset += UInt64(block.utf8.count)
      try running.await("the stream") { $0.receivedOffset == offset + 4 }
      if round % 2 == 0 { peer.reset() }
    }
    // A few files of the spool, one pipe, one connection.
    #expect(folder.openDescriptors.count < 10)
    #expect(try OpenFiles.connections(toPort: master.port).count <= 1)
    #expect(running.link.status.reconnects >= 199)
    let follower = Follower(running)
    try follower.follow(to: offset)
    #expect(
      follower.bytes.prefix(Int(offset)).elementsEqual(
        repeatElement(Array(Self.ping.utf8), count: Int(offset) / 14).joined()))
    running.end()
    #expect(try OpenFiles.connections(toPort: master.port).isEmpty)
  }

  @Test(
    .enabled(if: RecordedLink.arePresent, "no ../shared/fixtures"), arguments: RecordedLink.labels)
  func recordedLinksComeThroughInEveryCutting(_ label: String) throws {
    let recorded = try RecordedLink(label)
    var random = SeededRandom("recorded link of \(label)")
    for largest in [1 << 20, 5_000, 100, 7] {
      let master = try FakeMaster()
      let running = RunningLink(try master.url())
      let peer = try master.accept()
      let mark = recorded.mark.map { "$EOF:" + String(decoding: $0, as: UTF8.self) }
      try peer.acceptReplica(
        offset: recorded.offset, framing: mark ?? "$\(recorded.snapshot.count)")
      let snapshot = recorded.bytes[recorded.snapshot]
      try Self.say(Array(snapshot) + (recorded.mark ?? []), to: peer, largest, &random)
      if mark != nil { try peer.expect("REPLCONF", "ACK", "0") }
      try Self.say(recorded.stream, to: peer, largest, &random)
      let follower = Follower(running)
      try follower.follow(to: recorded.offset + UInt64(recorded.stream.count))
      #expect(follower.snapshot.elementsEqual(snapshot))
      #expect(follower.bytes == recorded.stream)
      try running.await("the status") { $0.boundaryOffset == follower.end }
      running.end()
    }
  }

  /// Says `bytes` in pieces, the first few thousand of them small.
  private static func say(
    _ bytes: [UInt8], to peer: FakePeer, _ largest: Int, _ random: inout SeededRandom
  ) throws {
    var position = 0
    while position < bytes.count {
      let most = position < 20_000 ? largest : 1 << 20
      let count = min(bytes.count - position, 1 + random.below(most))
      try peer.say(Array(bytes[position..<position + count]))
      position += count
    }
  }
}
