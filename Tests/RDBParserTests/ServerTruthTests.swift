// Files written by six server versions against what those servers said about them.

import Foundation
import RDBParser
import Testing

@Suite(.enabled(if: Fixtures.areSharedPresent, "\(Fixtures.absence)"))
struct ServerTruthTests {
  static let versions = ["2.8", "3.2", "4.0", "5.0", "6.0", "7.4"]

  @Test(arguments: versions)
  func everyKeyIsWhatTheServerSays(version: String) throws {
    let truth = try ServerTruth(
      contentsOf: Fixtures.shared.appending(path: "by-version/redis-\(version).json"))
    let file = try Fixtures.bytes("by-version/redis-\(version).rdb")
    for portions in [[Int.max], [4096], [7]] {
      let recording = RDBTest.record(file, portions: portions, values: .decoded)
      #expect(recording.error == nil)
      #expect(recording.trailer?.checksum == .verified)
      try truth.compare(recording)
    }
  }
}
