// Random numbers that can be had again: every random test starts from a printed seed.

import Foundation

/// SplitMix64. Small, well mixed, and the same everywhere.
struct SeededRandom: RandomNumberGenerator {
  let seed: UInt64
  private var state: UInt64

  /// Uses `MIGR8SYNC_TEST_SEED` when it is set, else a new seed, and prints it with the way back.
  init(_ purpose: String) {
    let given = ProcessInfo.processInfo.environment["MIGR8SYNC_TEST_SEED"].flatMap { UInt64($0) }
    self.init(seed: given ?? UInt64.random(in: .min ... .max))
    print("\(purpose): seed \(seed); again with MIGR8SYNC_TEST_SEED=\(seed) swift test")
  }

  init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
  }

  /// Bytes out of those that mean something to RESP, to hit its corners.
  mutating func spiteful(_ count: Int) -> [UInt8] {
    let alphabet = Array("*$+-:\r\n0129\u{0}a".utf8)
    return (0..<count).map { _ in alphabet[below(alphabet.count)] }
  }
}
