// Counts and explanations of decisions.

import Testing

@testable import Migr8Sync

@Suite struct RoutingCountsTests {
  @Test func decisionsAreCountedByKind() {
    var router = CommandRouterTests.router(prefixes: ["in:"], ours: false)
    var counts = RoutingCounts()
    for text in [
      "SET in:a 1", "DEL in:a out:b", "SMOVE in:a out:b m", "EVAL s 3 in:a in:b out:c",
      "SET in:a 1",
      "SET out:a 1", "FLUSHDB", "PUBLISH c m", "FUNCTION FLUSH", "CLUSTER X", "PING", "SWAPDB 0 1",
    ] { counts.count(router.decide(CommandUnderTest(text))) }
    for kind in RoutingKind.allCases {
      let expected: UInt64 = [.flushed, .swapped, .otherDatabase, .unplaced].contains(kind) ? 0 : 1
      #expect(counts[kind] == expected, "\(kind)")
    }
    #expect(counts.repairsRequested == 2)
  }

  @Test func namesAreStable() {
    #expect(
      RoutingKind.allCases.map(\.name) == [
        "forwarded", "split", "translated", "repaired", "under_repair", "cleared", "flushed",
        "swapped", "other_keys", "other_database", "messages", "code", "cluster", "unplaced",
        "control", "failed",
      ])
  }

  @Test(
    arguments: [
      (
        "RENAME out:a in:b",
        "offset 7 db 0: RENAME out:a in:b: repaired: read again from the source: in:b"
      ),
      (
        "DEL in:a out:b",
        "offset 7 db 0: DEL in:a out:b: split: only the matching keys are sent, 23 bytes"
      ),
      ("SET out:a 1", "offset 7 db 0: SET out:a 1: dropped: none of its keys matches"),
      (
        "RPUSH in:a 1 2 3 4 5 6",
        "offset 7 db 0: RPUSH in:a 1 2 3 4 ... (8 arguments): forwarded: all its keys are the"
          + " destination's"
      ),
    ]) func aDecisionIsExplainedInALine(_ text: String, _ line: String)
  {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    let command = CommandUnderTest(text)
    let explanation = router.decide(command).explanation(
      command.bytes.span, arguments: command.arguments.span, database: 0, offset: 7)
    #expect(explanation == line)
  }
}
