// A bell between threads for a thread that waits in poll(2): it watches the pipe's reading end
// beside its sockets, and whoever wants its attention rings.

import Glibc
import Synchronization

/// Wakes a thread out of `poll`. Rings are not counted: many before a wake are one.
public final class WakePipe: Sendable {
  /// The end to put into `poll` for `POLLIN`.
  public let readDescriptor: Int32
  private let writeDescriptor: Int32
  private let isRung = Atomic<Bool>(false)

  /// Makes a pipe. Traps when the process has no descriptors left.
  public init() {
    var ends: [Int32] = [0, 0]
    let status = pipe(&ends)
    precondition(status == 0, "no file descriptor left for a wake pipe")
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    readDescriptor = ends[0]
    writeDescriptor = ends[1]
  }

  deinit {
    close(readDescriptor)
    close(writeDescriptor)
  }

  /// Wakes the thread that polls the pipe, now or at its next poll. Never blocks.
  public func ring() {
    if isRung.exchange(true, ordering: .acquiringAndReleasing) { return }
    var byte: UInt8 = 1
    while write(writeDescriptor, &byte, 1) < 0 && errno == EINTR {}
  }

  /// Takes the rings back. Call it before looking for work, never after: a ring that comes between
  /// the two lines below is swallowed, and its work is found because the look comes later.
  public func silence() {
    var bytes: UInt64 = 0
    while read(readDescriptor, &bytes, 8) < 0 && errno == EINTR {}
    _ = isRung.exchange(false, ordering: .acquiringAndReleasing)
  }
}
