// What counts as applied, and what as settled: a command that the destination refused lies between the two.

import ReplicaLink
import Synchronization
import Testing

@testable import Migr8Sync

@Suite("What may be acknowledged")
struct AcknowledgeCeilingTests {
  private let command = RefusedCommand(
    command: SentCommand(arguments: [Array("INCR".utf8)], database: 0), error: nil)

  @Test func aRefusalHoldsItDownUntilItsKeysAreRepaired() {
    var ceiling = AcknowledgeCeiling()
    ceiling.note(command, behind: 40)
    #expect(ceiling.offset == 40)
    // Nothing is under repair yet, because nobody has looked at it.
    ceiling.raise()
    #expect(ceiling.offset == 40)
    ceiling.note(command, behind: 60)
    ceiling.lower(to: 70)
    ceiling.dealtWith(1)
    ceiling.raise()
    #expect(ceiling.offset == 40 && ceiling.refusals.count == 1)
    ceiling.dealtWith(1)
    #expect(ceiling.offset == 40)
    ceiling.raise()
    #expect(ceiling.offset == .max)
  }

  @Test func aSessionBeginsWithWhatTheRecordSays() {
    let progress = ReplayProgress(gate: StreamGate(), pacer: Pacer(RateLimit.none))
    progress.noteRefusal(command)
    progress.resume(at: 100, confirmed: 40)
    #expect(!progress.mayHaveRefusals && !progress.isSettled(upTo: 100))
    #expect(progress.acknowledgeCeiling.load(ordering: .relaxed) == 40)
    progress.resume(at: 100)
    #expect(progress.isSettled(upTo: 100) && !progress.isSettled(upTo: 101))
  }

  /// At the moment at which a cutover that waits for the end is woken, no refusal has to be looked at first.
  @Test(
    .enabled(if: RedisServer.executable != nil, "no redis-server"),
    arguments: [Trouble.refused, .unmet, .none])
  func whatWasRefusedIsNotSettledWhenItIsApplied(trouble: Trouble) throws {
    let server = try RedisServer(executable: try #require(RedisServer.executable))
    _ = try server.command("SET", "text", "no number")
    let progress = ReplayProgress(gate: StreamGate(), pacer: Pacer(RateLimit.none))
    progress.resume(at: 40)
    let seen = Guarded<(applied: Bool, settled: Bool, ceiling: UInt64)>((false, false, 0))
    let timeouts = Timeouts()
    let pipeline = Pipeline(
      DestinationConnector(
        locator: ServerLocator(try RedisURL(server.url), timeouts: timeouts), timeouts: timeouts,
        runner: nil),
      mapping: KeyMapping(KeyFilter(prefixes: [Array("text".utf8)])),
      progress: progress,
      role: .lane(onApplied: { offset in
        seen.withLock {
          $0 = (
            true, progress.isSettled(upTo: offset),
            progress.acknowledgeCeiling.load(ordering: .acquiring)
          )
        }
      }))
    let thread = pipeline.start("lane")
    let batch = Batch()
    let commands = [["MULTI"], trouble.command, ["EXEC"]]
    for words in commands {
      batch.bytes.appendCommand(words.map { Array($0.utf8) })
      batch.commandCount += 1
      batch.commandOffsets.append(100)
    }
    batch.boundaryOffset = 100
    batch.checkpointNumber = 1
    if trouble == .unmet { batch.expectations = [(0, .timeToLive)] }
    try pipeline.submit(batch)
    try pipeline.drain()
    pipeline.close()
    thread.join()
    let (isApplied, isSettled, ceiling) = seen.withLock { $0 }
    #expect(isApplied && isSettled == (trouble == .none))
    #expect(ceiling == (trouble == .none ? .max : 40))
  }

  enum Trouble: Sendable {
    case refused, unmet, none

    var command: [String] {
      switch self {
      case .refused: ["INCR", "text"]
      case .unmet: ["PTTL", "text"]
      case .none: ["APPEND", "text", "!"]
      }
    }
  }
}
