// Memory follows the bytes that came, never the lengths that were declared.

import Testing

@testable import RDBParser

struct MemoryTests {
  /// The most any store of a reader holds after reading `file` at the element level.
  private func capacity(_ file: [UInt8]) -> Int {
    var reader = RDBReader()
    reader.append(file.span)
    reader.finishInput()
    do {
      while true {
        let event = try reader.next()
        if case .end = event { break }
        if case .entry = event { while try reader.nextElement() != .end {} }
      }
    } catch {}
    return [
      reader.window.capacity, reader.key.capacity, reader.auxiliary.capacity,
      reader.decoder.text.capacity, reader.decoder.packed.capacity,
    ].max() ?? 0
  }

  @Test func tenBytesTakeNoMegabyte() {
    let huge: [UInt8] = [0x80, 0x1F, 0xFF, 0xFF, 0xFF]
    let magic = Array("REDIS0012".utf8)
    let starts: [[UInt8]] = [
      [0], [250], [245], [0, 1, 0x6B], [1, 1, 0x6B], [1, 1, 0x6B, 1], [10, 1, 0x6B],
      [0, 1, 0x6B, 0xC3], [0, 0xC3], [20, 1, 0x6B, 0xC3], [15, 1, 0x6B, 1, 16],
      [18, 1, 0x6B, 1, 2],
    ]
    for start in starts {
      #expect(capacity(magic + start + huge) <= 128 << 10)
      #expect(capacity(magic + start + huge + huge) <= 128 << 10)
    }
  }

  @Test func aLongFileIsReadInASmallWindow() throws {
    let value = [UInt8](repeating: 7, count: 900)
    var reader = RDBReader()
    reader.append(Array("REDIS0012".utf8).span)
    var count = 0
    for _ in 0..<20_000 {
      while case .entry = try reader.next() { count += 1 }
      var builder = FileBuilder()
      builder.entry(0, "key") { $0.string(value) }
      reader.append(builder.bytes.span)
    }
    #expect(count > 19_000)
    #expect(reader.window.capacity < 16384)
  }
}
