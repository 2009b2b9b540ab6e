// What is sent again of a batch that was not answered whole.

import Glibc
import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite("A loader's batch that is sent again")
struct BatchAgainTests {
  private func batch(_ commands: [[String]]) -> Batch {
    let batch = Batch()
    for command in commands {
      batch.bytes.appendCommand(command.map { Array($0.utf8) })
      batch.commandCount += 1
    }
    batch.keyCount = commands.count - 1
    return batch
  }

  private func commands(of batch: Batch) -> [[String]] {
    var cursor = BatchCursor()
    return (0..<batch.commandCount).map { index in
      cursor.arguments(of: index, in: batch, first: .max).map {
        String(decoding: $0, as: UTF8.self)
      }
    }
  }

  private static let sparing = [
    ["SELECT", "3"], ["SET", "a", "1", "NX"], ["SET", "b", "$2\r\nNX\r\n", "PXAT", "5", "NX"],
    ["RESTORE", "c", "0", "payload"], ["RESTORE", "d", "7", "payload", "ABSTTL"],
    ["MSETNX", "e", "1", "f", "$4\r\nMSET\r\n"], ["FUNCTION", "LOAD", "REPLACE", "code"],
  ]

  @Test func whatSparedOverwrites() {
    let again = batch(Self.sparing).again(from: 0, overwriting: true)
    #expect(
      commands(of: again) == [
        ["SELECT", "3"], ["SET", "a", "1"], ["SET", "b", "$2\r\nNX\r\n", "PXAT", "5"],
        ["RESTORE", "c", "0", "payload", "REPLACE"],
        ["RESTORE", "d", "7", "payload", "ABSTTL", "REPLACE"],
        ["MSET", "e", "1", "f", "$4\r\nMSET\r\n"],
        ["FUNCTION", "LOAD", "REPLACE", "code"],
      ])
    #expect(again.keyCount == Self.sparing.count - 1)
  }

  /// A connection may be lost again before what was sent again is answered.
  @Test func aThirdTimeIsTheSecondOnceMore() {
    let second = batch(Self.sparing).again(from: 0, overwriting: true)
    let third = second.again(from: 0, overwriting: true)
    #expect(commands(of: third) == commands(of: second))
    #expect(third.isOverwriting)
  }

  /// Keys that the destination could not take in between are sent again, too, beside those of other batches.
  @Test func whatWasRefusedInBetweenIsOverwrittenOnceOnly() throws {
    let timeouts = Timeouts()
    let connector = DestinationConnector(
      locator: ServerLocator(try RedisURL("redis://localhost"), timeouts: timeouts),
      timeouts: timeouts, runner: nil)
    let pipeline = Pipeline(
      connector, mapping: .identity,
      progress: ReplayProgress(
        gate: StreamGate(), pacer: Pacer(RateLimit(commandsPerSecond: nil, bytesPerSecond: nil))),
      role: .loader(.fail))
    let first = batch([["SELECT", "0"], ["SET", "a", "1", "PXAT", "5", "NX"]])
    var refused = RefusedKeys()
    for batch in [first.again(from: 0, overwriting: true), first] {
      var cursor = BatchCursor()
      refused.add(cursor.range(of: 1, in: batch), of: batch, pipeline)
    }
    var kept: [Batch] = []
    while kept.count < 2 {
      if let batch = refused.take(pipeline) { kept.append(batch) } else { sched_yield() }
    }
    for batch in kept {
      #expect(
        commands(of: batch.again(from: 0, overwriting: true)) == [
          ["SELECT", "0"], ["SET", "a", "1", "PXAT", "5"],
        ])
    }
  }

  @Test func whatWasAnsweredIsLeftOut() {
    let again = batch(Self.sparing).again(from: 4, overwriting: false)
    #expect(
      commands(of: again) == [Self.sparing[0], Self.sparing[4], Self.sparing[5], Self.sparing[6]])
  }

  @Test func aValueInPartsIsSentWholeAndTakesItsPlace() {
    let parts = [
      ["SELECT", "0"], ["UNLINK", "k:p"], ["RPUSH", "k:p", "1"], ["PERSIST", "k:p"],
      ["RENAMENX", "k:p", "k"], ["UNLINK", "k:p"],
    ]
    let value = batch(parts)
    value.isOrdered = true
    value.beginsValue = true
    value.move = (4, Array("k".utf8))
    let again = value.again(from: 3, overwriting: true)
    #expect(commands(of: again) == parts[..<4] + [["UNLINK", "k"]] + parts[4...])
    #expect(again.move?.index == 5)
    #expect(again.isOrdered && again.beginsValue)
  }

  @Test func aCommandTellsHowManyKeysItWrites() {
    let counts = commands(of: batch(Self.sparing)).map { words in
      var buffer = ByteBuffer()
      buffer.appendCommand(words.map { Array($0.utf8) })
      return buffer.withBytes { Batch.keyCount(of: $0) }
    }
    #expect(counts == [0, 1, 1, 1, 1, 2, 0])
  }
}
