// Why a source could not go on, from what it says of itself.

import Testing

@testable import ReplicaLink

struct SourceHistoryTests {
  private static let identity = String(repeating: "a", count: 40)
  private static let place = ReplicationPlace(replicationID: identity, offset: 10_000_000)

  private static func reason(_ fields: String...) -> String {
    SourceHistory(fields.joined(separator: "\r\n") + "\r\n").obstacle(to: place)
  }

  @Test func theGapOfTheBacklogIsNamed() {
    let reason = Self.reason(
      "# Replication", "master_replid:\(Self.identity.uppercased())", "master_replid2:0",
      "repl_backlog_active:1", "repl_backlog_first_byte_offset:13355444",
      "master_repl_offset:20000000")
    #expect(reason.hasPrefix("the backlog begins 3.2 MB after what we have"), "\(reason)")
  }

  @Test func anUnknownIdIsNamed() {
    let other = String(repeating: "b", count: 40)
    #expect(Self.reason("master_replid:\(other)").contains("does not know the replication id aaaa"))
  }

  @Test func aPromotionBeforeOurPlaceIsNamed() {
    let other = String(repeating: "b", count: 40)
    let reason = Self.reason(
      "master_replid:\(other)", "master_replid2:\(Self.identity)", "second_repl_offset:9999801")
    #expect(reason.contains("promoted 200 bytes before"), "\(reason)")
  }

  @Test func aPromotedSourceWithASmallBacklogIsNamedForThat() {
    let other = String(repeating: "b", count: 40)
    let reason = Self.reason(
      "master_replid:\(other)", "master_replid2:\(Self.identity)", "second_repl_offset:10000001",
      "repl_backlog_active:1", "repl_backlog_first_byte_offset:10000011")
    #expect(reason.hasPrefix("the backlog begins 10 bytes after"), "\(reason)")
  }

  @Test func lostDataAndAMissingBacklogAreNamed() {
    #expect(
      Self.reason("master_replid:\(Self.identity)", "master_repl_offset:9999000")
        .contains("1000 bytes behind"))
    #expect(
      Self.reason("master_replid:\(Self.identity)", "repl_backlog_active:0")
        .contains("no replication backlog"))
  }

  @Test func theEndOfAHistoryIsThatOfTheSourceOrOfItsPredecessor() {
    let other = String(repeating: "b", count: 40)
    let promoted = SourceHistory(
      "master_replid:\(other)\r\nmaster_replid2:\(Self.identity)\r\n"
        + "master_repl_offset:900\r\nsecond_repl_offset:801\r\n")
    #expect(promoted.end(of: Self.identity.uppercased()) == 800)
    #expect(promoted.end(of: other) == 900)
    #expect(promoted.end(of: String(repeating: "c", count: 40)) == nil)
    let alone = SourceHistory(
      "master_replid:\(other)\r\nmaster_replid2:\(Self.identity)\r\nsecond_repl_offset:-1\r\n")
    #expect(alone.end(of: Self.identity) == nil)
  }

  @Test func nonsenseGivesNoReason() {
    for text in ["", ":", "master_replid", "master_replid:\n:::\r\r", "second_repl_offset:-1"] {
      #expect(SourceHistory(text).obstacle(to: Self.place).contains("the source"))
    }
    #expect(
      Self.reason(
        "master_replid:\(Self.identity)", "repl_backlog_first_byte_offset:99999999999999999999"
      ) == "the source gave no reason")
  }
}
