// Scores as text against the standard library's own conversion, which is exact.

import RDBParser
import Testing

struct ScoreTests {
  private func parse(_ texts: [String]) -> [Double]? {
    var builder = FileBuilder()
    builder.length(UInt64(texts.count))
    for text in texts {
      builder.string("m")
      builder.byte(UInt8(text.utf8.count))
      builder.text(text)
    }
    let recording = RDBTest.record(RDBTest.file(3, builder.bytes), values: .decoded)
    guard case .sortedSet(let members)? = recording.entries.first?.decoded else { return nil }
    return members.map(\.score)
  }

  @Test func everyTextIsReadAsTheNearestNumber() {
    var random = SplitMix(seed: 0x5C0)
    var texts = ["0", "-0", "0.0", "1.", ".5", "9007199254740993", "0.1", "00000000000000000000.5"]
    for _ in 0..<20_000 {
      let digits = (0..<Int.random(in: 1...20, using: &random)).map { _ in
        "\(Int.random(in: 0...9, using: &random))"
      }.joined()
      let point = Int.random(in: 0...digits.count, using: &random)
      texts.append(digits.prefix(point) + "." + digits.dropFirst(point))
      texts.append(digits)
      texts.append("\(Double.random(in: -1000...1000, using: &random))")
      texts.append("\(Double(bitPattern: random.next() & ~(1 << 62)))")
    }
    // Halfway between two numbers, and just beside it.
    texts += ["4503599627370496.5", "4503599627370497.5", "4503599627370496.51", "1.5e3", "1E5"]
    texts = texts.filter { Double($0) != nil && Double($0)?.isNaN == false }
    let scores = parse(texts)
    #expect(scores?.count == texts.count)
    for (text, score) in zip(texts, scores ?? []) {
      #expect(score.bitPattern == Double(text)?.bitPattern, "\(text) seed \(random.seed)")
    }
  }

  @Test func whatIsNoNumberIsRefused() {
    for text in ["", ".", "-", "1 ", " 1", "1,5", "nan", "-nan", "0x", "1e", "--1", "1.2.3"] {
      #expect(parse([text]) == nil, "\(text)")
    }
  }
}
