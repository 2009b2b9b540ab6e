// What the tests of the spool share: bytes that tell their position, a private folder, and a look
// at this process's open files.

import Foundation

@testable import ReplicaLink

/// The bytes that belong at each position: a reader that lost or doubled anything sees it at once.
enum PositionBytes {
  /// A prime, so that no block of the spool is a multiple of it.
  private static let period = 1_000_003
  private static let pattern: [UInt8] = {
    var random = SeededRandom(seed: 1)
    let once = random.bytes(period)
    return once + once
  }()

  static func fill(_ room: UnsafeMutableRawBufferPointer, at position: UInt64) {
    with(room.count, at: position) { room.copyMemory(from: $0) }
  }

  static func areIn(_ bytes: UnsafeRawBufferPointer, at position: UInt64) -> Bool {
    guard let start = bytes.baseAddress else { return true }
    return with(bytes.count, at: position) { memcmp(start, $0.baseAddress!, bytes.count) == 0 }
  }

  private static func with<R>(
    _ count: Int, at position: UInt64, _ body: (UnsafeRawBufferPointer) -> R
  ) -> R {
    precondition(count <= period)
    let start = Int(position % UInt64(period))
    return pattern.withUnsafeBytes {
      body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
    }
  }
}

/// A spool whose stream is filled and read by one reader, with the model of what should come out.
struct SpoolProbe {
  private static let limits = SpoolLimits(memoryBytes: 0, diskBytes: 0, directory: "")
  static let chunkBytes = limits.chunkBytes
  static let segmentBytes = limits.segmentBytes

  let spool: Spool
  let bell: WakePipe
  var produced: UInt64 = 0
  var consumed: UInt64 = 0

  init(
    memoryBytes: Int, diskBytes: UInt64, directory: String, historyBytes: Int = 0,
    readerCount: Int = 1, reserveBytes: UInt64 = 0
  ) {
    bell = WakePipe()
    spool = Spool(
      limits: SpoolLimits(
        memoryBytes: memoryBytes, diskBytes: diskBytes, directory: directory,
        historyBytes: historyBytes, reserveBytes: reserveBytes),
      readerCount: readerCount, roomBell: bell)
    spool.beginStream(ReplicationPlace(replicationID: "", offset: 0), written: 0)
  }

  /// Puts in up to `count` bytes; false when refused.
  mutating func produce(_ count: Int) throws -> Bool {
    let position = produced
    var filled = 0
    let hasRoom = try spool.produce(.stream) { room throws(LinkError) -> Int in
      filled = min(count, room.count)
      PositionBytes.fill(UnsafeMutableRawBufferPointer(rebasing: room[..<filled]), at: position)
      return filled
    }
    produced += UInt64(filled)
    return hasRoom
  }

  /// Puts bytes in until the spool refuses more; how many it took.
  mutating func fillUp() throws -> UInt64 {
    let before = produced
    while try produce(Self.chunkBytes) {}
    return produced - before
  }

  /// The next event of a reader, without waiting, and the bytes.
  func read(
    _ reader: Int = 0, _ count: Int, waitMilliseconds: Int64 = 0
  ) throws -> (LinkEvent, [UInt8]) {
    var bytes = [UInt8](repeating: 0, count: count)
    let deadline = Clock.monotonicMilliseconds() + waitMilliseconds
    let event = try bytes.withUnsafeMutableBytes { room in
      try spool.read(reader, into: room, untilMilliseconds: deadline)
    }
    guard case .bytes(let size) = event else { return (event, []) }
    return (event, Array(bytes[..<size]))
  }

  /// Takes out up to `count` bytes without waiting, and releases them; whether they were right, nil
  /// for none.
  mutating func consume(_ count: Int, waitMilliseconds: Int64 = 0) throws -> Bool? {
    while true {
      let (event, bytes) = try read(0, count, waitMilliseconds: waitMilliseconds)
      if case .stream = event { continue }
      guard case .bytes(let size) = event else { return nil }
      let position = consumed
      consumed += UInt64(size)
      spool.release(0, upTo: consumed)
      return size > 0 && bytes.withUnsafeBytes { PositionBytes.areIn($0, at: position) }
    }
  }

  /// Takes out everything there is, what the producer still holds too; whether it was all right.
  mutating func drain() throws -> Bool {
    repeat {
      while let isRight = try consume(100_000) {
        if !isRight { return false }
      }
    } while try produce(0) && consumed < produced
    return consumed == produced
  }

  /// Whether the bell is ringing.
  var isRinging: Bool {
    var request = pollfd(fd: bell.readDescriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, 0) == 1
  }
}

/// A folder that is removed with the value's owner.
final class TemporaryFolder: Sendable {
  let path: String

  /// - Parameter isInMemory: where there is a folder in memory, in that.
  init(isInMemory: Bool = false) throws {
    let memory = URL(fileURLWithPath: "/dev/shm")
    let parent =
      isInMemory && FileManager.default.isWritableFile(atPath: memory.path)
      ? memory : FileManager.default.temporaryDirectory
    let folder = parent.appending(path: "migr8sync-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    path = folder.path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  var fileNames: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  /// The descriptors of this process whose files are, or were, in the folder.
  var openDescriptors: [Int32] {
    OpenFiles.all().filter { $0.target.hasPrefix(path) }.map(\.descriptor)
  }
}
