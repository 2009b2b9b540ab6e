// Snapshots that the tests of the reports share.

@testable import Migr8Sync

extension ProgressSnapshot {
  /// A run that is halfway through its snapshot.
  static let midSnapshot: ProgressSnapshot = {
    var snapshot = ProgressSnapshot()
    snapshot.phase = .snapshot
    snapshot.elapsedMilliseconds = 12_400
    snapshot.phaseMilliseconds = [.connecting: 100, .waitingForSnapshot: 4_200, .snapshot: 8_100]
    snapshot.keysRead = 1_234_567
    snapshot.keysMatched = 123_456
    snapshot.keysWritten = 120_000
    snapshot.keysExpected = 2_700_000
    snapshot.snapshotBytesRead = 92 << 20
    snapshot.snapshotBytesExpected = 200 << 20
    snapshot.bytesWritten = 9 << 20
    snapshot.queueMemoryBytes = 12 << 20
    return snapshot
  }()

  /// A run that follows the stream, with a little of it outstanding.
  static let following: ProgressSnapshot = {
    var snapshot = midSnapshot
    snapshot.phase = .following
    snapshot.elapsedMilliseconds = 130_000
    snapshot.phaseMilliseconds[.catchingUp] = 900
    snapshot.phaseMilliseconds[.following] = 116_700
    snapshot.keysRead = 2_700_000
    snapshot.keysMatched = 270_000
    snapshot.keysWritten = 270_000
    snapshot.snapshotBytesRead = 200 << 20
    for _ in 0..<4_567 { snapshot.routing.count(.forward(database: 0)) }
    for _ in 0..<41_100 { snapshot.routing.count(.drop(.otherKeys)) }
    for _ in 0..<11 { snapshot.routing.count(.rewritten([], database: 0, .subset)) }
    snapshot.sourceOffset = 9_001_536
    snapshot.appliedOffset = 9_000_000
    snapshot.lagBytes = 1_536
    snapshot.lagMilliseconds = 340
    return snapshot
  }()
}
