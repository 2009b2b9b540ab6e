// The tallies of a dry run, against a straightforward count of the same keys.

import Foundation
import Testing

@testable import Migr8Sync

@Suite struct DryRunReportTests {
  private func sample() -> DryRunReport {
    var report = DryRunReport()
    report.keysRead = 5_000
    report.add(key: Array("bump:a".utf8).span, database: 0, type: "string", bytes: 100)
    report.add(key: Array("bump:b".utf8).span, database: 0, type: "hash", bytes: 2_048)
    report.add(key: ([0xFF, 0x0A] as [UInt8]).span, database: 3, type: "string", bytes: 50)
    report.keysAtDestination = 12
    return report
  }

  @Test func theTextHasEveryTable() {
    #expect(
      sample().text() == """
        Dry run: nothing was written.

        Would move 3 of 5,000 keys, 2.14 KB as they are in the snapshot.
        The destination holds 12 matching keys already: a run needs --on-conflict replace|skip or \
        --clear-dest.

          type    keys    bytes
          hash       1  2.00 KB
          string     2    150 B

          db  keys    bytes
          0      2  2.09 KB
          3      1     50 B

            bytes  type    db  the biggest keys
          2.00 KB  hash    0   bump:b
            100 B  string  0   bump:a
             50 B  string  3   "\\xff\\n"

        """)
  }

  @Test func nothingToMoveIsSaid() {
    var report = DryRunReport()
    report.keysRead = 7
    report.keysAtDestination = 0
    #expect(
      report.text() == """
        Dry run: nothing was written.

        Would move 0 of 7 keys, 0 B as they are in the snapshot.
        The destination holds no matching key.

        """)
  }

  @Test func theObjectHoldsTheSame() throws {
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(sample().json().utf8)) as? [String: Any])
    #expect(object["keys"] as? Int == 3)
    #expect(object["bytes"] as? Int == 2_198)
    #expect(object["keys_at_destination"] as? Int == 12)
    let types = try #require(object["by_type"] as? [String: [String: Int]])
    #expect(types == ["hash": ["keys": 1, "bytes": 2_048], "string": ["keys": 2, "bytes": 150]])
    let databases = try #require(object["by_db"] as? [String: [String: Int]])
    #expect(databases["3"] == ["keys": 1, "bytes": 50])
    let biggest = try #require(object["biggest"] as? [[String: Any]])
    #expect(biggest[0]["key"] as? String == "bump:b")
    #expect(biggest[2]["key_hex"] as? String == "ff0a")
  }

  @Test func theTenBiggestAreKeptWhateverTheOrder() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("DryRunReportTests seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      var report = DryRunReport()
      let sizes = (0..<200).map { _ in UInt64.random(in: 0..<500, using: &random) }
      for (index, size) in sizes.enumerated() {
        report.add(key: Array("\(index)".utf8).span, database: 0, type: "t", bytes: size)
      }
      #expect(report.biggest.map(\.bytes) == Array(sizes.sorted(by: >).prefix(10)))
      #expect(report.total == DryRunReport.Tally(keys: 200, bytes: sizes.reduce(0, +)))
    }
  }
}
