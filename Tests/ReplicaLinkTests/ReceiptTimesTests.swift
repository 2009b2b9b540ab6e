// Arrival times against a plain list of all of them.

import Testing

@testable import ReplicaLink

struct ReceiptTimesTests {
  @Test func timesAreNeverLaterAndNeverMuchEarlierThanTheTruth() {
    var random = SeededRandom("receipt times")
    var times = ReceiptTimes()
    var truth: [(end: UInt64, time: Int64)] = []
    var end: UInt64 = 0
    var now: Int64 = 1_700_000_000_000
    for _ in 0..<5_000 {
      end += UInt64(1 + random.below(1000))
      now += Int64(random.below(3))
      times.note(end: end, wallMilliseconds: now)
      truth.append((end, now))
    }
    var start: UInt64 = 0
    for entry in truth {
      for position in [start, entry.end - 1] {
        let time = times.wallMilliseconds(at: position)
        #expect(time.map { $0 <= entry.time && entry.time - $0 < 1 } == true)
      }
      start = entry.end
    }
    #expect(times.wallMilliseconds(at: end) == nil)
  }

  @Test func whatIsForgottenIsNilAndTheRestStays() {
    var times = ReceiptTimes()
    for step in 1...10_000 {
      times.note(end: UInt64(step * 10), wallMilliseconds: Int64(step * 5))
    }
    for cut in [0, 5, 10, 11, 9_999, 50_000, 50_001, 99_999] {
      times.forget(before: UInt64(cut))
      let first = cut / 10 * 10
      if first > 0 { #expect(times.wallMilliseconds(at: UInt64(first - 1)) == nil) }
      #expect(times.wallMilliseconds(at: UInt64(cut)) == Int64((cut / 10 + 1) * 5))
      #expect(times.wallMilliseconds(at: 99_999) == 50_000)
    }
    times.forget(before: .max)
    #expect(times.wallMilliseconds(at: 99_999) == nil)
    times.note(end: 100_001, wallMilliseconds: 7)
    #expect(times.wallMilliseconds(at: 100_000) == 7)
  }

  @Test func entriesStayBoundedMonotoneAndEquallyExactHoweverOld() {
    var times = ReceiptTimes()
    let steps = 5 * ReceiptTimes.entriesMax
    // A pause in the middle, which must not blur what lies around it.
    let pause: Int64 = 3_600_000
    func truth(_ step: Int) -> Int64 { Int64(step * 3) + (step > steps / 2 ? pause : 0) }
    for step in 1...steps { times.note(end: UInt64(step), wallMilliseconds: truth(step)) }
    #expect(times.entryCount <= ReceiptTimes.entriesMax)
    var last: Int64 = 0
    for position in stride(from: 0, to: steps, by: 71) {
      let time = times.wallMilliseconds(at: UInt64(position)) ?? -1
      let arrival = truth(position + 1)
      #expect(time >= last && time <= arrival && arrival - time < 64)
      last = time
    }
  }

  @Test func aDrainedQueueIsExactAgain() {
    var times = ReceiptTimes()
    let steps = 3 * ReceiptTimes.entriesMax
    for step in 1...steps { times.note(end: UInt64(step), wallMilliseconds: Int64(step)) }
    times.forget(before: UInt64(steps))
    for step in steps + 1...steps + 1000 {
      times.note(end: UInt64(step), wallMilliseconds: Int64(step))
      #expect(times.wallMilliseconds(at: UInt64(step - 1)) == Int64(step))
    }
  }

  @Test func aClockSetBackIsAnsweredAsItWas() {
    var times = ReceiptTimes()
    times.note(end: 10, wallMilliseconds: 1000)
    times.note(end: 20, wallMilliseconds: 400)
    times.note(end: 30, wallMilliseconds: 401)
    #expect(times.wallMilliseconds(at: 9) == 1000)
    #expect(times.wallMilliseconds(at: 10) == 400)
    #expect(times.wallMilliseconds(at: 29) == 400 || times.wallMilliseconds(at: 29) == 401)
    // One that runs backwards for good takes no more room either.
    for step in 0..<2 * ReceiptTimes.entriesMax {
      times.note(end: UInt64(31 + step), wallMilliseconds: 1_000_000 - Int64(step))
    }
    #expect(times.entryCount <= ReceiptTimes.entriesMax)
  }
}
