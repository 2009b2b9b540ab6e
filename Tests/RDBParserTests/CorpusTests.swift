// The project's own files: four real servers, every type in every encoding, with the servers' word.

import RDBParser
import Testing

struct CorpusTests {
  @Test func theCorpusIsThere() { #expect(Fixtures.corpusNames.count >= 80) }

  @Test(arguments: Fixtures.corpusNames)
  func everyKeyIsWhatTheServerSays(name: String) throws {
    let truth = try Fixtures.corpusTruth(name)
    let file = try Fixtures.corpusFile(name)
    let whole = RDBTest.record(file, values: .decoded)
    #expect(whole.error == nil, "\(whole.error?.description ?? "")")
    #expect(whole.trailer?.checksum == .verified)
    try truth.compare(whole)
    for portion in [1, 2, 3, 7, 64, 4096] {
      #expect(RDBTest.record(file, portions: [portion], values: .decoded) == whole)
    }
  }

  @Test(arguments: Fixtures.corpusNames)
  func cutsChangeNothing(name: String) throws {
    let file = try Fixtures.corpusFile(name)
    let raw = RDBTest.record(file)
    let decoded = RDBTest.record(file, values: .decoded)
    // Every cut of small files; of others as many as keep the work the same.
    var random = SplitMix(seed: 3)
    let cuts =
      file.count <= 400
      ? Array(1..<file.count)
      : (0..<max(4, 60_000 / file.count)).map {
        _ in Int.random(in: 1..<file.count, using: &random)
      }
    for cut in cuts {
      #expect(
        RDBTest.record(file, portions: [cut, Int.max]) == raw, "cut \(cut), seed \(random.seed)")
      #expect(RDBTest.record(file, portions: [cut, Int.max], values: .decoded) == decoded)
      #expect(RDBTest.record(Array(file[..<cut])).error?.code == .truncated)
    }
  }
}
