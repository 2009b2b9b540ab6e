// Confirmation: the question before something that cannot be taken back.

import Glibc

/// Asks the operator, who answers by typing what is at stake: how many keys, or the name of a job.
enum Confirmation {
  /// Whether there is somebody to ask.
  static var isPossible: Bool { isatty(STDIN_FILENO) == 1 }

  /// Asks, and says whether the answer is `expected`; a number may be typed with its commas or
  /// spaces. Where nobody can be asked, nothing is confirmed.
  static func ask(_ question: String, expecting expected: String) -> Bool {
    guard isPossible else { return false }
    StandardError.write(question)
    return readLine()?.filter { $0 != "," && $0 != " " } == expected
  }
}
