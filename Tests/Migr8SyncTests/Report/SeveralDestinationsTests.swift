// The reports of a run with several destinations: each one's numbers under its address, and totals.

import Foundation
import Testing

@testable import Migr8Sync

@Suite struct SeveralDestinationsTests {
  private static let total: ProgressSnapshot = {
    var first = ProgressSnapshot.following
    first.address = "a:6379"
    first.lagBytes = 0
    first.lagMilliseconds = 0
    first.appliedOffset = 9_001_536
    var second = ProgressSnapshot.following
    second.address = "b:6379/2"
    second.phase = .catchingUp
    second.keysWritten = 5
    second.keysMatched = 6
    second.keysOfOtherTypes = 4
    return ProgressSnapshot(of: [first, second])
  }()

  @Test func whatIsReadIsThatOfTheSlowestAndWhatIsWrittenAddsUp() {
    let total = Self.total
    #expect(total.phase == .catchingUp && total.address == nil)
    #expect(total.keysRead == 2_700_000 && total.keysWritten == 270_005)
    #expect(total.keysMatched == 270_006 && total.keysOfOtherTypes == 4)
    #expect(total.appliedOffset == 9_000_000 && total.lagBytes == 1_536)
    #expect(total.commandsRead == 45_678 && total.commandsForwarded == 2 * 4_567)
    #expect(total.bytesWritten == 18 << 20)
  }

  @Test func theDisplayHasALineForEach() {
    let lines = DisplayLines.lines(Self.total, rates: nil, columns: 120).map {
      $0.rendered(columns: 119, usesColour: false)
    }
    #expect(
      lines.suffix(2) == [
        "  a:6379    following, lag 0 B, 0 ms, 270,000 keys written, 4,567 commands forwarded",
        "  b:6379/2  catching up, lag 1.50 KB, 340 ms, 5 keys written, 4,567 commands forwarded",
      ])
  }

  @Test func theObjectHasAnObjectForEach() throws {
    let line = LogLine.progress(Self.total, rates: nil, format: .json, wallMilliseconds: 0)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    let each = try #require(object["destinations"] as? [[String: Any]])
    #expect(each.map { $0["address"] as? String } == ["a:6379", "b:6379/2"])
    #expect(each.map { $0["keys_written"] as? Int } == [270_000, 5])
    #expect(object["keys_written"] as? Int == 270_005 && object["address"] == nil)
  }

  @Test func theSummarySaysHowFarEachIs() {
    var final = Self.total
    final.phase = .finished
    final.destinations = final.destinations.map {
      var destination = $0
      destination.phase = .finished
      return destination
    }
    let text = Summary.text(final, outcome: .interrupted)
    #expect(
      text.hasPrefix(
        "Stopped on request. Every destination has the snapshot, with every write up to source"
          + " offset 9000000. "), "\(text)")
    #expect(text.contains("left out  keys of other types: 4\n"), "\(text)")
    #expect(
      text.contains(
        """
          b:6379/2
            with every write up to source offset 9000000; 1.50 KB of the source are not applied
            keys      2,700,000 read, 6 matched, 5 written, 0 skipped; 9.00 MB sent
        """), "\(text)")
  }
}
