// Writing to a descriptor that does not block, and to one that takes nothing.

import Glibc
import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct StandardOutputTests {
  @Test func aPipeThatDoesNotBlockGetsEverything() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    // Many times what a pipe holds.
    let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let received = Guarded<[UInt8]>([])
    let reader = NamedThread("reader") {
      var chunk = [UInt8](repeating: 0, count: 4_096)
      while true {
        let count = read(reading, &chunk, chunk.count)
        if count == 0 { return }
        if count > 0 {
          received.withLock { $0 += chunk[..<count] }
        } else {
          var waiting = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
          _ = poll(&waiting, 1, -1)
        }
      }
    }
    #expect(StandardOutput.write(bytes, to: writing) == nil)
    close(writing)
    reader.join()
    close(reading)
    #expect(received.withLock { $0 } == bytes)
  }

  @Test func aFullDiskIsToldApart() throws {
    let full = open("/dev/full", O_WRONLY)
    try #require(full >= 0)
    defer { close(full) }
    #expect(StandardOutput.write([1, 2, 3], to: full) == ENOSPC)
  }
}
