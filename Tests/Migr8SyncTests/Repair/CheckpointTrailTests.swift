// Which part of the stream is confirmed, and which repaired keys a checkpoint may cease to name.

import Testing

@testable import Migr8Sync

@Suite("The trail of checkpoints")
struct CheckpointTrailTests {
  private let key = KeyName(database: 0, key: Array("k".utf8))

  private func point(_ offset: UInt64, _ database: Int = 0) -> StreamPoint {
    StreamPoint(offset: offset, database: database)
  }

  @Test func whatIsAnsweredIsConfirmedByTheNextCheckpoint() {
    var trail = CheckpointTrail(at: point(10), confirmed: point(10))
    _ = trail.send(point(20, 1), repairing: [])
    _ = trail.send(point(30, 2), repairing: [])
    #expect(!trail.isSettled)
    #expect(trail.confirmed == point(10))
    trail.answered(1)
    #expect(trail.confirmed == point(20, 1))
    #expect(trail.hasNews)
    // The record that is there still says 10.
    #expect(trail.neededOffset == 10)
    _ = trail.send(point(40), repairing: [])
    #expect(!trail.hasNews)
    trail.answered(3)
    #expect(trail.neededOffset == 20)
    #expect(trail.confirmed == point(40))
    #expect(trail.isSettled)
  }

  @Test func twoCheckpointsOfOneOffset() {
    var trail = CheckpointTrail(at: point(10), confirmed: point(10))
    _ = trail.send(point(20), repairing: [])
    trail.answered(1)
    _ = trail.send(point(20), repairing: [])
    trail.answered(2)
    #expect(trail.neededOffset == 20)
    #expect(!trail.hasNews)
  }

  /// The answer to the first says nothing of what the second carries.
  @Test func twoOfOneOffsetAreAnsweredOneByOne() {
    var trail = CheckpointTrail(at: point(10), confirmed: point(10))
    _ = trail.send(point(20), repairing: [])
    _ = trail.send(point(20), repairing: [key])
    trail.answered(1)
    #expect(!trail.isSettled)
    #expect(trail.send(point(30), repairing: []) == [])
    trail.answered(2)
    #expect(trail.send(point(40), repairing: []) == [key])
  }

  @Test func nothingIsConfirmedBeforeTheBeginningIs() {
    var trail = CheckpointTrail(at: point(20, 1), confirmed: point(10))
    trail.answered(1)
    #expect(trail.confirmed == point(10))
    #expect(!trail.isSettled)
    trail.confirm(point(20, 1))
    #expect(trail.confirmed == point(20, 1))
    #expect(trail.neededOffset == 10)
    #expect(trail.hasNews)
    #expect(trail.isSettled)
  }

  /// The command that wrote the repaired value may have been refused itself.
  @Test func aRepairedKeyIsNamedUntilItsReplyWasRead() {
    var trail = CheckpointTrail(at: point(10), confirmed: point(10))
    #expect(trail.send(point(20), repairing: [key]) == [])
    #expect(trail.send(point(30), repairing: []) == [])
    trail.answered(1)
    #expect(trail.hasNews)
    #expect(trail.send(point(40), repairing: []) == [key])
    #expect(trail.send(point(50), repairing: []) == [])
  }

  @Test func aKeyThatNeedsRepairAgainStaysNamed() {
    var trail = CheckpointTrail(at: point(10), confirmed: point(10))
    _ = trail.send(point(20), repairing: [key])
    trail.reopen([key])
    trail.answered(1)
    #expect(trail.send(point(30), repairing: []) == [])
    _ = trail.send(point(40), repairing: [key])
    trail.answered(3)
    trail.reopen([key])
    #expect(trail.send(point(50), repairing: []) == [])
  }
}
