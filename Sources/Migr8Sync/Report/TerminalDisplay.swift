// TerminalDisplay: keeps some lines at the bottom of a terminal and replaces them in place.
//
// It only makes the bytes to write. A frame goes out in one write and overwrites line by line
// without clearing first, so nothing flickers; the cursor is never hidden, so nothing has to be
// restored when the program dies.

/// The size of a terminal in characters.
struct TerminalSize: Sendable, Equatable {
  var columns: Int
  var rows: Int
}

/// What stands on the screen, and how to replace it.
struct TerminalDisplay: Sendable {
  private let usesColour: Bool
  /// The visible length of each line on the screen; the cursor is at the end of the last.
  private var drawn: [Int] = []

  private static let eraseToLineEnd = "\u{1B}[K"
  private static let eraseToScreenEnd = "\u{1B}[J"

  /// Makes a display of nothing.
  init(usesColour: Bool) {
    self.usesColour = usesColour
  }

  /// The bytes that replace what stands there by `lines`, below the `scrolling` lines, which stay.
  mutating func frame(
    _ lines: [DisplayLine], scrolling: [String] = [], size: TerminalSize
  ) -> String {
    var frame = toStart(size)
    for line in scrolling { frame += line + Self.eraseToLineEnd + "\n" }
    // One column stays free: a terminal that has filled its last column may wrap.
    let columns = max(1, size.columns - 1)
    let shown = lines.prefix(max(1, size.rows))
    frame += shown.map {
      $0.rendered(columns: columns, usesColour: usesColour) + Self.eraseToLineEnd
    }.joined(separator: "\n")
    frame += Self.eraseToScreenEnd
    drawn = shown.map { $0.rendered(columns: columns, usesColour: false).count }
    return frame
  }

  /// The bytes that remove what stands there.
  mutating func erase(size: TerminalSize) -> String {
    guard !drawn.isEmpty else { return "" }
    let bytes = toStart(size) + Self.eraseToScreenEnd
    drawn = []
    return bytes
  }

  /// Moves the cursor to the start of the first line. A terminal that became narrower since has
  /// wrapped the lines, so each may take several rows now.
  private func toStart(_ size: TerminalSize) -> String {
    let columns = max(1, size.columns)
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
    return rows > 1 ? "\r\u{1B}[\(rows - 1)A" : "\r"
  }
}
