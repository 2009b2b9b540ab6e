// Requests are a stranger's bytes: what is JSON is read, everything else is refused, nothing traps.

import Testing

@testable import Migr8Sync

@Suite("JSON from a stranger")
struct JSONValueTests {
  private func read(_ text: String) throws -> JSONValue { try JSONValue(Array(text.utf8)) }

  @Test func valuesOfEveryKind() throws {
    let value = try read(
      #" {"a" : [1, -2.5e1, true, false, null, {}], "b":"x\"\\\/\b\f\n\r\té\ud83d\ude00"} "#)
    #expect(
      value["a"]
        == .array([
          .integer(1), .decimal(-25), .boolean(true), .boolean(false), .null, .object([:]),
        ])
    )
    #expect(value["b"]?.text == "x\"\\/\u{8}\u{C}\n\r\té😀")
    #expect(try read("9223372036854775807") == .integer(.max))
    #expect(try read("9223372036854775808") == .decimal(9_223_372_036_854_775_808))
  }

  @Test(arguments: [
    "", " ", "{", "}", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "1.", ".5",
    "-",
    "1e", "tru", "nulll", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"a\nb\"", "1 2", "{\"a\":1,\"a\":2}", "1e999",
  ])
  func whatIsNoJSONIsRefused(text: String) {
    #expect(throws: JSONValue.Problem.self) { try read(text) }
  }

  @Test func everyBeginningOfATextIsRefused() throws {
    let whole = Array(#"{"command":"cutover","fence":"acl:app","n":[1,2.5,true,"é"]}"#.utf8)
    for length in 0..<whole.count {
      #expect(throws: JSONValue.Problem.self) { try JSONValue(Array(whole.prefix(length))) }
    }
    _ = try JSONValue(whole)
  }

  @Test func depthIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try read(nested(JSONValue.depthMax))
    #expect(throws: JSONValue.Problem.self) { try read(nested(JSONValue.depthMax + 2)) }
    #expect(throws: JSONValue.Problem.self) { try read(String(repeating: "[", count: 100_000)) }
  }

  @Test func bytesThatAreNoUTF8AreRefused() {
    #expect(throws: JSONValue.Problem.self) { try JSONValue([0x22, 0xFF, 0x22]) }
  }

  /// What our own writer makes is read back as it was.
  @Test func readsWhatIsWritten() throws {
    var object = JSONObject()
    object.add("text", "a\"b\\c\n\u{1}\u{7F}é😀")
    object.add("flag", true)
    object.add("list", ["x", "y\"z"])
    object.add("number", Int64.min)
    let value = try read(object.text)
    #expect(value["text"]?.text == "a\"b\\c\n\u{1}\u{7F}é😀")
    #expect(value["flag"]?.boolean == true)
    #expect(value["list"] == .array([.string("x"), .string("y\"z")]))
    #expect(value["number"]?.integer == .min)
    #expect(try read(value.text()) == value)
  }
}
