// Standard output: what the operator asked for. Everything else goes to StandardError.

import Glibc

/// The program's stdout.
enum StandardOutput {
  /// Writes all of `text`, or as much as a closed pipe lets through.
  static func write(_ text: String) {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(STDOUT_FILENO, $0.baseAddress! + start, bytes.count - start)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      start += count
    }
  }
}
