// Several destinations of one link that are at different places: one that is ahead of what has arrived
// waits there, and what several ask for at once is asked of the source once.

import Testing

@testable import ReplicaLink

@Suite struct AheadReaderTests {
  private func probe(readers: Int = 2, written: UInt64) throws -> SpoolProbe {
    let probe = SpoolProbe(
      memoryBytes: 1 << 20, diskBytes: 0, directory: "/tmp", readerCount: readers)
    probe.spool.beginStream(ReplicationPlace(replicationID: "a", offset: 0), written: written)
    for reader in 0..<readers {
      #expect(
        try probe.read(reader, 10).0 == .stream(ReplicationPlace(replicationID: "a", offset: 0)))
    }
    return probe
  }

  @Test func oneThatIsAheadWaitsForWhatItHasNot() throws {
    var probe = try probe(written: 500)
    #expect(probe.spool.rewind(1, to: 300, applied: 300) == .done)
    _ = try probe.produce(200)
    #expect(try probe.read(0, 1000).0 == .bytes(200))
    #expect(try probe.read(1, 1000).0 == .timedOut)
    #expect(probe.spool.status.unreadBytes == 0)
    _ = try probe.produce(200)
    let (event, bytes) = try probe.read(1, 1000)
    #expect(event == .bytes(100))
    #expect(bytes.withUnsafeBytes { PositionBytes.areIn($0, at: 300) })
    #expect(try probe.read(0, 1000).0 == .bytes(200))
  }

  /// What the source has not said that it wrote may be other bytes.
  @Test func nobodyGoesBeyondWhatTheSourceHadWritten() throws {
    var probe = try probe(written: 500)
    #expect(probe.spool.rewind(0, to: 501, applied: 501) == .notHeld)
    #expect(probe.spool.rewind(0, to: 500, applied: 500) == .done)
    // A promoted source shares less.
    _ = try probe.produce(100)
    probe.spool.continueStream(from: 100, replicationID: "b", written: 100)
    #expect(try probe.read(0, 10).0 == .rewound(to: 100))
    #expect(probe.spool.rewind(0, to: 500, applied: 500) == .lost)
    #expect(probe.spool.rewind(0, to: 100, applied: 100) == .done)
  }

  /// What a process that was killed had brought over, and a promoted replica had not received.
  @Test func whatIsAppliedBeyondTheSharedHistoryIsLost() throws {
    let probe = SpoolProbe(memoryBytes: 1 << 20, diskBytes: 0, directory: "/tmp")
    let place = ReplicationPlace(replicationID: "b", offset: 100)
    for (applied, outcome) in [(200, LinkRewind.lost), (151, .lost), (150, .done)] {
      probe.spool.beginStream(place, written: 150, shared: 150)
      #expect(try probe.read(0, 10).0 == .stream(place))
      #expect(probe.spool.rewind(0, to: 100, applied: UInt64(applied)) == outcome)
    }
    // The same history, which a source that is a replica itself has not received whole.
    probe.spool.beginStream(place, written: 150)
    #expect(try probe.read(0, 10).0 == .stream(place))
    #expect(probe.spool.rewind(0, to: 100, applied: 200) == .done)
    probe.spool.continueStream(from: 120, replicationID: "b", written: 150)
    #expect(try probe.read(0, 10).0 == .timedOut)
    // Then it is promoted with more than that, or with less: nobody has read what is void, but it is at the destination.
    probe.spool.continueStream(from: 150, replicationID: "c", written: 200)
    #expect(try probe.read(0, 10).0 == .timedOut)
    probe.spool.continueStream(from: 150, replicationID: "d", written: 150)
    #expect(try probe.read(0, 10).0 == .rewound(to: 150))
    #expect(probe.spool.rewind(0, to: 100, applied: 200) == .lost)
  }

  @Test func whatSeveralAskForServesAll() {
    let control = LinkControl()
    func place(_ offset: UInt64) -> ReplicationPlace {
      ReplicationPlace(replicationID: "a", offset: offset)
    }
    func taken(_ requests: [LinkRequest]) -> String {
      for request in requests { control.ask(request, insteadOf: 1) }
      switch control.takeRequest(generation: 1) {
      case .snapshot(let reason): return reason
      case .stream(let place): return "\(place.offset)"
      case nil: return "nothing"
      }
    }
    #expect(taken([.stream(from: place(70)), .stream(from: place(50))]) == "50")
    #expect(taken([.stream(from: place(50)), .stream(from: place(70))]) == "50")
    #expect(taken([.snapshot(reason: "lost"), .stream(from: place(50))]) == "lost")
    #expect(taken([.stream(from: place(50)), .snapshot(reason: "lost")]) == "lost")
    control.ask(.snapshot(reason: "of before"), insteadOf: 0)
    #expect(taken([.stream(from: place(50))]) == "50")
  }

  @Test(arguments: [
    ("aa", 90), ("AA", 90), ("bb", 60), ("cc", nil as UInt64?),
  ])
  func aHistoryEndsWhereItGotAnotherName(identity: String, end: UInt64?) {
    let fields = InfoFields(
      "master_replid:aa\nmaster_replid2:bb\nmaster_repl_offset:90\nsecond_repl_offset:61\n")
    #expect(fields.historyEnd(of: identity) == end)
    #expect(InfoFields("master_replid:aa\nmaster_repl_offset:9").historyEnd(of: "bb") == nil)
  }
}
