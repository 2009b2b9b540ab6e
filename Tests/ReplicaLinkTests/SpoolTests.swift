// The spool against a model that knows only positions: order, content, limits, files and bells.

import Foundation
import Testing

@testable import ReplicaLink

struct SpoolTests {
  private static let chunk = UInt64(SpoolProbe.chunkBytes)

  @Test func randomAmountsComeOutInOrderThroughMemoryAndDisk() throws {
    let folder = try TemporaryFolder()
    var random = SeededRandom("spool in one thread")
    for _ in 0..<6 {
      var probe = SpoolProbe(
        memoryBytes: 1 + random.below(1 << 20), diskBytes: UInt64(random.below(4 << 20)),
        directory: folder.path)
      var reachedDisk = false
      for _ in 0..<150 {
        let isFilling = random.chance(2)
        for _ in 0..<random.below(8) {
          if isFilling {
            _ = try probe.produce(random.chance(8) ? 0 : random.below(400_000))
          } else if let isRight = try probe.consume(1 + random.below(400_000)) {
            #expect(isRight)
          }
        }
        let status = probe.spool.status
        reachedDisk = reachedDisk || status.diskBytes > 0
        // What is staged for the disk is not counted as received until it is there.
        #expect(probe.produced - status.receivedBytes <= Self.chunk)
        #expect(status.unreadBytes == status.receivedBytes - probe.consumed)
        // Nothing is held that was read, but for the rest of the block that is being read.
        let held = status.memoryBytes + status.diskBytes
        #expect(held >= status.unreadBytes)
        #expect(held - status.unreadBytes <= UInt64(SpoolProbe.segmentBytes))
      }
      _ = try probe.produce(0)
      #expect(try probe.drain())
    }
    #expect(folder.openDescriptors.isEmpty)
  }

  @Test func returnsToMemoryOnceTheDiskIsDrained() throws {
    let folder = try TemporaryFolder()
    var probe = SpoolProbe(
      memoryBytes: 2 << 18, diskBytes: 1 << 20, directory: folder.path)
    #expect(try probe.fillUp() == 6 * Self.chunk)
    #expect(probe.spool.status.memoryBytes == 2 * Self.chunk)
    #expect(probe.spool.status.diskBytes == 4 * Self.chunk)
    #expect(try probe.drain())
    #expect(try probe.produce(1000))
    #expect(probe.spool.status.memoryBytes == 1000)
    #expect(probe.spool.status.unreadBytes == 1000)
    #expect(probe.spool.status.diskBytes == 0)
    #expect(folder.openDescriptors.isEmpty)
  }

  @Test func theDiskLimitHoldsWhileTheFirstFileIsHalfRead() throws {
    let folder = try TemporaryFolder()
    var probe = SpoolProbe(memoryBytes: 2 << 18, diskBytes: 1 << 20, directory: folder.path)
    _ = try probe.fillUp()
    for _ in 0..<40 {
      #expect(try probe.consume(50_000) == true)
      _ = try probe.fillUp()
      let occupied = folder.openDescriptors.map { descriptor in
        var status = stat()
        return fstat(descriptor, &status) == 0 ? UInt64(status.st_size) : 0
      }
      #expect(occupied.reduce(0, +) <= 1 << 20)
    }
    #expect(try probe.drain())
  }

  @Test func aFullSpoolRefusesThenRingsAndGoesOn() throws {
    for diskBytes in [UInt64(0), 1 << 20] {
      let folder = try TemporaryFolder()
      var probe = SpoolProbe(memoryBytes: 1, diskBytes: diskBytes, directory: folder.path)
      for _ in 0..<5 {
        #expect(try probe.fillUp() > 0)
        #expect(try !probe.produce(1))
        let reason = try #require(probe.spool.status.fullReason)
        #expect(reason.contains(diskBytes == 0 ? "may not use the disk" : "--spool-max"))
        #expect(!probe.isRinging)
        while try !probe.produce(1) {
          #expect(try probe.consume(70_000) == true)
          #expect(probe.isRinging)
          probe.bell.silence()
        }
        #expect(probe.spool.status.fullReason == nil)
      }
      #expect(try probe.drain())
    }
  }

