// Speed and remaining time, against sums done by hand.

import Testing

@testable import Migr8Sync

@Suite struct RateMeterTests {
  private func snapshot(
    at milliseconds: Int64, phase: ProgressSnapshot.Phase = .snapshot, keys: UInt64 = 0,
    of expected: UInt64? = nil, lag: UInt64 = 0
  ) -> ProgressSnapshot {
    var snapshot = ProgressSnapshot()
    snapshot.phase = phase
    snapshot.elapsedMilliseconds = milliseconds
    snapshot.keysRead = keys
    snapshot.keysExpected = expected
    snapshot.lagBytes = lag
    return snapshot
  }

  @Test func oneSnapshotSaysNothing() {
    var meter = RateMeter()
    let first = meter.add(snapshot(at: 0))
    let tooEarly = meter.add(snapshot(at: 149, keys: 5))
    #expect(first == nil && tooEarly == nil)
  }

  @Test func theSpeedIsThatOfTheLastSeconds() {
    var meter = RateMeter()
    // 1,000 keys a second for ten seconds, then 200 a second.
    var rates: Rates?
    for step in 0...50 {
      rates = meter.add(snapshot(at: Int64(step) * 200, keys: UInt64(step) * 200))
    }
    #expect(rates?.keysPerSecond == 1_000)
    for step in 1...25 {
      rates = meter.add(snapshot(at: 10_000 + Int64(step) * 200, keys: 10_000 + UInt64(step) * 40))
    }
    #expect(rates?.keysPerSecond == 200)
  }

  @Test func theRestOfTheSnapshotIsForetoldFromItsShare() {
    var meter = RateMeter()
    _ = meter.add(snapshot(at: 0, keys: 0, of: 1_000))
    let rates = meter.add(snapshot(at: 2_000, keys: 250, of: 1_000))
    #expect(rates?.remainingMilliseconds == 6_000)
  }

  @Test func bytesCountBeforeKeys() {
    var snapshot = snapshot(at: 0, keys: 10, of: 20)
    #expect(snapshot.snapshotFraction == 0.5)
    snapshot.snapshotBytesRead = 30
    snapshot.snapshotBytesExpected = 40
    #expect(snapshot.snapshotFraction == 0.75)
    snapshot.snapshotBytesRead = 50
    #expect(snapshot.snapshotFraction == 1)
    snapshot.snapshotBytesExpected = 0
    snapshot.keysExpected = nil
    #expect(snapshot.snapshotFraction == nil)
  }

  @Test func catchingUpIsForetoldOnlyWhileTheLagShrinks() {
    var meter = RateMeter()
    _ = meter.add(snapshot(at: 0, phase: .catchingUp, lag: 3_000))
    let shrinking = meter.add(snapshot(at: 1_000, phase: .catchingUp, lag: 2_000))
    #expect(shrinking?.remainingMilliseconds == 2_000)
    let growing = meter.add(snapshot(at: 2_000, phase: .catchingUp, lag: 4_000))
    #expect(growing != nil && growing?.remainingMilliseconds == nil)
  }

  @Test func aNewPhaseStartsAfresh() {
    var meter = RateMeter()
    _ = meter.add(snapshot(at: 0, keys: 0))
    let later = meter.add(snapshot(at: 1_000, keys: 100))
    let afresh = meter.add(snapshot(at: 2_000, phase: .catchingUp))
    #expect(later != nil && afresh == nil)
  }

  @Test func whatIsFarAwayIsNotForetold() {
    var meter = RateMeter()
    _ = meter.add(snapshot(at: 0, keys: 0, of: UInt64.max))
    let rates = meter.add(snapshot(at: 1_000, keys: 4_000, of: UInt64.max))
    #expect(rates != nil && rates?.remainingMilliseconds == nil)
  }
}
