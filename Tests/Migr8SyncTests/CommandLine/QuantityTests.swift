// Numbers, sizes and times as they are typed; and how near one word is to another.

import Testing

@testable import Migr8Sync

@Suite struct QuantityTests {
  @Test(arguments: [
    ("0", 0), ("123", 123), ("1b", 1), ("512kb", 524_288), ("64mb", 67_108_864),
    ("1GB", 1_073_741_824), ("2Tb", 2_199_023_255_552), ("18446744073709551615", UInt64.max),
  ])
  func sizes(text: String, bytes: UInt64) {
    #expect(Quantity.bytes(text) == bytes)
  }

  @Test(arguments: [
    "", "mb", "-1", "+1", "1.5gb", "1 mb", "1m", "1k", "0x10", "١", "18446744073709551616",
    "16777216tb", "1mb ", " 1mb",
  ])
  func whatIsNoSize(text: String) {
    #expect(Quantity.bytes(text) == nil)
  }

  @Test(arguments: [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("0ms", 0)])
  func times(text: String, milliseconds: UInt64) {
    #expect(Quantity.milliseconds(text) == milliseconds)
  }

  @Test(arguments: ["", "10", "s", "1h", "1S", "1.5s", "-1s", "18446744073709551615m"])
  func whatIsNoTime(text: String) {
    #expect(Quantity.milliseconds(text) == nil)
  }

  @Test(arguments: [
    ("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3),
    ("sync", "snyc", 1), ("ab", "ba", 1), ("prefix", "prefx", 1), ("flaw", "lawn", 2),
  ])
  func editDistances(one: String, other: String, distance: Int) {
    #expect(Suggestion.editDistance(Array(one.utf8), Array(other.utf8)) == distance)
    #expect(Suggestion.editDistance(Array(other.utf8), Array(one.utf8)) == distance)
  }

  @Test func aLongTextIsNotCompared() {
    let text = String(repeating: "s", count: 1_000_000)
    #expect(Suggestion.nearest(to: text, among: ["sync"]) == nil)
  }
}
