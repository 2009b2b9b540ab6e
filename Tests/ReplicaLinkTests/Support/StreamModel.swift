// What the decoders are tested against: streams put together by hand with the answer beside them,
// and a slow parser that shares nothing with the library.

@testable import ReplicaLink

/// A command as it should come out of the decoder.
struct ExpectedCommand: Equatable {
  var arguments: [[UInt8]]
  var endOffset: UInt64
}

/// A stream and the commands in it.
struct StreamModel {
  var bytes: [UInt8] = []
  var commands: [ExpectedCommand] = []
  let offset: UInt64

  init(offset: UInt64) { self.offset = offset }

  /// Bytes between commands, which count with the command after them.
  mutating func filler(_ text: String) { bytes += Array(text.utf8) }

  mutating func command(_ arguments: [[UInt8]]) {
    bytes += Array("*\(arguments.count)\r\n".utf8)
    for argument in arguments {
      bytes += Array("$\(argument.count)\r\n".utf8) + argument + [13, 10]
    }
    commands.append(
      ExpectedCommand(arguments: arguments, endOffset: offset + UInt64(bytes.count)))
  }

  mutating func command(_ words: String...) { command(words.map { Array($0.utf8) }) }

  static func random(_ random: inout SeededRandom, commands: Int, offset: UInt64) -> StreamModel {
    var model = StreamModel(offset: offset)
    let fillers = ["\n", "\r\n", "*0\r\n", "*-1\r\n"]
    for _ in 0..<commands {
      while random.chance(3) { model.filler(fillers[random.below(fillers.count)]) }
      let count = random.chance(20) ? 200 : 1 + random.below(5)
      model.command(
        (0..<count).map { _ in
          let length = random.chance(30) ? random.below(3000) : random.below(12)
          return random.chance(2) ? random.bytes(length) : random.spiteful(length)
        })
    }
    return model
  }
}

/// What a decoder came to.
struct DecodedStream: Equatable {
  var commands: [ExpectedCommand] = []
  var failure: LinkError?
}

extension CommandDecoder {
  /// Runs a decoder over `pieces`.
  static func decode(_ pieces: [ArraySlice<UInt8>], offset: UInt64) -> DecodedStream {
    var decoder = CommandDecoder(offset: offset)
    var result = DecodedStream()
    do {
      for piece in pieces {
        piece.withUnsafeBytes { decoder.append($0) }
        while try decoder.next() == .command {
          result.commands.append(
            ExpectedCommand(arguments: decoder.arguments(), endOffset: decoder.endOffset))
        }
      }
    } catch {
      result.failure = error
    }
    return result
  }

  func arguments() -> [[UInt8]] {
    withCommand { bytes, ranges in ranges.map { Array(bytes[$0]) } }
  }
}

extension Array where Element == UInt8 {
  /// Cut at `cuts`, which rise.
  func pieces(cutAt cuts: [Int]) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    for cut in cuts + [count] {
      pieces.append(self[start..<cut])
      start = cut
    }
    return pieces
  }

  /// One piece for each byte.
  var bytewise: [ArraySlice<UInt8>] { indices.map { self[$0...$0] } }
}
