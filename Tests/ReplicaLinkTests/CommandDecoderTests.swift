// The stream's decoder against streams made by hand and streams recorded from real servers, in
// every way to cut them.

import Testing

@testable import ReplicaLink

struct CommandDecoderTests {
  private static func handMade(offset: UInt64 = 41) -> StreamModel {
    var model = StreamModel(offset: offset)
    model.command("SELECT", "0")
    model.filler("\n")
    model.command("set", "key", "")
    model.filler("\r\n\n*0\r\n*-1\r\n\r\n")
    model.command([Array("SET".utf8), [13, 10, 36, 49], [0, 255, 42, 13, 10, 13, 10]])
    model.command("ping")
    model.command([[]])
    model.command("REPLCONF", "GETACK", "*")
    model.command((0..<120).map { Array("m\($0)".utf8) })
    return model
  }

  @Test func wholeStreamGivesEachCommandWithItsOffset() {
    let model = Self.handMade()
    let decoded = CommandDecoder.decode([model.bytes[...]], offset: model.offset)
    #expect(decoded == DecodedStream(commands: model.commands))
  }

  @Test func aPingCountsFourteenBytesAndGetackThirtySeven() {
    var model = StreamModel(offset: 0)
    model.command("ping")
    model.command("REPLCONF", "GETACK", "*")
    let decoded = CommandDecoder.decode([model.bytes[...]], offset: 0)
    #expect(decoded.commands.map(\.endOffset) == [14, 51])
  }

  @Test func byteByByteGivesTheSame() {
    let model = Self.handMade()
    let decoded = CommandDecoder.decode(model.bytes.bytewise, offset: model.offset)
    #expect(decoded == DecodedStream(commands: model.commands))
  }

  @Test func cutAtEveryPositionGivesTheSame() {
    let model = Self.handMade()
    for cut in 0...model.bytes.count {
      let decoded = CommandDecoder.decode(model.bytes.pieces(cutAt: [cut]), offset: model.offset)
      #expect(decoded == DecodedStream(commands: model.commands), "cut at \(cut)")
    }
  }

  @Test func randomStreamsInRandomPiecesGiveWhatWentIn() {
    var random = SeededRandom("random streams")
    for round in 0..<150 {
      let offset = UInt64.random(in: 0...UInt64(Int64.max), using: &random)
      let model = StreamModel.random(&random, commands: 40, offset: offset)
      let cuts = (0..<random.below(60)).map { _ in random.below(model.bytes.count + 1) }.sorted()
      let decoded = CommandDecoder.decode(model.bytes.pieces(cutAt: cuts), offset: offset)
      #expect(decoded == DecodedStream(commands: model.commands), "round \(round)")
    }
  }

  @Test func seventyThousandNewlinesAndOneSetAreExact() {
    var model = StreamModel(offset: 7)
    model.filler(String(repeating: "\n", count: 70_000))
    model.command("SET", "k", "v")
    let decoded = CommandDecoder.decode(model.bytes.bytewise, offset: 7)
    #expect(decoded == DecodedStream(commands: model.commands))
  }

  @Test func fillersForEverTakeNoMemory() throws {
    var decoder = CommandDecoder(offset: 0)
    let fillers = Array(String(repeating: "\n\r\n*0\r\n*-1\r\n", count: 20_000).utf8)
    for _ in 0..<100 {
      fillers.withUnsafeBytes { decoder.append($0) }
      #expect(try decoder.next() == .needsInput)
    }
    #expect(decoder.windowBytes < 4 * fillers.count)
    #expect(decoder.pendingBytes == 100 * fillers.count)
    Array("*1\r\n$4\r\nping\r\n".utf8).withUnsafeBytes { decoder.append($0) }
    #expect(try decoder.next() == .command)
    #expect(decoder.endOffset == UInt64(100 * fillers.count + 14))
    #expect(decoder.pendingBytes == 0)
  }

