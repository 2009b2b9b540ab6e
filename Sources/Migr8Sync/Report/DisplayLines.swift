// DisplayLines: what the live display shows, as lines that fit the terminal. Pure: a snapshot and
// a width in, lines out; TerminalDisplay.swift puts them on the screen.

/// One line of the display; the title is set off where there is colour.
struct DisplayLine: Sendable, Equatable {
  var title: String
  var body: String
  var isWarning = false

  /// The line in at most `columns` columns. ASCII only, so that a character is a column.
  func rendered(columns: Int, usesColour: Bool) -> String {
    let text = Self.ascii(title + body)
    let visible = String(text.prefix(max(0, columns)))
    guard usesColour else { return visible }
    if isWarning { return "\u{1B}[33m\(visible)\u{1B}[0m" }
    let head = visible.prefix(title.count)
    return "\u{1B}[1m\(head)\u{1B}[0m\(visible.dropFirst(title.count))"
  }

  private static func ascii(_ text: String) -> String {
    String(text.unicodeScalars.map { ("\u{20}"..."\u{7E}").contains($0) ? Character($0) : "?" })
  }
}

/// Lays a snapshot out.
enum DisplayLines {
  /// The widest bar.
  static let barColumnsMax = 40
  /// The narrowest bar that says anything.
  static let barColumnsMin = 8

  /// The lines for a terminal that is `columns` wide.
  static func lines(
    _ snapshot: ProgressSnapshot, rates: Rates?, columns: Int
  ) -> [DisplayLine] {
    let text = ProgressText(snapshot: snapshot, rates: rates)
    var lines = [head(text, columns: columns)]
    switch snapshot.phase {
    case .connecting, .waitingForSnapshot: break
    case .reading:
      lines.append(detail("keys", text.keysOfFile))
      lines.append(detail("rate", text.snapshotRate))
    case .snapshot:
      lines.append(detail("keys", text.keys))
      lines.append(detail("bytes", text.bytes))
      lines.append(detail("rate", text.snapshotRate))
      if snapshot.lagBytes > 0 { lines.append(detail("lag", text.lag)) }
      lines.append(detail("queue", text.queue))
    case .catchingUp, .following, .finished:
      lines.append(detail("lag", text.lag))
      lines.append(detail("commands", text.commands))
      lines.append(detail("keys", text.keys))
      lines.append(detail("queue", text.queue))
    }
    lines += snapshot.destinations.map { destination in
      DisplayLine(
        title: "  " + padded(destination.address ?? "", to: 10),
        body: ProgressText(snapshot: destination, rates: nil).destination)
    }
    if let warning = snapshot.warning {
      lines.append(DisplayLine(title: "  warning   ", body: warning, isWarning: true))
    }
    return lines
  }

  /// `snapshot    46 % [=====>    ] ETA 12 s, 8.1 s so far`
  private static func head(_ text: ProgressText, columns: Int) -> DisplayLine {
    let title = padded(text.snapshot.phase.title, to: 12)
    let time = [text.remaining, "\(text.phaseTime) so far"].compactMap(\.self)
      .joined(separator: ", ")
    guard let percent = text.percent, let fraction = text.snapshot.snapshotFraction else {
      return DisplayLine(title: title, body: time)
    }
    let head = String(repeating: " ", count: max(0, 5 - percent.count)) + percent
    // The last column stays free; ' [' and '] ' are four more.
    let room = columns - 1 - title.count - head.count - time.count - 4
    guard room >= barColumnsMin else { return DisplayLine(title: title, body: "\(head) \(time)") }
    let bar = bar(fraction, columns: min(room, barColumnsMax))
    return DisplayLine(title: title, body: "\(head) [\(bar)] \(time)")
  }

  /// The inside of a bar: full only when all is done.
  static func bar(_ fraction: Double, columns: Int) -> String {
    let full = Int(max(0, min(1, fraction)) * Double(columns))
    if full >= columns { return String(repeating: "=", count: columns) }
    return String(repeating: "=", count: full) + ">"
      + String(repeating: " ", count: columns - full - 1)
  }

  private static func detail(_ name: String, _ body: String) -> DisplayLine {
    DisplayLine(title: "  " + padded(name, to: 10), body: body)
  }

  /// The text with spaces up to a width, and always one behind it.
  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
