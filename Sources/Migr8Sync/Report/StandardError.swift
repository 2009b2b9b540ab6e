// StandardError: the only place that writes to stderr, and asks what it is.

import Glibc

/// The program's stderr.
enum StandardError {
  /// How long a write waits for a reader, in milliseconds, where stderr does not block.
  private static let waitMilliseconds: Int32 = 1_000

  /// Whether it is a terminal on which lines can be replaced.
  static var canDraw: Bool {
    isatty(STDERR_FILENO) == 1 && variable("TERM") != "dumb"
  }

  /// Whether colour is welcome there (https://no-color.org).
  static var usesColour: Bool {
    canDraw && (variable("NO_COLOR") ?? "").isEmpty
  }

  /// The terminal's size now; 80 by 24 when it does not say.
  static func size() -> TerminalSize {
    var window = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0,
      window.ws_row > 0
    else { return TerminalSize(columns: 80, rows: 24) }
    return TerminalSize(columns: Int(window.ws_col), rows: Int(window.ws_row))
  }

  /// Writes a text in as few writes as the system allows. What nobody takes is lost: a run does
  /// not end because its log is gone.
  static func write(_ text: String) {
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(STDERR_FILENO, $0.baseAddress! + start, bytes.count - start)
      }
      if count > 0 {
        start += count
      } else if errno == EAGAIN {
        var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        if poll(&descriptor, 1, waitMilliseconds) <= 0 { return }
      } else if errno != EINTR {
        return
      }
    }
  }

  private static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
