// The reader of whole replies against the same model as the scanner.

import Testing

@testable import ReplicaLink

struct RESPReaderTests {
  enum Result: Equatable {
    case value(RESPValue, size: Int)
    case needsInput
    case malformed
  }

  static func read(_ bytes: some Sequence<UInt8>) -> Result {
    Array(bytes).withUnsafeBytes { bytes in
      var position = 0
      do throws(RESPReader.Failure) {
        let value = try RESPReader.read(bytes, &position)
        return .value(value, size: position)
      } catch .needsInput {
        return .needsInput
      } catch {
        return .malformed
      }
    }
  }

  @Test func randomRepliesAreReadBackAndEveryPartOfOneNeedsMore() {
    var random = SeededRandom("random replies")
    for round in 0..<300 {
      let model = ReplyModel.random(&random)
      let bytes = model.wire
      #expect(Self.read(bytes) == .value(model.value, size: bytes.count), "round \(round)")
      let longer = bytes + random.bytes(5)
      #expect(Self.read(longer) == .value(model.value, size: bytes.count), "round \(round)")
      for end in 0..<bytes.count {
        #expect(Self.read(bytes[..<end]) == .needsInput, "round \(round), \(end) bytes")
      }
    }
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\r\n", "\r\n", "*x\r\n", "$12a\r\n", ":\r\n", "$99999999999\r\n",
    "$9223372036854775807\r\n", "*9223372036854775807\r\n", "$1\r\nabc", "*1\r\n$0\r\nxy",
  ])
  func refusesWhatIsNoReply(_ wire: String) {
    #expect(Self.read(wire.utf8) == .malformed)
  }

  @Test func refusesListsNestedTooDeep() {
    let nest = String(repeating: "*1\r\n", count: 100_000)
    #expect(Self.read(nest.utf8) == .malformed)
    let bearable = String(repeating: "*1\r\n", count: RESPReader.depthMax) + ":1\r\n"
    guard case .value = Self.read(bearable.utf8) else {
      Issue.record("a list \(RESPReader.depthMax) deep is refused")
      return
    }
  }

  @Test func refusesALineThatDoesNotEnd() {
    let line = [UInt8](repeating: 43, count: ReplyScanner.lineBytesMax + 2)
    #expect(Self.read(line) == .malformed)
  }

  @Test func mutatedRepliesNeverTrap() {
    var random = SeededRandom("mutated replies")
    for _ in 0..<5_000 {
      var bytes = ReplyModel.random(&random).wire
      for _ in 0...random.below(4) { CommandDecoderHostileTests.mutate(&bytes, &random) }
      if case .value(_, let size) = Self.read(bytes) { #expect(size <= bytes.count) }
    }
  }

  @Test(
    arguments: [
      ("0", 0), ("-0", 0), ("9223372036854775807", Int64.max), ("-9223372036854775808", .min),
      ("0000000000000000007", 7),
      ("", nil), ("-", nil), ("+1", nil), (" 1", nil), ("1 ", nil), ("--1", nil),
      ("9223372036854775808", nil), ("-9223372036854775809", nil), ("10000000000000000000", nil),
      ("99999999999999999999999", nil), ("1e3", nil), ("/", nil), (":", nil),
    ] as [(String, Int64?)])
  func numbersAreStrict(_ text: String, _ value: Int64?) {
    let number = Array(text.utf8).withUnsafeBytes { RESPNumber.parse($0) }
    #expect(number == value)
  }
}
