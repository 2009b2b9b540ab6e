// stop() ends the link's thread from every phase; 200 links leave no descriptor behind.

import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(10)))
struct ReplicaLinkStopTests {
  /// A point of the link's life at which it is told to stop.
  enum Moment: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case beforeStart, connecting, beforeTheFirstAnswer, underKeepAlives, waitingForSnapshot
    case receivingNothing, receivingAtFullSpeed, spoolFull, markReached, following, pausing
    var testDescription: String { rawValue }
  }

  /// What a play keeps open until the link has ended.
  private struct Stage {
    var hole: BlackHole?
    var peer: FakePeer?
  }

  private static func link(_ url: RedisURL) -> ReplicaLink {
    // No timeout may come to the rescue.
    var options = LinkOptions(
      timeouts: Timeouts(connectMilliseconds: 600_000, ioMilliseconds: 600_000),
      spool: SpoolLimits(memoryBytes: 1, diskBytes: 0, directory: "/tmp"))
    options.usesTwoChannels = false
    options.pauses.firstMilliseconds = 600_000
    options.pauses.longestMilliseconds = 600_000
    return ReplicaLink(
      source: { url }, options: options, resumingFrom: nil, readerCount: 1)
  }

  @Test(arguments: Moment.allCases)
  func endsTheThread(at moment: Moment) throws {
    let master = try FakeMaster()
    var stage = Stage()
    if moment == .connecting { stage.hole = try BlackHole() }
    let link = Self.link(try stage.hole?.master.url() ?? master.url())
    if moment == .beforeStart { link.stop() }
    let thread = link.start()
    try Self.play(moment, master, link, &stage)
    link.stop()
    thread.join()
    guard case .ended(let error) = link.status.phase else {
      Issue.record("the link has not ended")
      return
    }
    #expect(error.code == .stopped)
    #expect(throws: error) { try Self.readToTheEnd(link) }
  }

  private static func readToTheEnd(_ link: ReplicaLink) throws {
    try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { room in
      while try link.readers[0].read(into: room, untilMilliseconds: .max) != .timedOut {}
    }
  }

  private static func awaitPhase(
    _ link: ReplicaLink, _ condition: (LinkStatus.Phase) -> Bool
  ) throws {
    try awaiting("the phase") { condition(link.status.phase) }
  }

  private static func play(
    _ moment: Moment, _ master: FakeMaster, _ link: ReplicaLink, _ stage: inout Stage
  ) throws {
    if moment == .beforeStart || moment == .connecting { return }
    let peer = try master.accept()
    stage.peer = peer
    switch moment {
    case .beforeStart, .connecting: break
    case .beforeTheFirstAnswer:
      try peer.expect("REPLCONF", "capa", "eof", "capa", "psync2")
    case .underKeepAlives:
      for _ in 0..<20 { try peer.say([UInt8](repeating: 10, count: 10_000)) }
    case .waitingForSnapshot:
      try peer.acceptReplica(offset: 0, framing: "\n")
      try awaitPhase(link) { $0 == .waitingForSnapshot }
    case .receivingNothing:
      try peer.acceptReplica(offset: 0, framing: "$10")
      try awaitPhase(link) { if case .receivingSnapshot = $0 { true } else { false } }
    case .receivingAtFullSpeed:
      try peer.acceptReplica(offset: 0, framing: "$100000000")
      try peer.say([UInt8](repeating: 1, count: 300_000))
    case .spoolFull:
      try peer.acceptReplica(offset: 0, framing: "$100000000")
      while link.status.spool.fullReason == nil {
        _ = try peer.takesMore([UInt8](repeating: 1, count: 100_000), withinMilliseconds: 10)
      }
    case .markReached:
      try peer.acceptReplica(offset: 0, framing: "$EOF:\(FakePeer.mark)")
      try peer.say(FakePeer.mark)
      try peer.expectAcknowledgement(of: 0)
    case .following:
      try peer.acceptReplica(offset: 0, framing: "$0")
      try peer.say("*1\r\n$4\r\nping")
      try awaitPhase(link) { $0 == .following }
    case .pausing:
      try peer.acceptReplica(offset: 0, framing: "$10")
      peer.hangUp()
      try awaitPhase(link) { if case .pausing = $0 { true } else { false } }
    }
  }

  @Test func twoHundredLinksLeaveNoDescriptorBehind() throws {
    let master = try FakeMaster()
    for round in 0..<200 {
      let link = Self.link(try master.url())
      let thread = link.start()
      let peer = try master.accept()
      if round % 3 > 0 { try peer.acceptReplica(offset: 0, framing: "$100") }
      if round % 3 == 1 { peer.hangUp() }
      link.stop()
      thread.join()
    }
    let open = try OpenFiles.connections(toPort: master.port)
    #expect(open.isEmpty, "\(open)")
  }
}
