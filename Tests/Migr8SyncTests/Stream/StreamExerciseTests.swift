// Random bytes and mutated commands in the stream: a typed error or a decision, never a trap, and never
// another's key at the destination. scripts/fuzz does the same without end.

import Testing

@testable import Migr8Sync

@Suite struct StreamExerciseTests {
  static let words = [
    "in:a", "in:ab", "in:z1", "in:b", "out:b", "in:", "", "0", "1", "-1", "2", "3", "2147483648",
    "9223372036854775807", "STORE", "BY", "GET", "*", "in:*", "DB", "REPLACE", "EX", "PX", "ABSTTL",
    "KEYS", "STREAMS", "GROUP", "LEFT", "GETACK", "load", "\0\u{3}abc",
  ]

  static let names =
    CommandTable.entries.map(\.name) + ["mod.set", "mod.many", "mod.none", "mod.asked", "nosuch"]

  /// A few commands of real names, now and then in a transaction.
  static func stream(_ random: inout SeededGenerator) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...8, using: &random) {
      let count = Int.random(in: 0...6, using: &random)
      let name =
        Int.random(in: 0..<8, using: &random) == 0
        ? ["MULTI", "EXEC", "SELECT", "COPY"][Int.random(in: 0..<4, using: &random)]
        : names[Int.random(in: 0..<names.count, using: &random)]
      let command =
        [name]
        + (0..<count).map { _ in words[Int.random(in: 0..<words.count, using: &random)] }
      bytes += RESP.encode(command.map { Array($0.utf8) })
    }
    return bytes
  }

  static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
    guard !bytes.isEmpty else { return }
    let place = Int.random(in: 0..<bytes.count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
    case 1: bytes.remove(at: place)
    case 2: bytes.insert(UInt8(ascii: "9"), at: place)
    default: bytes[place] = [36, 42, 13, 10, 45, 48][Int.random(in: 0..<6, using: &random)]
    }
  }

  @Test func realNamesWithAnyArgumentsAreDecidedOrEndTheRun() {
    run(mutations: 0, 8_000)
  }

  @Test func mutatedStreamsAreDecidedOrEndTheRun() {
    run(mutations: 3, 8_000)
  }

  private func run(mutations: Int, _ count: Int) {
    let seed = UInt64.random(in: 0..<1_000_000)
    var random = SeededGenerator(seed: seed)
    for round in 0..<count {
      var bytes = Self.stream(&random)
      for _ in 0..<mutations { Self.mutate(&bytes, &random) }
      let plan = [
        UInt8.random(in: 0...255, using: &random), UInt8.random(in: 0...255, using: &random),
      ]
      let complaint = StreamExercise.complaint(about: plan + bytes)
      #expect(complaint == nil, "seed \(seed), round \(round)")
    }
  }

  @Test func noiseIsAnError() {
    let seed = UInt64.random(in: 0..<1_000_000)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2_000 {
      let bytes = (0..<60).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(StreamExercise.complaint(about: bytes) == nil, "seed \(seed)")
    }
  }
}
