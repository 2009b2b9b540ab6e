// What several destinations have applied, and what the source is told of it.

import Testing

@testable import Migr8Sync

@Suite struct AppliedOffsetsTests {
  @Test func theSlowestDecides() {
    var offsets = AppliedOffsets(destinationCount: 3)
    offsets.note(70, generation: 1, at: 0)
    offsets.note(50, generation: 1, at: 2)
    #expect(offsets.everywhere == nil)  // one has said nothing yet
    offsets.note(60, generation: 1, at: 1)
    #expect(offsets.everywhere?.offset == 50)
    offsets.note(65, generation: 1, at: 2)
    #expect(offsets.everywhere?.offset == 60)
    offsets.note(40, generation: 1, at: 1)  // an older word that came late
    #expect(offsets.everywhere?.offset == 60)
  }

  /// Numbers of two histories cannot be compared, whichever is greater.
  @Test func whatIsOfAnEarlierBeginningCountsForNothing() {
    var offsets = AppliedOffsets(destinationCount: 2)
    offsets.note(500, generation: 1, at: 0)
    offsets.note(500, generation: 1, at: 1)
    offsets.note(20, generation: 2, at: 0)
    #expect(offsets.everywhere == nil)
    offsets.note(600, generation: 1, at: 0)  // its lane of before
    #expect(offsets.everywhere == nil)
    offsets.note(10, generation: 2, at: 1)
    #expect(offsets.everywhere?.offset == 10)
    #expect(offsets.everywhere?.generation == 2)
  }

  @Test func whatTheSourceAsksForIsToldOnce() {
    var offsets = AppliedOffsets(destinationCount: 2)
    offsets.note(100, generation: 1, at: 0)
    offsets.note(50, generation: 1, at: 1)
    offsets.await(80)
    let early = offsets.takeAwaited()
    #expect(!early)
    offsets.note(80, generation: 1, at: 1)
    let answers = [offsets.takeAwaited(), offsets.takeAwaited()]
    #expect(answers == [true, false])
  }
}
