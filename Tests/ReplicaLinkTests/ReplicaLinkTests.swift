// The link against a master played by the test: what it sends, what reaches the spool, how it ends.

import Glibc
import Testing

@testable import ReplicaLink

struct ReplicaLinkTests {
  /// A running link and the thread to join.
  private struct Running {
    let link: ReplicaLink
    let thread: NamedThread

    init(
      _ url: RedisURL, ioMilliseconds: Int64 = 60_000, memoryBytes: Int = 1 << 22,
      diskBytes: UInt64 = 0
    ) {
      link = ReplicaLink(
        source: url, timeouts: Timeouts(ioMilliseconds: ioMilliseconds),
        spoolLimits: SpoolLimits(memoryBytes: memoryBytes, diskBytes: diskBytes, directory: "/tmp"))
      thread = link.start()
    }

    func end() {
      link.stop()
      thread.join()
    }
  }

  /// Takes `count` bytes out of the spool.
  private static func take(_ count: Int, _ spool: Spool) throws -> [UInt8] {
    var taken: [UInt8] = []
    while taken.count < count {
      guard let bytes = try takeSome(spool, count - taken.count) else {
        throw PlayError(description: "\(taken.count) of \(count) bytes reached the spool")
      }
      taken += bytes
    }
    return taken
  }

  private static func takeSome(_ spool: Spool, _ count: Int) throws -> [UInt8]? {
    var room = [UInt8](repeating: 0, count: count)
    let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
    let read = try room.withUnsafeMutableBytes {
      try spool.consume(into: $0, untilMilliseconds: deadline)
    }
    guard case .bytes(let size) = read else { return nil }
    return Array(room[..<size])
  }

  /// Takes what is left, and the error behind it.
  private static func takeRest(_ spool: Spool) -> (bytes: [UInt8], error: LinkError?) {
    var taken: [UInt8] = []
    do {
      while let bytes = try takeSome(spool, 100_000) { taken += bytes }
      return (taken, nil)
    } catch {
      return (taken, error as? LinkError)
    }
  }

  @Test func snapshotAndStreamReachTheSpoolWithoutTheHandshake() throws {
    let master = try FakeMaster()
    let running = Running(try master.url("bob:pw@"))
    let peer = try master.accept()
    #expect(running.link.currentPhase == .connecting)
    try peer.say("\n")
    try peer.expect("AUTH", "bob", "pw")
    try peer.say("\n\n+OK\r\n")
    try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    try peer.say("-ERR Unrecognized REPLCONF option: capa\r\n")
    try peer.expect("PSYNC", "?", "-1")
    try peer.say("\n+FULLRESYNC \(FakePeer.identity) 77\r\n\n\n")
    while running.link.currentPhase != .waitingForSnapshot {}
    try peer.say("\n$5\r\n\n\r\n\nSbehind")
    let start = try running.link.waitForSnapshot()
    let expected = SnapshotStart(
      replicationID: FakePeer.identity, offset: 77, framing: .length(5))
    #expect(start == expected)
    #expect(running.link.currentPhase == .receiving(expected))
    #expect(try Self.take(11, running.link.spool) == Array("\n\r\n\nSbehind".utf8))
    running.end()
  }

  @Test func acknowledgesWithTheAppliedOffsetAndSendsNothingElse() throws {
    let master = try FakeMaster()
    let running = Running(try master.url())
    let peer = try master.accept()
    try peer.acceptReplica(offset: 500, framing: "$0")
    running.link.acknowledge(500)
    try peer.expect("REPLCONF", "ACK", "500")
    try peer.expect("REPLCONF", "ACK", "500")
    running.link.acknowledge(1234)
    running.link.acknowledge(900)
    running.link.acknowledgeNow()
    try peer.expectAcknowledgement(of: 1234)
    running.link.acknowledge(UInt64(Int64.max))
    running.link.acknowledgeNow()
    try peer.expectAcknowledgement(of: UInt64(Int64.max))
    running.end()
    #expect(try peer.hear() == nil)
    #expect(peer.commands.dropFirst(2).allSatisfy { $0.prefix(2) == ["REPLCONF", "ACK"] })
  }

  @Test func aMasterThatWaitsForTheFirstAckBehindTheMarkGetsItAgainAndAgain() throws {
    let master = try FakeMaster()
    let running = Running(try master.url())
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$EOF:\(FakePeer.mark)")
    try peer.say("REDIS…" + FakePeer.mark.prefix(13))
    try peer.say(String(FakePeer.mark.dropFirst(13)))
    // The first ones count for nothing at a master that has not noticed the end of its child.
    for _ in 0..<5 { try peer.expect("REPLCONF", "ACK", "0") }
    try peer.say("*1\r\n$4\r\nping\r\n")
    let expected = Array(("REDIS…" + FakePeer.mark + "*1\r\n$4\r\nping\r\n").utf8)
    #expect(try Self.take(expected.count, running.link.spool) == expected)
    running.end()
  }

