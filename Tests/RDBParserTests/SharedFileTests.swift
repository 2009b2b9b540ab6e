// Every RDB file of others' making: read whole, in portions and cut in two, always with one result.

import RDBParser
import Testing

@Suite(.enabled(if: Fixtures.areSharedPresent, "\(Fixtures.absence)"))
struct SharedFileTests {
  /// Above this size cuts are sampled: every cut is quadratic.
  static let exhaustiveSizeMax = 1500
  /// Files whose framing is sound and whose packed values are not.
  static let damagedInside: Set = ["rdb/corrupt_ziplist.rdb"]

  @Test(arguments: Fixtures.sharedFiles)
  func portionsDoNotChangeWhatIsRead(name: String) throws {
    let file = try Fixtures.bytes(name)
    let whole = RDBTest.record(file)
    #expect(whole.error == nil, "\(name): \(whole.error.map(String.init(describing:)) ?? "")")
    for portion in [1, 2, 3, 7, 64, 4096] {
      #expect(RDBTest.record(file, portions: [portion]) == whole, "\(name) by \(portion)")
    }
    let passed = RDBTest.record(file, values: .skipped)
    #expect(passed.events.map(\.event) == whole.events.map(\.event))
    #expect(RDBTest.record(file, portions: [5], values: .skipped) == passed)
  }

  @Test(arguments: Fixtures.sharedFiles)
  func portionsDoNotChangeWhatIsDecoded(name: String) throws {
    let file = try Fixtures.bytes(name)
    let whole = RDBTest.record(file, values: .decoded)
    #expect(
      (whole.error != nil) == Self.damagedInside.contains(name), "\(whole.error?.description ?? "")"
    )
    for portion in [1, 3, 64, 4096] {
      #expect(RDBTest.record(file, portions: [portion], values: .decoded) == whole)
    }
    var options = RDBReaderOptions()
    options.inlineValueLimit = 16
    let chunked = RDBTest.record(file, portions: [5], values: .decoded, options: options)
    #expect(chunked.entries.map(\.decoded) == whole.entries.map(\.decoded))
  }

  @Test(arguments: Fixtures.sharedFiles)
  func cutsDoNotChangeWhatIsRead(name: String) throws {
    let file = try Fixtures.bytes(name)
    let whole = RDBTest.record(file)
    var random = SplitMix(seed: 20_26)
    var cuts = Array(0...file.count)
    if file.count > Self.exhaustiveSizeMax {
      cuts = (0..<20).map { _ in Int(random.next() % UInt64(file.count)) }
    }
    for cut in cuts {
      // A first portion of 0 would say that the input is finished.
      let recording = RDBTest.record(file, portions: [max(cut, 1), Int.max])
      #expect(recording == whole, "\(name) cut at \(cut), seed \(random.seed)")
    }
  }

  @Test(arguments: Fixtures.sharedFiles)
  func smallInlineLimitGivesTheSameBytes(name: String) throws {
    let file = try Fixtures.bytes(name)
    let whole = RDBTest.record(file)
    var options = RDBReaderOptions()
    options.inlineValueLimit = 16
    for portions in [[Int.max], [3]] {
      let chunked = RDBTest.record(file, portions: portions, options: options)
      #expect(chunked.error == nil)
      #expect(chunked.entries.map(\.value) == whole.entries.map(\.value))
      for entry in chunked.entries { #expect(entry.isWhole == (entry.value.count <= 16)) }
    }
  }

  @Test(arguments: Fixtures.sharedFiles)
  func anEndTooEarlyIsAnErrorWithItsPlace(name: String) throws {
    let file = try Fixtures.bytes(name)
    var random = SplitMix(seed: 9)
    for index in 0..<min(file.count, 300) {
      let cut = file.count <= 300 ? index : Int(random.next() % UInt64(file.count))
      if cut == 0 { continue }
      let recording = RDBTest.record(Array(file[..<cut]))
      // Some old files have bytes behind their end.
      if recording.trailer != nil { continue }
      #expect(recording.error?.code == .truncated, "\(name) ends at \(cut), seed \(random.seed)")
      #expect(recording.error?.offset == UInt64(cut))
    }
  }

  @Test func knownFilesHoldWhatTheirMakersSay() throws {
    let expected: [(String, keys: Int, databases: Set<Int>)] = [
      ("empty_database", 0, []), ("dictionary", 1, [0]), ("multiple_databases", 2, [0, 2]),
      ("integer_keys", 6, [0]), ("keys_with_expiry", 1, [0]), ("hash-zipmap", 1, [0]),
      ("redis_50_with_streams", 14, [0]), ("redis_40_with_module", 2, [0]),
      ("rdb_version_5_with_checksum", 6, [0]), ("corrupt_empty_keys", 9, [0]),
    ]
    for (name, keys, databases) in expected {
      let recording = RDBTest.record(try Fixtures.bytes("rdb/\(name).rdb"))
      #expect(recording.entries.count == keys, "\(name)")
      #expect(Set(recording.entries.compactMap { $0.entry?.database }) == databases, "\(name)")
    }
    let integers = RDBTest.record(try Fixtures.bytes("rdb/integer_keys.rdb"))
    #expect(
      Set(integers.entries.map { RDBTest.text($0.key) })
        == ["125", "43947", "-29477", "183358245", "-123", "-183358245"])
  }
}
