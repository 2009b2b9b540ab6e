// Going back to the start of a value after its first chunk, to read it in another way.

import RDBParser
import Testing

struct RereadTests {
  /// A value of many parts, so that much of it is read before it is known to be large.
  private static let file: [UInt8] = {
    var builder = FileBuilder()
    builder.length(60)
    for index in 0..<60 { builder.string("an item of some length, number \(index)") }
    return RDBTest.file(1, builder.bytes)
  }()

  @Test(arguments: [1, 10, 333, Int.max])
  func theValueAndTheChecksumAreAsEver(portion: Int) throws {
    var options = RDBReaderOptions()
    options.inlineValueLimit = 1000
    var reader = RDBReader(options: options)
    var given = 0
    func feed(_ reader: inout RDBReader) {
      let count = min(portion, Self.file.count - given)
      if count == 0 { return reader.finishInput() }
      reader.append(Self.file.span.extracting(given..<given + count))
      given += count
    }
    var items: [String] = []
    while true {
      switch try reader.next() {
      case .needsInput: feed(&reader)
      case .entry:
        var step = try reader.readValue()
        while step == .needsInput {
          feed(&reader)
          step = try reader.readValue()
        }
        #expect(step == .chunk || step == .lastChunk)
        reader.rereadValue()
        loop: while true {
          switch try reader.nextElement() {
          case .needsInput: feed(&reader)
          case .listItem: items.append(RDBTest.text(reader.withElement { RDBTest.bytes($0) }))
          default: break loop
          }
        }
      case .end(let trailer):
        #expect(trailer.checksum == .verified)
        #expect(items == (0..<60).map { "an item of some length, number \($0)" })
        return
      default: continue
      }
    }
  }
}
