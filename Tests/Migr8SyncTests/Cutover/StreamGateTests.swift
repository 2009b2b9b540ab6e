// What the gate lets through, and when.

import Testing

@testable import Migr8Sync

@Suite("The gate in front of the stream")
struct StreamGateTests {
  @Test func openItLetsEverythingThrough() {
    let gate = StreamGate()
    #expect(gate.verdict(on: 0) == .apply && gate.verdict(on: .max - 1) == .apply)
    #expect(!gate.isClosed && !gate.isPaused)
  }

  @Test func theEndIsExact() {
    let gate = StreamGate()
    gate.hold()
    #expect(gate.verdict(on: 0) == .wait)
    gate.admit(upTo: 100)
    // A command begins where the one before it ended.
    #expect(gate.verdict(on: 99) == .apply && gate.verdict(on: 100) == .wait)
    gate.handOver()
    #expect(gate.verdict(on: 99) == .apply && gate.verdict(on: 100) == .passOver && !gate.isClosed)
    gate.close()
    #expect(gate.verdict(on: 100) == .passOver && gate.isClosed)
  }

  @Test func aCutoverThatFailedLeavesItOpen() {
    let gate = StreamGate()
    gate.hold()
    gate.admit(upTo: 100)
    gate.open()
    #expect(gate.verdict(on: 100) == .apply)
    // What belongs to a cutover that is over means nothing.
    gate.handOver()
    gate.close()
    #expect(gate.verdict(on: 100) == .apply && !gate.isClosed)
  }

  /// From "all is there" on nothing is written, so that no repair goes over what the application writes.
  @Test func whatIsThereIsSealed() {
    let gate = StreamGate()
    gate.hold()
    gate.admit(upTo: 100)
    #expect(!gate.isSealed)
    #expect(!gate.seal(untilMilliseconds: 0) { false } && !gate.isSealed)
    #expect(gate.seal(untilMilliseconds: 0) { true } && gate.isSealed && !gate.isHandedOver)
    #expect(gate.verdict(on: 99) == .apply && gate.verdict(on: 100) == .wait)
    gate.open()
    #expect(!gate.isSealed)
  }

  @Test func whatWaitedIsCarriedThroughTheSeal() {
    let gate = StreamGate()
    gate.hold()
    gate.admit(upTo: 100)
    #expect(gate.seal(untilMilliseconds: 0) { true })
    gate.carry(upTo: 200)
    #expect(gate.isSealed && gate.verdict(on: 199) == .apply && gate.verdict(on: 200) == .wait)
    #expect(gate.carriedFrom.load(ordering: .relaxed) == 100)
    gate.handOver()
    #expect(gate.isSealed && gate.isHandedOver && gate.verdict(on: 200) == .passOver)
  }

  @Test func aPauseHoldsEverythingAndGivesTheStateBack() {
    let gate = StreamGate()
    gate.pause(true)
    #expect(gate.verdict(on: 5) == .wait && gate.isPaused)
    gate.pause(false)
    #expect(gate.verdict(on: 5) == .apply)
  }
}