  @Test func memoryOfAHugeCommandIsGivenBack() throws {
    var decoder = CommandDecoder(offset: 0, wholeBytesMax: .max)
    var model = StreamModel(offset: 0)
    model.command([Array("SET".utf8), [1], [UInt8](repeating: 7, count: 32 << 20)])
    model.command("ping")
    for start in stride(from: 0, to: model.bytes.count, by: 1 << 16) {
      model.bytes[start..<min(start + 1 << 16, model.bytes.count)].withUnsafeBytes {
        decoder.append($0)
      }
      if start + 1 << 16 < model.bytes.count { #expect(try decoder.next() == .needsInput) }
    }
    #expect(try decoder.next() == .command)
    #expect(try decoder.next() == .command)
    Array("\n".utf8).withUnsafeBytes { decoder.append($0) }
    #expect(decoder.windowBytes <= CommandDecoder.keptBytesMax)
    #expect(decoder.endOffset == UInt64(model.bytes.count))
  }

  @Test func pendingBytesAreThoseBehindTheLastCommand() throws {
    var model = StreamModel(offset: 0)
    model.command("SET", "a", "b")
    let first = model.bytes.count
    model.filler("\n")
    model.command("SET", "c", "d")
    var decoder = CommandDecoder(offset: 0)
    model.bytes.withUnsafeBytes { decoder.append($0) }
    #expect(decoder.pendingBytes == model.bytes.count)
    #expect(try decoder.next() == .command)
    #expect(decoder.pendingBytes == model.bytes.count - first)
    #expect(try decoder.next() == .command)
    #expect(decoder.pendingBytes == 0)
    #expect(decoder.startOffset == UInt64(first))
    #expect(try decoder.next() == .needsInput)
    #expect(decoder.pendingBytes == 0)
    #expect(decoder.startOffset == UInt64(model.bytes.count))
  }

  @Test(
    .enabled(if: RecordedLink.arePresent, "no ../shared/fixtures"), arguments: RecordedLink.labels)
  func recordedStreamsAreTheSumOfTheirCommands(_ label: String) throws {
    let link = try RecordedLink(label)
    let truth = SlowStreamParser.parse(link.stream, offset: link.offset)
    #expect(truth.count > 400)
    #expect(truth.last?.endOffset == link.offset + UInt64(link.stream.count))
    let expected = DecodedStream(commands: truth)
    #expect(CommandDecoder.decode([link.stream[...]], offset: link.offset) == expected)
    #expect(CommandDecoder.decode(link.stream.bytewise, offset: link.offset) == expected)
    var random = SeededRandom("cuts of redis-\(label).link")
    for _ in 0..<200 {
      let cut = random.below(link.stream.count)
      let pieces = link.stream.pieces(cutAt: [cut])
      #expect(CommandDecoder.decode(pieces, offset: link.offset) == expected, "cut at \(cut)")
    }
  }
}

/// Takes a stream of well-formed commands apart, by way of strings and arrays.
enum SlowStreamParser {
  static func parse(_ stream: [UInt8], offset: UInt64) -> [ExpectedCommand] {
    var commands: [ExpectedCommand] = []
    var position = 0
    func line() -> String {
      let end = stream[position...].firstIndex(of: 13) ?? stream.count
      defer { position = end + 2 }
      return String(decoding: stream[position..<end], as: UTF8.self)
    }
    while position < stream.count {
      if stream[position] == 10 {
        position += 1
        continue
      }
      let count = Int(line().dropFirst()) ?? 0
      var arguments: [[UInt8]] = []
      for _ in 0..<max(0, count) {
        let length = Int(line().dropFirst()) ?? 0
        arguments.append(Array(stream[position..<position + length]))
        position += length + 2
      }
      if count > 0 {
        commands.append(
          ExpectedCommand(arguments: arguments, endOffset: offset + UInt64(position)))
      }
    }
    return commands
  }
}
