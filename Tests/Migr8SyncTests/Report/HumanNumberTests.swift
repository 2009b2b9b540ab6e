// Numbers the way a person reads them.

import Testing

@testable import Migr8Sync

@Suite struct HumanNumberTests {
  private static let countsCases: [(UInt64, String)] = [
    (0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"),
    (UInt64.max, "18,446,744,073,709,551,615"),
  ]

  @Test(arguments: countsCases)
  func counts(value: UInt64, text: String) {
    #expect(HumanNumber.count(value) == text)
  }

  private static let shortCountsCases: [(UInt64, String)] = [
    (0, "0"), (9_999, "9,999"), (10_000, "10.0k"), (12_399, "12.3k"), (999_999, "999k"),
    (1_200_000, "1.20M"), (1_050_000, "1.05M"), (UInt64.max, "18.4E"),
  ]

  @Test(arguments: shortCountsCases)
  func shortCounts(value: UInt64, text: String) {
    #expect(HumanNumber.short(value) == text)
  }

  private static let sizesCases: [(UInt64, String)] = [
    (0, "0 B"), (1_023, "1023 B"), (1_024, "1.00 KB"), (1_536, "1.50 KB"),
    (184 << 20, "184 MB"), ((1 << 30) - 1, "1023 MB"), (1 << 30, "1.00 GB"),
    ((2 << 60) - 1, "1.99 EB"),
    (UInt64.max, "15.9 EB"),
  ]

  @Test(arguments: sizesCases)
  func sizes(value: UInt64, text: String) {
    #expect(HumanNumber.bytes(value) == text)
  }

  private static let durationsCases: [(Int64, String)] = [
    (-5, "0 ms"), (0, "0 ms"), (340, "340 ms"), (999, "999 ms"), (1_000, "1.0 s"),
    (3_499, "3.4 s"), (9_999, "9.9 s"), (10_000, "10 s"), (59_999, "59 s"), (130_000, "2 min 10 s"),
    (3_900_000, "1 h 5 min"), (183_600_000, "2 d 3 h"), (Int64.max, "106751991167 d 7 h"),
  ]

  @Test(arguments: durationsCases)
  func durations(milliseconds: Int64, text: String) {
    #expect(HumanNumber.duration(milliseconds: milliseconds) == text)
  }

  private static let ratesCases: [(Double, String)] = [
    (0.0, "0 keys/s"), (0.4, "0 keys/s"), (270_300.2, "270k keys/s"), (-1, "0 keys/s"),
    (.nan, "0 keys/s"), (.infinity, "18.4E keys/s"),
  ]

  @Test(arguments: ratesCases)
  func rates(perSecond: Double, text: String) {
    #expect(HumanNumber.rate(perSecond, of: "keys") == text)
  }

  @Test func byteRates() {
    #expect(HumanNumber.byteRate(45.25 * 1_048_576) == "45.2 MB/s")
  }
}
