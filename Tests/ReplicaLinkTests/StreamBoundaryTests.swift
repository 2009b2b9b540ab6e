// The scanner against the decoder, which holds whole commands: the same boundaries in every cutting.

import Testing

@testable import ReplicaLink

struct StreamBoundaryTests {
  private static func push(_ piece: ArraySlice<UInt8>, _ scanner: inout StreamBoundary) throws {
    try piece.withUnsafeBytes { try scanner.push($0) }
  }

  /// Where the commands outside transactions end, by the model.
  private static func boundaries(_ model: StreamModel) -> [UInt64] {
    var isInTransaction = false
    var boundaries = [model.offset]
    for command in model.commands {
      let name = String(decoding: command.arguments[0], as: UTF8.self).lowercased()
      if name == "multi" { isInTransaction = true }
      if name == "exec" { isInTransaction = false }
      if !isInTransaction { boundaries.append(command.endOffset) }
    }
    return boundaries
  }

  private static func check(_ model: StreamModel, _ pieces: [ArraySlice<UInt8>]) throws {
    var scanner = StreamBoundary(offset: model.offset)
    let boundaries = boundaries(model)
    for piece in pieces {
      try Self.push(piece, &scanner)
      #expect(scanner.received == model.offset + UInt64(piece.endIndex))
      #expect(scanner.boundary == boundaries.last { $0 <= scanner.received })
    }
  }

  private static func model(_ random: inout SeededRandom) -> StreamModel {
    var model = StreamModel(offset: 1_000_000)
    let words = ["MULTI", "exec", "Multi", "EXEC", "MULT", "EXECS", "multj", "PING", "SET"]
    for _ in 0..<40 {
      while random.chance(3) { model.filler(["\n", "\r\n", "*0\r\n", "*-1\r\n"][random.below(4)]) }
      let name = Array(words[random.below(words.count)].utf8)
      let count = random.below(4)
      model.command(
        [name]
          + (0..<count).map { _ in
            let length = random.below(30)
            return random.chance(3) ? Array("MULTI".utf8) : random.spiteful(length)
          })
    }
    return model
  }

  @Test func boundariesAreThoseOfTheModelWholeBytewiseAndAtEveryCut() throws {
    var random = SeededRandom("stream boundaries")
    for _ in 0..<20 {
      let model = Self.model(&random)
      try Self.check(model, [model.bytes[...]])
      try Self.check(model, model.bytes.bytewise)
      for cut in 0..<model.bytes.count { try Self.check(model, model.bytes.pieces(cutAt: [cut])) }
    }
  }

  @Test(arguments: [
    "PING\r\n", "+OK\r\n", " ", "\rX", "*1\r\nPING\r\n", "*1\r\n$-1\r\n", "*x\r\n", "*\r\n",
    "*1\n$4\r\n", "*1\r\n$4x", "*99999999999\r\n", "*1\r\n$99999999999999\r\n", "*--1\r\n",
    "*1\r\n:4\r\n", "*1\r\n$\r\n",
  ])
  func whatAReplicaWouldHangUpOnIsAViolation(_ text: String) {
    for pieces in [[Array(text.utf8)[...]], Array(text.utf8).bytewise] {
      var scanner = StreamBoundary(offset: 5)
      var isRefused = false
      for piece in pieces where !isRefused {
        do { try Self.push(piece, &scanner) } catch { isRefused = true }
      }
      #expect(isRefused)
      #expect(scanner.boundary == 5)
    }
  }

  @Test func noiseNeverTraps() {
    var random = SeededRandom("noise in the stream")
    for _ in 0..<3_000 {
      var scanner = StreamBoundary(offset: UInt64(Int64.max) - 10_000)
      for _ in 0..<10 {
        let length = random.below(40)
        let bytes = random.spiteful(length)
        do { try Self.push(bytes[...], &scanner) } catch { break }
      }
    }
  }

  @Test(
    .enabled(if: RecordedLink.arePresent, "no ../shared/fixtures"), arguments: RecordedLink.labels)
  func recordedStreamsEndAtABoundary(_ label: String) throws {
    let link = try RecordedLink(label)
    var scanner = StreamBoundary(offset: link.offset)
    try Self.push(link.stream[...], &scanner)
    #expect(scanner.boundary == link.offset + UInt64(link.stream.count))
  }
}
