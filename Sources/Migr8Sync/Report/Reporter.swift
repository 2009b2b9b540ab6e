// Reporter: decides how a run is shown and when: a live display on a terminal, otherwise a line
// every few seconds and at each change of phase.

import ReplicaLink

/// Shows a run while it goes on. For one thread.
struct Reporter {
  /// The time between two lines where there is no display, in milliseconds.
  static let lineMilliseconds: Int64 = 5_000

  /// Where the bytes go and what is asked of the outside world; tests put their own here.
  struct Surroundings {
    var write: (String) -> Void = StandardError.write
    var size: () -> TerminalSize = StandardError.size
    var wallMilliseconds: () -> Int64 = Clock.wallMilliseconds
    var usesColour = StandardError.usesColour
  }

  private enum Form {
    case nothing
    case lines
    case display
  }

  private let form: Form
  private let writesNotes: Bool
  private let format: LogFormat
  private let surroundings: Surroundings
  private var display: TerminalDisplay
  private var meter = RateMeter()
  private var lastLines: [DisplayLine] = []
  private var lastLine: ProgressSnapshot?

  /// Makes a reporter.
  ///
  /// - Parameters:
  ///   - view: What is written: when quiet nothing at all, without progress notes only.
  ///   - isTerminal: Whether stderr can be drawn on; JSON goes by the line even there.
  init(
    _ view: OutputView, isTerminal: Bool = StandardError.canDraw,
    surroundings: Surroundings = Surroundings()
  ) {
    format = view.logFormat
    writesNotes = !view.isQuiet
    self.surroundings = surroundings
    display = TerminalDisplay(usesColour: surroundings.usesColour)
    if view.isQuiet || !view.showsProgress {
      form = .nothing
    } else {
      form = isTerminal && view.logFormat == .text ? .display : .lines
    }
  }

  /// Takes a snapshot, about five times a second; draws it, or writes a line when one is due.
  mutating func report(_ snapshot: ProgressSnapshot) {
    let rates = meter.add(snapshot)
    switch form {
    case .nothing: return
    case .lines:
      guard isLineDue(snapshot) else { return }
      lastLine = snapshot
      let line = LogLine.progress(
        snapshot, rates: rates, format: format, wallMilliseconds: surroundings.wallMilliseconds())
      surroundings.write(line + "\n")
    case .display:
      let size = surroundings.size()
      lastLines = DisplayLines.lines(snapshot, rates: rates, columns: size.columns)
      surroundings.write(display.frame(lastLines, size: size))
    }
  }

  /// Writes an event that stays; the display moves on below it.
  mutating func note(_ message: String) {
    write { LogLine.note(message, format: $0, wallMilliseconds: $1) }
  }

  /// Writes a warning that stays, as `note` does.
  mutating func warn(_ message: String) {
    write { LogLine.warning(message, format: $0, wallMilliseconds: $1) }
  }

  private mutating func write(_ line: (LogFormat, Int64) -> String) {
    guard writesNotes else { return }
    let line = line(format, surroundings.wallMilliseconds())
    guard form == .display, !lastLines.isEmpty else { return surroundings.write(line + "\n") }
    surroundings.write(display.frame(lastLines, scrolling: [line], size: surroundings.size()))
  }

  /// Removes the display; what is written next stands where it was.
  mutating func finish() {
    guard form == .display else { return }
    lastLines = []
    surroundings.write(display.erase(size: surroundings.size()))
  }

  private func isLineDue(_ snapshot: ProgressSnapshot) -> Bool {
    guard let lastLine else { return true }
    return lastLine.phase != snapshot.phase
      || snapshot.elapsedMilliseconds - lastLine.elapsedMilliseconds >= Self.lineMilliseconds
  }
}
