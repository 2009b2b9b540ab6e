// What a run came to, in words and as an object.

import Foundation
import Testing

@testable import Migr8Sync

@Suite struct SummaryTests {
  @Test func aRunThatConverged() {
    var final = ProgressSnapshot.following
    final.phase = .finished
    final.lagBytes = 0
    final.appliedOffset = 9_001_536
    for _ in 0..<1_200 { final.routing.count(.drop(.message)) }
    for _ in 0..<4 { final.routing.count(.drop(.code)) }
    final.functionsLeftOut = 2
    final.keysSkipped = 3
    #expect(
      Summary.text(final, outcome: .converged) == """
        Done. The destination has all that matches, with every write up to source offset 9001536. \
        Keys left as the destination had them (--on-conflict skip): 3.

          keys      2,700,000 read, 270,000 matched, 270,000 written, 3 skipped; \
        9.00 MB sent to the destination
          time      2 min 10 s: connecting 100 ms, waiting for snapshot 4.2 s, snapshot 8.1 s, \
        catching up 900 ms, following 1 min 56 s
          snapshot  200 MB read, 24.6 MB/s, 333k keys/s
          commands  46,882 read, 4,567 forwarded, 11 split, 41,100 about other keys
          left out  published messages: 1,200, commands on functions and scripts: 4, functions: 2

        """)
  }

  @Test func stoppedWhileFollowingSaysWhatTheDestinationHas() {
    var final = ProgressSnapshot.following
    final.phase = .finished
    #expect(final.lastPhase == .following)
    let behind = Summary.text(final, outcome: .interrupted)
    #expect(
      behind.hasPrefix(
        "Stopped on request. The destination has the snapshot, with every write up to source "
          + "offset 9000000. The source sent 1.50 KB more that are not applied. The same command "
          + "goes on from there.\n"))
    final.lagBytes = 0
    #expect(
      Summary.text(final, outcome: .interrupted).contains("That is all the source had sent."))
  }

  @Test func stoppedDuringTheSnapshotSaysWhatToDo() {
    var final = ProgressSnapshot.midSnapshot
    final.phase = .finished
    let text = Summary.text(final, outcome: .interrupted)
    #expect(
      text.hasPrefix(
        "Stopped on request. The destination holds a part of the keys only. The same command "
          + "begins the snapshot again.\n"))
    final.keysWritten = 0
    #expect(Summary.text(final, outcome: .interrupted).contains("No key was written."))
  }

  @Test func aFailureNamesItsReasonAndWhatIsThere() {
    let text = Summary.text(.midSnapshot, outcome: .failed, reason: "the source hung up")
    #expect(text.hasPrefix("Failed: the source hung up\nThe destination holds a part"))
  }

  @Test func aRefusalHasNoNumbers() {
    let text = Summary.text(ProgressSnapshot(), outcome: .refused, reason: "12 keys match already")
    #expect(text == "Refused, nothing was written: 12 keys match already\n")
  }

  @Test(arguments: [ExitCode.converged, .failed, .refused, .interrupted])
  func theObjectHoldsTheSame(outcome: ExitCode) throws {
    let json = Summary.json(.following, outcome: outcome, reason: "a \"reason\"")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(object["event"] as? String == "summary")
    #expect(object["outcome"] as? String == "\(outcome)")
    #expect(object["exit_code"] as? Int32 == outcome.rawValue)
    #expect(object["applied_offset"] as? Int == 9_000_000)
    let phases = try #require(object["phase_ms"] as? [String: Int])
    #expect(phases["waiting_for_snapshot"] == 4_200 && phases.count == 5)
    #expect(!json.contains("\n"))
  }
}
