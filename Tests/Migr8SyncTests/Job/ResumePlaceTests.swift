// Where a run with several destinations begins, from what each of them has.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct ResumePlaceTests {
  private func record(
    _ offset: UInt64, _ id: String = "aa", _ phase: JobRecord.Phase = .stream
  ) -> JobRecord {
    JobRecord(
      phase: phase, place: ReplicationPlace(replicationID: id, offset: offset), origin: "",
      database: 0, rules: "", source: "")
  }

  private func source(
    _ offset: Int, id: String = "aa", before: String = "0", until second: Int = -1
  )
    -> ServerFacts
  {
    ServerFacts(
      info: "master_replid:\(id)\nmaster_replid2:\(before)\nmaster_repl_offset:\(offset)\n"
        + "second_repl_offset:\(second)\n")
  }

  private func place(_ records: [JobRecord?], _ source: ServerFacts?) -> ResumePlace {
    ResumePlace(records.enumerated().map { ("d\($0)", $1) }, source: source)
  }

  private func expectSnapshot(_ place: ResumePlace, saying words: String) {
    guard case .snapshot(let reason?) = place else {
      Issue.record("\(place)")
      return
    }
    #expect(reason.contains(words), "\(reason)")
  }

  @Test func aJobThatBeginsNeedsNoReason() {
    #expect(place([nil, nil], source(100)) == .snapshot(reason: nil))
    #expect(place([record(7, "", .snapshot)], source(100)) == .snapshot(reason: nil))
  }

  @Test func oneGoesOnWhereItIs() {
    #expect(place([record(50)], nil) == .stream(record(50).place))
  }

  @Test func severalGoOnWhereTheSlowestIs() {
    let records = [record(70), record(50), record(60)]
    #expect(place(records, source(70)) == .stream(record(50).place))
    #expect(place([record(50), record(50)], nil) == .stream(record(50).place))
  }

  @Test func oneWithoutASnapshotMakesOneForAll() {
    expectSnapshot(place([record(70), nil], source(90)), saying: "d1 has no whole snapshot")
    expectSnapshot(
      place([record(70), nil, record(3, "", .snapshot)], source(90)), saying: "d1 and d2 have no")
  }

  /// What one has beyond the source would be passed over when other bytes stand there.
  @Test func oneThatIsAheadOfTheSourceIsNotTrusted() {
    expectSnapshot(place([record(70), record(50)], source(69)), saying: "d0 is at offset 70")
    expectSnapshot(place([record(70), record(50)], nil), saying: "+info")
  }

  @Test func aPromotedSourceSharesAPartOfTheHistory() {
    let promoted = source(90, id: "bb", before: "aa", until: 61)
    #expect(place([record(60), record(50)], promoted) == .stream(record(50).place))
    expectSnapshot(place([record(61), record(50)], promoted), saying: "d0 is at offset 61")
    #expect(place([record(55, "bb"), record(50)], promoted) == .stream(record(50).place))
    expectSnapshot(place([record(60, "cc"), record(50)], promoted), saying: "d0")
  }

  /// Then the link asks, and is told why not.
  @Test func anotherHistoryIsTheLinksToFindOut() {
    #expect(place([record(70), record(50)], source(90, id: "zz")) == .stream(record(50).place))
  }
}