  @Test func nobodyIsLeftWaitingWhenProducerAndConsumerRace() throws {
    let folder = try TemporaryFolder()
    for diskBytes in [UInt64(0), 1 << 19] {
      let total: UInt64 = 300 << 20
      var probe = SpoolProbe(memoryBytes: 1, diskBytes: diskBytes, directory: folder.path)
      var wokeInTime = true
      let consumer = Race(probe: probe, total: total)
      let thread = NamedThread("consumer") { consumer.run() }
      while probe.produced < total, wokeInTime {
        let size = Int(min(total - probe.produced, 90_000))
        if try !probe.produce(size) {
          var request = pollfd(fd: probe.bell.readDescriptor, events: Int16(POLLIN), revents: 0)
          if poll(&request, 1, 3_000) == 0 { wokeInTime = false }
          probe.bell.silence()
        }
      }
      while try !probe.produce(0) {}
      thread.join()
      #expect(wokeInTime, "no bell within 3 s")
      #expect(consumer.outcome.withLock { $0 } == total)
    }
  }

  /// The consuming side of the race.
  private final class Race: Sendable {
    private let probe: SpoolProbe
    private let total: UInt64
    let outcome = Guarded<UInt64?>(nil)

    init(probe: SpoolProbe, total: UInt64) {
      self.probe = probe
      self.total = total
    }

    func run() {
      var probe = probe
      while probe.consumed < total {
        guard (try? probe.consume(130_000, waitMilliseconds: 60_000)) == true else { return }
      }
      outcome.withLock { $0 = probe.consumed }
    }
  }

