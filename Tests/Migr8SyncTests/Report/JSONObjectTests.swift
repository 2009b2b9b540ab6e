// JSON written by hand, read back by Foundation.

import Foundation
import Testing

@testable import Migr8Sync

@Suite struct JSONObjectTests {
  @Test func everyCharacterSurvives() throws {
    var text = ""
    for value in UInt32(0)..<0x3000 { text.unicodeScalars.append(Unicode.Scalar(value) ?? " ") }
    text += "\u{FFFD}\u{1F600}\u{10FFFF}\"\\/"
    var object = JSONObject()
    object.add(text, text)
    let read = try #require(
      try JSONSerialization.jsonObject(with: Data(object.text.utf8)) as? [String: String])
    #expect(read.first.map { Array($0.key.unicodeScalars) } == Array(text.unicodeScalars))
    #expect(read.first.map { Array($0.value.unicodeScalars) } == Array(text.unicodeScalars))
    #expect(!object.text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
  }

  @Test func bytesThatAreNoTextAreHex() {
    var object = JSONObject()
    object.add("a", bytes: Array("ä\n".utf8))
    object.add("b", bytes: [0x00, 0x0F, 0xFF])
    object.add("c", bytes: [])
    #expect(object.text == #"{"a":"ä\n","b_hex":"000fff","c":""}"#)
  }

  @Test func membersKeepTheirOrder() {
    var inner = JSONObject()
    inner.add("n", UInt64.max)
    var object = JSONObject()
    object.add("z", Int64.min)
    object.add("a", inner)
    object.add("l", [inner, JSONObject()])
    #expect(
      object.text
        == #"{"z":-9223372036854775808,"a":{"n":18446744073709551615},"l":[{"n":18446744073709551615},{}]}"#
    )
  }
}
