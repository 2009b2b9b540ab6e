// The link against a master played by the test: what it sends, what reaches the spool, how it ends.

import Glibc
import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(10)))
struct ReplicaLinkTests {
  @Test func snapshotAndStreamReachTheSpoolWithoutTheHandshake() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url("bob:pw@"))
    let peer = try master.accept()
    #expect(running.link.status.phase == .connecting)
    try peer.say("\n")
    try peer.expect("AUTH", "bob", "pw")
    try peer.say("\n\n+OK\r\n")
    try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    try peer.say("-ERR Unrecognized REPLCONF option: capa\r\n")
    try peer.expect("PSYNC", "?", "-1")
    try peer.say("\n+FULLRESYNC \(FakePeer.identity) 77\r\n\n\n")
    try running.await("acceptance") { $0.phase == .waitingForSnapshot }
    try peer.say("\n$5\r\n\n\r\n\nS\n*1\r\n")
    let start = try running.awaitSnapshot()
    let expected = SnapshotStart(
      replicationID: FakePeer.identity, offset: 77, framing: .length(5))
    #expect(start == expected)
    #expect(try running.take(10) == Array("\n\r\n\nS\n*1\r\n".utf8))
    try running.await("the stream") { $0.phase == .following }
    #expect(
      running.events == [
        .snapshot(expected, reason: nil), .snapshotEnd,
        .stream(ReplicationPlace(replicationID: FakePeer.identity, offset: 77)),
      ])
    try running.await("the status") { $0.receivedOffset == 82 }
    #expect(running.link.status.boundaryOffset == 77)
    running.end()
  }

  @Test func acknowledgesWithTheAppliedOffsetAndSendsNothingElse() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url())
    let peer = try master.accept()
    try peer.acceptReplica(offset: 500, framing: "$0")
    // Before the reader knows of the snapshot, nothing can be applied of it.
    running.link.acknowledge(500, generation: running.link.readers[0].generation)
    try peer.expect("REPLCONF", "ACK", "0")
    _ = try running.awaitSnapshot()
    running.link.acknowledge(500, generation: running.link.readers[0].generation)
    // All but the last byte received: see WithheldByte.
    try peer.expect("REPLCONF", "ACK", "499")
    try peer.expect("REPLCONF", "ACK", "499")
    for _ in 0..<100 { try peer.say("*1\r\n$4\r\nping\r\n") }
    try running.await("the stream") { $0.boundaryOffset == 1900 }
    running.link.acknowledge(1234, generation: running.link.readers[0].generation)
    running.link.acknowledge(900, generation: running.link.readers[0].generation)
    running.link.acknowledgeNow()
    try peer.expectAcknowledgement(of: 1234)
    // No more than was received.
    running.link.acknowledge(UInt64(Int64.max), generation: running.link.readers[0].generation)
    running.link.acknowledgeNow()
    try peer.expectAcknowledgement(of: 1899)
    running.end()
    #expect(try peer.hear() == nil)
    #expect(peer.commands.dropFirst(2).allSatisfy { $0.prefix(2) == ["REPLCONF", "ACK"] })
  }

  @Test func aMasterThatWaitsForTheFirstAckBehindTheMarkGetsItAgainAndAgain() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url())
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$EOF:\(FakePeer.mark)")
    try peer.say("REDIS…" + FakePeer.mark.prefix(13))
    try peer.say(String(FakePeer.mark.dropFirst(13)))
    // The first ones count for nothing at a master that has not noticed the end of its child.
    for _ in 0..<5 { try peer.expect("REPLCONF", "ACK", "0") }
    try peer.say("*1\r\n$4\r\nping\r\n")
    let expected = Array("REDIS…*1\r\n$4\r\nping\r\n".utf8)
    #expect(try running.take(expected.count) == expected)
    running.end()
  }

  @Test func silenceInTheHandshakeEndsTheLink() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url()) { $0.timeouts.ioMilliseconds = 100 }
    let peer = try master.accept()
    try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    running.thread.join()
    #expect(running.endError?.code == .timedOut)
    #expect(running.takeRest().error == running.endError)
  }

  struct Answer: Sendable, CustomTestStringConvertible {
    var text: String
    var code: LinkError.Code
    var testDescription: String { String(text.prefix(40)).debugDescription }
  }

  @Test(arguments: [
    Answer(text: "HTTP/1.1 400 Bad Request\r\n\r\n", code: .notRedis),
    Answer(text: String(repeating: "+", count: 100_000), code: .notRedis),
    Answer(text: "-DENIED Redis is running in protected mode\r\n", code: .protectedMode),
    Answer(text: "-NOAUTH Authentication required.\r\n", code: .authentication),
    Answer(text: "-ERR max number of clients reached\r\n", code: .rejected),
    Answer(text: "", code: .closed),
    Answer(text: "+OK", code: .closed),
  ])
  func anAnswerThatIsNoneEndsTheHandshake(_ answer: Answer) throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url())
    let peer = try master.accept()
    // Said before the link has said anything, and hung up at once, as a server does that is full.
    try peer.say(answer.text)
    peer.hangUp()
    running.thread.join()
    #expect(running.endError?.code == answer.code)
    #expect(running.takeRest().error == running.endError)
  }

  @Test func aPortWhereNobodyListensIsRefused() throws {
    let nobody = try DeadEnd()
    let running = RunningLink(try RedisURL("redis://\(nobody.endpoint)"))
    running.thread.join()
    #expect(running.takeRest().error?.code == .refused)
  }

  @Test func aMasterThatNeverReadsDoesNotBlockTheLink() throws {
    let master = try FakeMaster(receiveBytes: 1024)
    let running = RunningLink(try master.url())
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$0")
    _ = try running.awaitSnapshot()
    OpenFiles.limitSending(toPort: master.port)
    let ping = Array("*1\r\n$4\r\nping\r\n".utf8)
    let block = Array(repeatElement(ping, count: 1000).joined())
    try peer.say(block)
    try running.await("the stream") { $0.boundaryOffset == 14_000 }
    // The system takes some fifty acknowledgements that nobody reads, then no more.
    let offset: UInt64 = 2_000
    for asked in 1...offset {
      running.link.acknowledge(asked, generation: running.link.readers[0].generation)
      running.link.acknowledgeNow()
      usleep(100)
    }
    #expect(try running.take(block.count) == block)
    for _ in 0..<20 {
      try peer.say(block)
      #expect(try running.take(block.count) == block)
    }
    // Once it reads, it finds whole acknowledgements that rise, up to the last.
    running.link.acknowledgeNow()
    try peer.expectAcknowledgement(of: offset)
    let heard = peer.commands.dropFirst(2).compactMap { UInt64($0[2]) }
    #expect(heard == heard.sorted() && heard.count < offset)
    running.end()
  }

  @Test func aFullSpoolStopsReadingButNotAcknowledging() throws {
    let master = try FakeMaster()
    let running = RunningLink(try master.url(), memoryBytes: 1) {
      $0.timeouts.ioMilliseconds = 2_000
    }
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$100000000")
    let block = [UInt8](repeating: 9, count: 1 << 16)
    var sent = 0
    while true {
      let count = try peer.takesMore(block, withinMilliseconds: 300)
      if count == 0 && running.link.status.spool.fullReason != nil { break }
      sent += count
    }
    // Longer than the timeout for silence: a link that does not listen cannot complain of silence.
    for _ in 0..<5 { try peer.expectAcknowledgement(of: 0) }
    #expect(running.link.status.reconnects == 0)
    #expect(running.link.status.spool.receivedBytes == UInt64(2 * SpoolProbe.chunkBytes))
    #expect(try running.take(sent).allSatisfy { $0 == 9 })
    try running.await("room in the spool") { $0.spool.fullReason == nil }
    running.end()
  }
}
