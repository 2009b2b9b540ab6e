// The stream's decoder against bytes that no honest master sends: a typed error that names the
// offset, never a trap, never memory for what was only announced.

import Testing

@testable import ReplicaLink

struct CommandDecoderHostileTests {
  struct Violation: Sendable, CustomTestStringConvertible {
    var stream: String
    /// The offset of the byte that is wrong, counted from 1.
    var place: Int
    var testDescription: String { stream.debugDescription }
  }

  @Test(arguments: [
    Violation(stream: "PING\r\n", place: 1),
    Violation(stream: "+OK\r\n", place: 1),
    Violation(stream: "\rx", place: 1),
    Violation(stream: " \n", place: 1),
    Violation(stream: "*x\r\n", place: 1),
    Violation(stream: "*\r\n", place: 1),
    Violation(stream: "*-\r\n", place: 1),
    Violation(stream: "*1\n$1\r\na\r\n", place: 1),
    Violation(stream: "*1\rx", place: 1),
    Violation(stream: "*99999999999999999999\r\n", place: 1),
    Violation(stream: "*9223372036854775807\r\n", place: 1),
    Violation(stream: "*2147483648\r\n", place: 1),
    Violation(stream: "*1\r\n:5\r\n", place: 5),
    Violation(stream: "*1\r\n$-1\r\n", place: 5),
    Violation(stream: "*1\r\n$-9223372036854775808\r\n", place: 5),
    Violation(stream: "*1\r\n$9223372036854775807\r\n", place: 5),
    Violation(stream: "*1\r\n$2147483649\r\n", place: 5),
    Violation(stream: "*1\r\n$3\r\nabcd\r\n", place: 12),
    Violation(stream: "*1\r\n$3\r\nabc\n\r", place: 12),
    Violation(stream: "*1\r\n$4\r\nping\r\n!", place: 15),
    Violation(stream: "*000000000000000000000000000000000001\r\n", place: 1),
  ])
  func isAViolationThatNamesItsOffset(_ violation: Violation) {
    let bytes = Array(violation.stream.utf8)
    for pieces in [[bytes[...]], bytes.bytewise] {
      let decoded = CommandDecoder.decode(pieces, offset: 100)
      #expect(decoded.failure?.code == .protocolViolation)
      let reason = decoded.failure?.reason ?? ""
      #expect(reason.hasSuffix("at offset \(100 + violation.place)"), "\(reason)")
    }
  }

  @Test func anAnnouncedGigabyteTakesNoMemoryUntilItComes() throws {
    var decoder = CommandDecoder(offset: 0)
    let before = decoder.windowBytes
    Array("*2000000000\r\n$1000000000\r\nabc".utf8).withUnsafeBytes { decoder.append($0) }
    #expect(try decoder.next() == .needsInput)
    #expect(decoder.windowBytes == before)
  }

  @Test func errorsAreRepeatedNotSwallowed() {
    var decoder = CommandDecoder(offset: 0)
    Array("nonsense".utf8).withUnsafeBytes { decoder.append($0) }
    #expect(throws: LinkError.self) { try decoder.next() }
    #expect(throws: LinkError.self) { try decoder.next() }
  }

  @Test func mutatedStreamsGiveCommandsOrAnErrorAndTheSameInEveryCutting() {
    var random = SeededRandom("mutated streams")
    for round in 0..<3_000 {
      var bytes = StreamModel.random(&random, commands: 4, offset: 0).bytes
      for _ in 0...random.below(4) { Self.mutate(&bytes, &random) }
      let whole = CommandDecoder.decode([bytes[...]], offset: 0)
      let bytewise = CommandDecoder.decode(bytes.bytewise, offset: 0)
      #expect(whole.commands == bytewise.commands, "round \(round)")
      #expect(whole.failure == bytewise.failure, "round \(round)")
      if let failure = whole.failure { #expect(failure.code == .protocolViolation) }
      for command in whole.commands { #expect(command.endOffset <= UInt64(bytes.count)) }
    }
  }

  @Test func pureNoiseNeverTraps() {
    var random = SeededRandom("noise")
    for _ in 0..<5_000 {
      let bytes = random.chance(2) ? random.spiteful(80) : random.bytes(80)
      let decoded = CommandDecoder.decode(bytes.bytewise, offset: 0)
      if let failure = decoded.failure { #expect(failure.code == .protocolViolation) }
    }
  }

  static func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
    guard !bytes.isEmpty else { return }
    let place = random.below(bytes.count)
    switch random.below(5) {
    case 0: bytes[place] = random.spiteful(1)[0]
    case 1: bytes[place] ^= 1 << UInt8(random.below(8))
    case 2: bytes.remove(at: place)
    case 3: bytes.insert(contentsOf: random.spiteful(1 + random.below(5)), at: place)
    default: bytes.removeSubrange(place..<min(bytes.count, place + random.below(20)))
    }
  }
}
