// The project's own files: four real servers, every type in every encoding, with the servers' word.

import RDBParser
import Testing

struct CorpusTests {
  @Test func theCorpusIsThere() { #expect(Fixtures.corpusNames.count >= 100) }

  /// All types these servers write; without modules, which they do not have.
  @Test(
    arguments: [
      (9, [0, 2, 4, 5, 11, 12, 13, 14, 15]),
      (10, [0, 2, 4, 5, 11, 16, 17, 18, 19]),
      (11, [0, 2, 4, 5, 11, 16, 17, 18, 20, 21]),
      (12, [0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 24, 25]),
    ] as [(Int, Set<UInt8>)])
  func everyTypeAServerWritesIsThere(version: Int, types: Set<UInt8>) throws {
    var found: Set<UInt8> = []
    var hasIdle = false
    var hasFrequency = false
    var hasFunction = false
    var hasSlots = false
    for name in Fixtures.corpusNames where Fixtures.version(name) == version {
      for recorded in RDBTest.record(try Fixtures.corpusFile(name)).events {
        switch recorded.event {
        case .entry(let entry):
          found.insert(entry.type.rawValue)
          hasIdle = hasIdle || entry.idleSeconds != nil
          hasFrequency = hasFrequency || entry.frequency != nil
        case .function: hasFunction = true
        case .slotInfo: hasSlots = true
        default: break
        }
      }
    }
    #expect(found == types)
    #expect(hasIdle && hasFrequency)
    // Valkey 8.1 writes slot hints too, as auxiliary fields.
    #expect(hasFunction == (version >= 10) && hasSlots == (version == 12))
  }

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
    // Every cut of small files; of others as many as keep the work the same. `scripts/fuzz cuts` makes
    // all cuts of all files.
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
