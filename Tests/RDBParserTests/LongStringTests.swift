// String values above the inline limit: handed out in parts, compressed ones decompressed on the way.

import RDBParser
import Testing

struct LongStringTests {
  private func options() -> RDBReaderOptions {
    var options = RDBReaderOptions()
    options.inlineValueLimit = 100
    return options
  }

  /// A compressor good enough to use literals and near and far references.
  private func compress(_ input: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    var seen: [[UInt8]: Int] = [:]
    var index = 0
    while index < input.count {
      let key = Array(input[index..<min(index + 3, input.count)])
      if let start = seen[key], key.count == 3, index - start <= 8192 {
        var length = 3
        while index + length < input.count && length < 264
          && input[start + length] == input[index + length]
        { length += 1 }
        let distance = index - start - 1
        if length - 2 < 7 {
          output += [UInt8((length - 2) << 5 | distance >> 8), UInt8(distance & 255)]
        } else {
          output += [UInt8(7 << 5 | distance >> 8), UInt8(length - 9), UInt8(distance & 255)]
        }
        seen[key] = index
        index += length
      } else {
        seen[key] = index
        output += [0, input[index]]
        index += 1
      }
    }
    return output
  }

  private func sample(_ size: Int) -> [UInt8] {
    var random = SplitMix(seed: 5)
    return (0..<size).map { index in
      index % 7 == 0 ? UInt8.random(in: 0...255, using: &random) : UInt8(index / 1000 % 20)
    }
  }

  @Test func longStringsComeInParts() {
    let text = sample(5000)
    var builder = FileBuilder()
    builder.string(text)
    for portion in [1, 13, 4096, Int.max] {
      let recording = RDBTest.record(
        RDBTest.file(0, builder.bytes), portions: [portion], values: .decoded, options: options())
      #expect(recording.entries.first?.decoded == .string(text))
      #expect(recording.error == nil)
    }
  }

  @Test func longCompressedStringsAreDecompressedAsTheyArrive() {
    let text = sample(300_000)
    let compressed = compress(text)
    var builder = FileBuilder()
    builder.byte(0xC3)
    builder.length(UInt64(compressed.count))
    builder.length(UInt64(text.count))
    builder.raw(compressed)
    for portion in [7, 4096, Int.max] {
      for limits in [options(), RDBReaderOptions()] {
        let recording = RDBTest.record(
          RDBTest.file(0, builder.bytes), portions: [portion], values: .decoded, options: limits)
        #expect(recording.error == nil)
        #expect(recording.entries.first?.decoded == .string(text))
      }
    }
  }

  @Test func damagedCompressionIsFoundInParts() {
    let text = sample(20_000)
    let compressed = compress(text)
    for change in [-1, 1] {
      var builder = FileBuilder()
      builder.byte(0xC3)
      builder.length(UInt64(compressed.count))
      builder.length(UInt64(text.count + change))
      builder.raw(compressed)
      for portion in [5, 1000, Int.max] {
        let recording = RDBTest.record(
          RDBTest.file(0, builder.bytes), portions: [portion], values: .decoded,
          options: options())
        #expect(recording.error?.code == .malformedCompression)
      }
    }
  }

  @Test func aValueHalfDecodedIsPassedOver() throws {
    var builder = FileBuilder()
    builder.string(sample(5000))
    let file = FileBuilder.file("REDIS0011") { file in
      file.entry(0, "long") { $0.raw(builder.bytes) }
      file.entry(1, "list") {
        $0.length(3)
        for item in ["a", "b", "c"] { $0.string(item) }
      }
      file.entry(0, "last") { $0.string("x") }
    }
    var reader = RDBReader(options: options())
    reader.append(file.span.extracting(first: 1000))
    var keys: [String] = []
    var isFed = false
    while true {
      let event = try reader.next()
      if event == .needsInput {
        #expect(!isFed)
        reader.append(file.span.extracting(droppingFirst: 1000))
        isFed = true
      } else if case .entry = event {
        keys.append(reader.withKey { RDBTest.text(RDBTest.bytes($0)) })
        _ = try reader.nextElement()
      } else if case .end(let trailer) = event {
        #expect(trailer.checksum == .verified)
        break
      }
    }
    #expect(keys == ["long", "list", "last"])
  }
}
