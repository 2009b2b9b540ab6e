// The two streams of the process, written without a library's buffers in between.

import Glibc

/// Whole texts to standard output and standard error.
enum Output {
  /// What the operator asked for: reports, help.
  static func standard(_ text: String) {
    write(text + "\n", to: STDOUT_FILENO)
  }

  /// What the operator should know: errors, summaries, questions.
  static func error(_ text: String, newline: Bool = true) {
    write(newline ? text + "\n" : text, to: STDERR_FILENO)
  }

  /// Writes all of `text`, or as much as a closed pipe lets through.
  static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}
