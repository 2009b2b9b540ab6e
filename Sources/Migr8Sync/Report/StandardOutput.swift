// Standard output: what the operator asked for. Everything else goes to StandardError.

import Glibc
import Synchronization

/// The program's stdout.
enum StandardOutput {
  private static let hasFailed = Atomic<Bool>(false)

  /// Whether everything was taken that anybody still reads.
  static var isComplete: Bool { !hasFailed.load(ordering: .relaxed) }

  /// Writes all of `text`, or as much as a closed pipe lets through. What cannot be written is said once on
  /// stderr, and makes stdout incomplete.
  static func write(_ text: String) {
    guard let reason = write(Array(text.utf8), to: STDOUT_FILENO), reason != EPIPE else { return }
    if hasFailed.exchange(true, ordering: .relaxed) { return }
    StandardError.write(
      "migr8sync: writing to stdout: \(String(cString: strerror(reason))): lines are missing there\n"
    )
  }

  /// Writes all of `bytes`, and waits where the descriptor does not.
  ///
  /// - Returns: why it could not, as `errno` has it; nil when it could.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + start, bytes.count - start)
      }
      if count > 0 {
        start += count
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&waiting, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return nil
  }
}
