// The link in a world of chance: splits, delays, resets, silence, failovers, small backlogs, readers that
// sleep and go back. What comes out is byte for byte what went in, and the offsets are exact.

import Foundation
import Testing

@testable import ReplicaLink

struct SimulationTests {
  /// `MIGR8SYNC_SIMULATION_EVENTS` makes it longer.
  private static let events =
    ProcessInfo.processInfo.environment["MIGR8SYNC_SIMULATION_EVENTS"].flatMap { Int($0) }
    ?? 300_000

  @Test(arguments: [1, 2])
  func whatComesOutIsWhatWentIn(readerCount: Int) throws {
    let folder = try TemporaryFolder(isInMemory: true)
    var limits = SpoolLimits(
      memoryBytes: 8_000, diskBytes: 30_000, directory: folder.path, historyBytes: 3_000,
      reserveBytes: 0)
    limits.chunkBytes = 700
    limits.segmentBytes = 3_000
    let world = SimulatedWorld(
      seed: SeededRandom("simulation with \(readerCount) readers"), events: Self.events / 2,
      limits: limits, readerCount: readerCount)
    var options = LinkOptions(timeouts: Timeouts(ioMilliseconds: 1_500), spool: limits)
    options.channelFailuresMax = .max
    options.pauses.firstMilliseconds = 10
    options.pauses.longestMilliseconds = 500
    // The first attachment may fail for good; the simulation is about those after it.
    let place = ReplicationPlace(
      replicationID: world.history.identity, offset: world.history.end)
    let machine = LinkMachine(
      options, resumingFrom: place, seed: world.random.next(), now: world.now)
    var driver = LinkDriver(
      machine, transport: SimulatedTransport(world: world), spool: world.spool,
      control: world.control)
    driver.run()
    let status = world.control.currentStatus
    print(
      "\(world.events) events, \(world.connections) connections, \(status.continuations)"
        + " continuations, \(status.fullResyncCount) snapshots (\(world.secondSnapshots) tried"
        + " over a channel of their own), \(world.comparisons) comparisons,"
        + " \(world.readers.map(\.rewinds)) rewinds")
    #expect(world.failures == [])
    guard world.events >= Self.events / 2 else {
      Issue.record("it ended after \(world.events) events: \(status)")
      return
    }
    #expect(world.comparisons > Self.events / 2 / 10_000)
    #expect(folder.openDescriptors.count <= 15)
  }
}
