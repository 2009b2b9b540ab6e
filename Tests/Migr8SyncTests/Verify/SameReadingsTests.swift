// When readings of an element decide although its key never rests; and which times of fields are the same.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct SameReadingsTests {
  private static let often = SameReadings.countMin

  /// After which of the readings the element is decided.
  private func decisions(
    _ readings: [(reading: PairReader.Reading, other: Int64)]
  ) -> [Int] {
    var same = SameReadings()
    return readings.indices.filter { index in
      same.decides(readings[index].reading, .integer(1), .integer(readings[index].other))
    }
  }

  @Test func onlyReadingsInARowDecide() {
    let one = Array(repeating: (PairReader.Reading.changed, Int64(2)), count: Self.often)
    let other = Array(repeating: (PairReader.Reading.changed, Int64(3)), count: Self.often)
    #expect(decisions(one) == [Self.often - 1])
    #expect(decisions(one.dropLast() + other) == [2 * Self.often - 2])
    #expect(decisions(one.dropLast() + other.dropLast() + one.dropLast()) == [])
  }

  /// While the destination stands still, or lags, readings say nothing, however often they are the same.
  @Test func aStandstillDecidesNothing() {
    let behind = Array(repeating: (PairReader.Reading.behind, Int64(2)), count: 3 * Self.often)
    let changed = Array(repeating: (PairReader.Reading.changed, Int64(2)), count: Self.often)
    #expect(decisions(behind) == [])
    #expect(decisions(changed.dropLast() + behind.prefix(1) + changed.dropLast()) == [])
    #expect(decisions(behind + changed) == [4 * Self.often - 1])
  }

  @Test func fieldsInTheirLastMomentsCountAsGone() {
    let now: Int64 = 1_700_000_000_000
    let reply = RESPValue.array(
      [-2, -1, now - 5, now + 1_000, now + 1_001].map { .integer($0) } + [.null])
    #expect(PairReader.times(reply, now) == [-2, -1, -2, -2, now + 1_001, -2])
    #expect(PairReader.times(.null, now) == [])
  }
}