  @Test func aLinkThatIsCutGivesEveryByteThenTheError() throws {
    for isReset in [false, true] {
      let master = try FakeMaster()
      let running = Running(try master.url())
      let peer = try master.accept()
      try peer.acceptReplica(offset: 0, framing: "$3000000")
      var random = SeededRandom(seed: 5)
      let bytes = random.bytes(700_000)
      try peer.say(bytes)
      if isReset {
        // A reset may overtake what the link has not read yet; what is read stays.
        while running.link.spool.status.receivedBytes < 700_000 {}
        peer.reset()
      } else {
        peer.hangUp()
      }
      running.thread.join()
      let rest = Self.takeRest(running.link.spool)
      #expect(rest.bytes == bytes)
      #expect(rest.error?.code == .closed)
      guard case .ended(let error) = running.link.currentPhase else {
        Issue.record("the link has not ended")
        return
      }
      #expect(error == rest.error)
    }
  }

  @Test func bytesThatAFullSpoolHeldBackAreReadAfterTheMasterHungUp() throws {
    let master = try FakeMaster()
    let running = Running(try master.url(), memoryBytes: 1)
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$3000000")
    var sent = 0
    let block = [UInt8](repeating: 7, count: 50_000)
    // Until neither the spool nor the sockets between take more.
    while true {
      let count = try peer.takesMore(block, withinMilliseconds: 300)
      if count == 0 && running.link.spool.status.fullReason != nil { break }
      sent += count
    }
    peer.hangUp()
    // Two acknowledgements go to a socket that is closed: the first is answered with a reset.
    for _ in 0..<2 {
      running.link.acknowledgeNow()
      let deadline = Clock.monotonicMilliseconds() + 50
      while Clock.monotonicMilliseconds() < deadline {}
    }
    let rest = Self.takeRest(running.link.spool)
    running.thread.join()
    #expect(rest.error?.code == .closed)
    // What the closing master's system had not sent is lost; nothing else may be.
    #expect(rest.bytes.count > SpoolChunk.byteCount * 2)
    #expect(rest.bytes.count <= sent && rest.bytes.allSatisfy { $0 == 7 })
  }

  @Test func silenceEndsTheLink() throws {
    let master = try FakeMaster()
    let running = Running(try master.url(), ioMilliseconds: 100)
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$10")
    running.thread.join()
    #expect(Self.takeRest(running.link.spool).error?.code == .timedOut)
    while try peer.hear() != nil {}
  }

  @Test func silenceInTheHandshakeEndsTheLink() throws {
    let master = try FakeMaster()
    let running = Running(try master.url(), ioMilliseconds: 100)
    let peer = try master.accept()
    try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    #expect(throws: LinkError.self) { try running.link.waitForSnapshot() }
    running.thread.join()
    guard case .ended(let error) = running.link.currentPhase else { return }
    #expect(error.code == .timedOut)
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
    let running = Running(try master.url())
    let peer = try master.accept()
    // Said before the link has said anything, and hung up at once, as a server does that is full.
    try peer.say(answer.text)
    peer.hangUp()
    running.thread.join()
    guard case .ended(let error) = running.link.currentPhase else {
      Issue.record("the link has not ended")
      return
    }
    #expect(error.code == answer.code)
    #expect(Self.takeRest(running.link.spool).error == error)
  }

  @Test func aPortWhereNobodyListensIsRefused() throws {
    var master: FakeMaster? = try FakeMaster()
    let url = try #require(try master?.url())
    master = nil
    let running = Running(url)
    running.thread.join()
    #expect(Self.takeRest(running.link.spool).error?.code == .refused)
  }

  @Test func aMasterThatNeverReadsDoesNotBlockTheLink() throws {
    let master = try FakeMaster(receiveBytes: 1024)
    let running = Running(try master.url())
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$0")
    OpenFiles.limitSending(toPort: master.port)
    // The system takes some fifty acknowledgements that nobody reads, then no more.
    let offset: UInt64 = 2_000
    for asked in 1...offset {
      running.link.acknowledge(asked)
      running.link.acknowledgeNow()
      usleep(100)
    }
    let block = [UInt8](repeating: 9, count: 1 << 16)
    for _ in 0..<20 {
      try peer.say(block)
      #expect(try Self.take(block.count, running.link.spool) == block)
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
    let running = Running(try master.url(), ioMilliseconds: 500, memoryBytes: 1)
    let peer = try master.accept()
    try peer.acceptReplica(offset: 0, framing: "$100000000")
    let block = [UInt8](repeating: 9, count: 1 << 16)
    var sent = 0
    while true {
      let count = try peer.takesMore(block, withinMilliseconds: 300)
      if count == 0 && running.link.spool.status.fullReason != nil { break }
      sent += count
    }
    // Longer than the timeout for silence: a link that does not listen cannot complain of silence.
    for offset in [UInt64(1), 2] {
      running.link.acknowledge(offset)
      try peer.expectAcknowledgement(of: offset)
    }
    guard case .receiving = running.link.currentPhase else {
      Issue.record("the link has ended: \(running.link.currentPhase)")
      return
    }
    #expect(running.link.spool.status.receivedBytes == UInt64(2 * SpoolChunk.byteCount))
    let taken = try Self.take(sent, running.link.spool)
    #expect(taken.allSatisfy { $0 == 9 })
    #expect(running.link.spool.status.fullReason == nil)
    running.end()
  }
}
