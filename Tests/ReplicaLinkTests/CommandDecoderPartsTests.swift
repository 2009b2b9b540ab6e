// Large commands in parts: the parts together are the command, whatever the portions they arrive in,
// and the offsets are those of a decoder that holds commands whole.

import ReplicaLink
import Testing

@Suite struct CommandDecoderPartsTests {
  private static func encoded(_ arguments: [[UInt8]]) -> [UInt8] {
    var bytes = Array("*\(arguments.count)\r\n".utf8)
    for argument in arguments {
      bytes += Array("$\(argument.count)\r\n".utf8) + argument + Array("\r\n".utf8)
    }
    return bytes
  }

  private static let small = encoded([Array("SET".utf8), Array("a".utf8), Array("1".utf8)])
  private static let large: [[UInt8]] = [
    encoded([Array("SET".utf8), Array("key".utf8), [UInt8](repeating: 13, count: 90)]),
    encoded([Array("RPUSH".utf8), Array("l".utf8)] + (0..<30).map { Array("e\($0)".utf8) }),
    encoded([Array("APPEND".utf8), Array("k".utf8), Array("\r\n$5\r\n".utf8) + [UInt8](1...80)]),
  ]

  /// Every command of `stream` with its end offset, large ones read in parts when `inParts`.
  private func commands(
    _ stream: [UInt8], portion: Int, wholeBytesMax: Int, inParts: Bool
  ) throws -> [(bytes: [UInt8], end: UInt64)] {
    var decoder = CommandDecoder(offset: 1000, wholeBytesMax: wholeBytesMax)
    var given = 0
    var found: [(bytes: [UInt8], end: UInt64)] = []
    func feed(_ decoder: inout CommandDecoder) -> Bool {
      guard given < stream.count else { return false }
      let end = min(stream.count, given + portion)
      stream[given..<end].withUnsafeBytes { decoder.append($0) }
      given = end
      return true
    }
    while true {
      switch try decoder.next() {
      case .needsInput: guard feed(&decoder) else { return found }
      case .command:
        found.append((decoder.withCommand { bytes, _ in Array(bytes) }, decoder.endOffset))
      case .largeCommand:
        let head = decoder.withHead { bytes, arguments in arguments.map { Array(bytes[$0]) } }
        #expect(head.count >= 2)
        guard inParts else { continue }
        decoder.beginParts()
        var bytes: [UInt8] = []
        var step = CommandDecoder.PartStep.part
        while step != .lastPart {
          step = try decoder.nextPart()
          if step == .needsInput {
            guard feed(&decoder) else {
              Issue.record("the command has no end")
              return found
            }
          } else {
            bytes += decoder.withPart { Array($0) }
          }
        }
        found.append((bytes, decoder.endOffset))
      }
    }
  }

  @Test(arguments: 1...70)
  func partsAreTheCommand(portion: Int) throws {
    let parts = [Self.small, Self.large[0], Self.large[1], Self.small, Self.large[2], Self.small]
    var stream: [UInt8] = []
    var expected: [(bytes: [UInt8], end: UInt64)] = []
    for (index, part) in parts.enumerated() {
      if index == 2 { stream += Array("\n\r\n".utf8) }  // fillers count with what follows
      stream += part
      expected.append((part, 1000 + UInt64(stream.count)))
    }
    for inParts in [true, false] {
      for limit in [32, 64, 1 << 20] {
        let found = try commands(stream, portion: portion, wholeBytesMax: limit, inParts: inParts)
        #expect(found.map(\.bytes) == expected.map(\.bytes))
        #expect(found.map(\.end) == expected.map(\.end))
      }
    }
  }

  @Test func damageInsideAPartIsFoundWithItsOffset() throws {
    var stream = Self.encoded([
      Array("SET".utf8), Array("key".utf8), [UInt8](repeating: 1, count: 200), [2],
    ])
    stream[stream.count - 8] = 7  // the carriage return behind the long argument
    #expect(throws: LinkError.self) {
      _ = try commands(stream, portion: 16, wholeBytesMax: 32, inParts: true)
    }
  }
}