  @Test(arguments: ["/nonexistent/folder", "/dev/null", "/proc"])
  func aFolderThatTakesNoFilesHoldsTheProducerUntilMemoryIsFree(_ path: String) throws {
    var probe = SpoolProbe(memoryBytes: 2 << 18, diskBytes: 1 << 30, directory: path)
    // One more chunk is read before the disk says no; it waits in the producer's hand.
    #expect(try probe.fillUp() == 3 * Self.chunk)
    let reason = try #require(probe.spool.status.fullReason)
    #expect(reason.contains(path) && reason.contains("--spool-dir"))
    #expect(probe.spool.status.receivedBytes == 2 * Self.chunk)
    while try !probe.produce(10) { #expect(try probe.consume(99_999) == true) }
    #expect(probe.spool.status.receivedBytes >= 3 * Self.chunk)
    #expect(try probe.drain())
    #expect(probe.spool.status.fullReason == nil)
  }

  /// Behind the end of a snapshot only the stream is asked for, and it must not overtake its last bytes.
  @Test func theEndOfASnapshotDoesNotStayInTheProducersHand() throws {
    let probe = SpoolProbe(memoryBytes: 2 << 18, diskBytes: 1 << 30, directory: "/nonexistent")
    let start = SnapshotStart(replicationID: "a", offset: 7, framing: .length(3 * Self.chunk))
    probe.spool.beginSnapshot(start, reason: nil)
    func fill(_ kind: Spool.Kind, _ count: Int) throws -> Bool {
      try probe.spool.produce(kind, atMost: UInt64(count)) { room in
        room.initializeMemory(as: UInt8.self, repeating: 1)
        return room.count
      }
    }
    for _ in 0..<3 { #expect(try fill(.snapshot, SpoolProbe.chunkBytes)) }
    probe.spool.finishSnapshot(markBytes: 0)
    #expect(try !fill(.stream, 10))
    #expect(try #require(probe.spool.status.fullReason).contains("/nonexistent"))
    #expect(try probe.read(0, 1).0 == .snapshot(start, reason: nil))
    var read: UInt64 = 0
    var hasStream = false
    while read < 3 * Self.chunk {
      guard case .bytes(let count) = try probe.read(0, 100_000).0 else {
        Issue.record("nothing behind \(read) bytes")
        return
      }
      read += UInt64(count)
      if !hasStream { hasStream = try fill(.stream, 10) }
    }
    #expect(hasStream)
    #expect(probe.spool.status.fullReason == nil)
    #expect(try probe.read(0, 1).0 == .snapshotEnd)
    #expect(try probe.read(0, 1).0 == .stream(ReplicationPlace(replicationID: "a", offset: 7)))
    #expect(try probe.read(0, 100).0 == .bytes(10))
  }

  @Test func aFolderThatVanishesKeepsWhatIsSpooled() throws {
    let folder = try TemporaryFolder()
    var probe = SpoolProbe(memoryBytes: 1, diskBytes: 1 << 30, directory: folder.path)
    for _ in 0..<6 { #expect(try probe.produce(SpoolProbe.chunkBytes)) }
    #expect(probe.spool.status.diskBytes > 0)
    try FileManager.default.removeItem(atPath: folder.path)
    #expect(try probe.drain())
    _ = try probe.fillUp()
    #expect(try #require(probe.spool.status.fullReason).contains(folder.path))
    while try !probe.produce(1) { #expect(try probe.consume(99_999) == true) }
    #expect(try probe.drain())
  }

  @Test func filesArePrivateUnlinkedAndGoneWithTheSpool() throws {
    let folder = try TemporaryFolder()
    try fillAndLook(folder)
    #expect(folder.openDescriptors.isEmpty)
  }

  private func fillAndLook(_ folder: TemporaryFolder) throws {
    var probe = SpoolProbe(memoryBytes: 1, diskBytes: 70 << 20, directory: folder.path)
    _ = try probe.fillUp()
    #expect(folder.fileNames.isEmpty)
    let descriptors = folder.openDescriptors
    #expect(descriptors.count == 2)
    for descriptor in descriptors {
      var status = stat()
      #expect(fstat(descriptor, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      #expect(status.st_nlink == 0)
      #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }
  }

  @Test func theErrorComesBehindTheLastByteAndStays() throws {
    let folder = try TemporaryFolder()
    var probe = SpoolProbe(memoryBytes: 1, diskBytes: 8 << 20, directory: folder.path)
    for _ in 0..<20 { #expect(try probe.produce(SpoolProbe.chunkBytes)) }
    probe.spool.end(LinkError(.closed, "following x", "cut"))
    probe.spool.end(LinkError(.stopped, "following x", "a later reason does not count"))
    while probe.consumed < probe.produced { #expect(try probe.consume(333_333) == true) }
    for _ in 0..<2 {
      #expect(throws: LinkError(.closed, "following x", "cut")) { _ = try probe.consume(1) }
    }
  }

  @Test func theEndWakesAWaitingReader() throws {
    var probe = SpoolProbe(memoryBytes: 1, diskBytes: 0, directory: "/tmp")
    let spool = probe.spool
    let thread = NamedThread("closer") { spool.end(LinkError(.stopped, "a", "b")) }
    #expect(throws: LinkError.self) { _ = try probe.consume(1, waitMilliseconds: 1 << 40) }
    thread.join()
  }

  @Test func anErrorOfTheProducerLeavesTheSpoolAsItWas() throws {
    let folder = try TemporaryFolder()
    var probe = SpoolProbe(memoryBytes: 1, diskBytes: 8 << 20, directory: folder.path)
    for step in 0..<20 {
      #expect(throws: LinkError.self) {
        try probe.spool.produce(.stream) { _ throws(LinkError) -> Int in
          throw LinkError(.closed, "a", "b")
        }
      }
      #expect(try probe.produce(step % 2 == 0 ? SpoolProbe.chunkBytes : 1000))
    }
    #expect(try probe.drain())
  }

  /// However much of the disk it may take, that are few files.
  @Test func aLargeLimitHasLargeFiles() {
    for bytes: UInt64 in [0, 1, 16 << 30, 60 << 30, 256 << 30, 1 << 40, 1 << 60, .max] {
      let limits = SpoolLimits(memoryBytes: 0, diskBytes: bytes, directory: "/")
      #expect((1 << 26...1 << 30).contains(limits.segmentBytes))
      let most = max(257, bytes >> 30)
      #expect(bytes / UInt64(limits.segmentBytes) <= most, "\(bytes)")
    }
  }
}
