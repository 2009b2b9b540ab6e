// The live display: what its lines say, and that a terminal shows exactly them.

import Testing

@testable import Migr8Sync

@Suite struct DisplayTests {
  private let rates = Rates(
    keysPerSecond: 152_000, snapshotBytesPerSecond: 11.3 * 1_048_576, commandsPerSecond: 420,
    streamBytesPerSecond: 65_536, remainingMilliseconds: 9_500)

  private func plain(
    _ snapshot: ProgressSnapshot, _ rates: Rates?, columns: Int = 80
  ) -> [String] {
    DisplayLines.lines(snapshot, rates: rates, columns: columns).map {
      $0.rendered(columns: columns - 1, usesColour: false)
    }
  }

  @Test func theSnapshotPhaseShowsBarSpeedAndRemainingTime() {
    #expect(
      plain(.midSnapshot, rates) == [
        "snapshot     46 % [================>                  ] ETA 9.5 s, 8.1 s so far",
        "  keys      1,234,567 of 2.70M read, 123,456 matched, 120,000 written",
        "  bytes     92.0 MB of 200 MB read, 9.00 MB written",
        "  rate      152k keys/s, 11.3 MB/s",
        "  queue     12.0 MB in memory",
      ])
  }

  @Test func followingShowsTheLag() {
    var snapshot = ProgressSnapshot.following
    snapshot.queueDiskBytes = 5 << 30
    snapshot.warning = "the destination has not answered for 3 s"
    var rates = rates
    rates.remainingMilliseconds = nil
    #expect(
      plain(snapshot, rates) == [
        "following   1 min 56 s so far",
        "  lag       1.50 KB, 340 ms",
        "  commands  45,678 read, 4,567 forwarded, 420 commands/s, 64.0 KB/s",
        "  keys      2,700,000 of 2.70M read, 270,000 matched, 270,000 written",
        "  queue     12.0 MB in memory, 5.00 GB on disk",
        "  warning   the destination has not answered for 3 s",
      ])
  }

  @Test func beforeTheSnapshotThereIsOneLine() {
    var snapshot = ProgressSnapshot()
    #expect(plain(snapshot, nil) == ["connecting  0 ms so far"])
    snapshot.phase = .waitingForSnapshot
    snapshot.phaseMilliseconds = [.waitingForSnapshot: 3_400]
    #expect(plain(snapshot, nil) == ["waiting for snapshot 3.4 s so far"])
  }

  @Test func withoutASizeThereIsNoBar() {
    var snapshot = ProgressSnapshot.midSnapshot
    snapshot.keysExpected = nil
    snapshot.snapshotBytesExpected = nil
    #expect(plain(snapshot, nil)[0] == "snapshot    8.1 s so far")
  }

  @Test(arguments: 1...200)
  func everyLineFits(columns: Int) {
    var snapshot = ProgressSnapshot.midSnapshot
    snapshot.warning = String(repeating: "wide \u{1B}[2J 広い\n", count: 50)
    for line in plain(snapshot, rates, columns: columns) {
      #expect(line.utf8.count <= columns - 1)
      #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7E })
    }
  }

  @Test func theBarIsFullOnlyWhenAllIsDone() {
    #expect(DisplayLines.bar(0, columns: 10) == ">         ")
    #expect(DisplayLines.bar(0.999, columns: 10) == "=========>")
    #expect(DisplayLines.bar(1, columns: 10) == "==========")
  }

  @Test func colourAddsNoVisibleCharacter() {
    for line in DisplayLines.lines(.midSnapshot, rates: rates, columns: 80) {
      var screen = Screen(columns: 80)
      let coloured = line.rendered(columns: 79, usesColour: true)
      screen.write(coloured)
      #expect(screen.text == [line.rendered(columns: 79, usesColour: false)])
      #expect(coloured.hasPrefix("\u{1B}[1m"))
    }
    let warning = DisplayLine(title: "  warning   ", body: "x", isWarning: true)
    #expect(warning.rendered(columns: 79, usesColour: true) == "\u{1B}[33m  warning   x\u{1B}[0m")
  }

  // MARK: On a terminal

  private func lines(_ words: String...) -> [DisplayLine] {
    words.map { DisplayLine(title: "", body: $0) }
  }

  @Test func framesReplaceEachOther() {
    var screen = Screen(columns: 20)
    var display = TerminalDisplay(usesColour: false)
    let size = TerminalSize(columns: 20, rows: 24)
    screen.write("$ migr8sync\n")
    screen.write(display.frame(lines("one is long", "two", "three"), size: size))
    #expect(screen.text == ["$ migr8sync", "one is long", "two", "three"])
    screen.write(display.frame(lines("1", "2"), size: size))
    #expect(screen.text == ["$ migr8sync", "1", "2"])
    screen.write(display.frame(lines("a", "b", "c", "d"), size: size))
    #expect(screen.text == ["$ migr8sync", "a", "b", "c", "d"])
    screen.write(display.frame(lines("a"), scrolling: ["a note"], size: size))
    #expect(screen.text == ["$ migr8sync", "a note", "a"])
    screen.write(display.erase(size: size))
    screen.write("the end\n")
    #expect(screen.text == ["$ migr8sync", "a note", "the end"])
    #expect(display.erase(size: size).isEmpty)
  }

  @Test func aNoteWiderThanTheTerminalWrapsAboveTheDisplay() {
    var screen = Screen(columns: 10)
    var display = TerminalDisplay(usesColour: false)
    let size = TerminalSize(columns: 10, rows: 24)
    screen.write(display.frame(lines("a", "b"), size: size))
    screen.write(display.frame(lines("c", "d"), scrolling: ["0123456789abc"], size: size))
    screen.write(display.frame(lines("e", "f"), size: size))
    #expect(screen.text == ["0123456789", "abc", "e", "f"])
  }

  @Test(arguments: 3...20)
  func aTerminalMadeNarrowerKeepsNoRemains(columns: Int) {
    var screen = Screen(columns: 20)
    var display = TerminalDisplay(usesColour: false)
    screen.write("before\n")
    screen.write(
      display.frame(
        lines("0123456789abcdefgh", "", "xyz"), size: TerminalSize(columns: 20, rows: 24)))
    screen.narrow(to: columns)
    let size = TerminalSize(columns: columns, rows: 24)
    screen.write(display.frame(lines("1", "2"), size: size))
    screen.write(display.erase(size: size))
    screen.write("after")
    #expect(screen.text.joined() == "beforeafter")
  }

  @Test func moreLinesThanRowsAreCut() {
    var screen = Screen(columns: 20)
    var display = TerminalDisplay(usesColour: false)
    let size = TerminalSize(columns: 20, rows: 2)
    screen.write(display.frame(lines("a", "b", "c"), size: size))
    screen.write(display.frame(lines("a", "b", "c"), size: size))
    #expect(screen.text == ["a", "b"])
  }
}
