// What is written when, and what a log's lines hold.

import Foundation
import Testing

@testable import Migr8Sync

@Suite struct ReporterTests {
  /// Collects what a reporter writes.
  private final class Output {
    var writes: [String] = []
    var text: String { writes.joined() }
    var lines: [Substring] { text.split(separator: "\n") }
  }

  private func reporter(
    _ output: Output, isTerminal: Bool = false, format: LogFormat = .text, isQuiet: Bool = false,
    showsProgress: Bool = true
  ) -> Reporter {
    Reporter(
      OutputView(logFormat: format, isQuiet: isQuiet, showsProgress: showsProgress),
      isTerminal: isTerminal,
      surroundings: Reporter.Surroundings(
        write: { output.writes.append($0) }, size: { TerminalSize(columns: 80, rows: 24) },
        wallMilliseconds: { 1_769_850_307_042 }, usesColour: false))
  }

  private func snapshot(_ phase: ProgressSnapshot.Phase, at milliseconds: Int64) -> ProgressSnapshot
  {
    var snapshot = ProgressSnapshot.midSnapshot
    snapshot.phase = phase
    snapshot.elapsedMilliseconds = milliseconds
    return snapshot
  }

  @Test func offATerminalALineIsDueEveryFiveSecondsAndAtEachPhase() {
    let output = Output()
    var reporter = reporter(output)
    for milliseconds in stride(from: Int64(0), through: 12_000, by: 200) {
      reporter.report(snapshot(milliseconds < 1_000 ? .connecting : .snapshot, at: milliseconds))
    }
    reporter.finish()
    #expect(output.lines.count == 4)  // at 0, 1.0, 6.0 and 11.0 s
    #expect(output.lines[0] == "2026-01-31T09:05:07.042Z connecting: 100 ms")
    #expect(output.lines.dropFirst().allSatisfy { $0.contains(" snapshot: 46 %; keys 1,234,567") })
    #expect(!output.text.contains("\u{1B}"))
  }

  @Test func aLineSaysEverythingOnce() {
    let rates = Rates(
      keysPerSecond: 152_000, snapshotBytesPerSecond: 1_048_576, remainingMilliseconds: 9_500)
    var snapshot = ProgressSnapshot.midSnapshot
    snapshot.queueDiskBytes = 3 << 20
    snapshot.warning = "slow\ndisk"
    let line = LogLine.progress(
      snapshot, rates: rates, format: .text, wallMilliseconds: 1_769_850_307_042)
    #expect(
      line == "2026-01-31T09:05:07.042Z snapshot: 46 %; "
        + "keys 1,234,567 of 2.70M read, 123,456 matched, 120,000 written; "
        + "bytes 92.0 MB of 200 MB read, 9.00 MB written; rate 152k keys/s, 1.00 MB/s; ETA 9.5 s; "
        + "queue 12.0 MB in memory, 3.00 MB on disk; warning: slow?disk")
    let following = LogLine.progress(.following, rates: nil, format: .text, wallMilliseconds: 0)
    #expect(
      following == "1970-01-01T00:00:00.000Z following: lag 1.50 KB, 340 ms; "
        + "commands 45,678 read, 4,567 forwarded")
  }

  @Test func jsonLinesAreObjectsWithTheNumbers() throws {
    let output = Output()
    var reporter = reporter(output, isTerminal: true, format: .json)
    reporter.report(.following)
    reporter.note("line one\n\"two\" \u{1B}[2J ü")
    reporter.warn("mind")
    reporter.finish()
    let objects = try output.lines.map { line in
      try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    try #require(objects.count == 3)
    #expect(objects[0]["event"] as? String == "progress")
    #expect(objects[0]["phase"] as? String == "following")
    #expect(objects[0]["time"] as? String == "2026-01-31T09:05:07.042Z")
    #expect(objects[0]["lag_bytes"] as? Int == 1_536)
    #expect(objects[0]["keys_expected"] as? Int == 2_700_000)
    #expect(objects[1]["event"] as? String == "note")
    #expect(objects[1]["message"] as? String == "line one\n\"two\" \u{1B}[2J ü")
    #expect(objects[2]["event"] as? String == "warning")
    #expect(objects[2]["message"] as? String == "mind")
  }

  @Test func onATerminalEachReportIsOneWriteAndTheEndIsClean() {
    let output = Output()
    var reporter = reporter(output, isTerminal: true)
    reporter.report(snapshot(.snapshot, at: 200))
    reporter.note("something \u{1B}[2J happened")
    reporter.report(snapshot(.following, at: 400))
    #expect(output.writes.count == 3)
    var screen = Screen(columns: 80)
    screen.write(output.text)
    #expect(screen.text[0] == "2026-01-31T09:05:07.042Z something ?[2J happened")
    #expect(screen.text[1].hasPrefix("following "))
    reporter.finish()
    reporter.finish()
    screen = Screen(columns: 80)
    screen.write(output.text)
    #expect(screen.text == ["2026-01-31T09:05:07.042Z something ?[2J happened"])
    #expect(screen.column == 0)
  }

  @Test func withoutProgressOnlyNotesAreWritten() {
    let output = Output()
    var reporter = reporter(output, isTerminal: true, showsProgress: false)
    reporter.report(.following)
    reporter.note("a note")
    reporter.finish()
    #expect(output.text == "2026-01-31T09:05:07.042Z a note\n")
  }

  @Test func quietWritesNothing() {
    let output = Output()
    var reporter = reporter(output, isQuiet: true)
    reporter.report(.following)
    reporter.note("a note")
    reporter.finish()
    #expect(output.writes.isEmpty)
  }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    (1_769_850_307_042, "2026-01-31T09:05:07.042Z"),
    (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
  ])
  func timestamps(milliseconds: Int64, text: String) {
    #expect(LogLine.timestamp(milliseconds) == text)
  }
}
