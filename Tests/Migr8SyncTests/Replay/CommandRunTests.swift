// Which commands are put together, and that what is sent says the same.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct CommandRunTests {
  /// A command on the wire, and where its arguments lie.
  private static func encoded(_ words: [String]) -> (bytes: [UInt8], arguments: [Range<Int>]) {
    var bytes = Array("*\(words.count)\r\n".utf8)
    var arguments: [Range<Int>] = []
    for word in words {
      bytes += "$\(word.utf8.count)\r\n".utf8
      arguments.append(bytes.count..<bytes.count + word.utf8.count)
      bytes += "\(word)\r\n".utf8
    }
    return (bytes, arguments)
  }

  private static func text(_ commands: [[String]]) -> String {
    commands.map { String(decoding: encoded($0).bytes, as: UTF8.self) }.joined()
  }

  private static func kind(_ words: [String]) -> CommandRun.Kind? {
    let (bytes, arguments) = encoded(words)
    return bytes.withUnsafeBytes { CommandRun.kind(of: $0, arguments.span)?.kind }
  }

  private struct NotOfAKind: Error {
    let command: [String]
  }

  /// What a run of these commands sends.
  private static func sent(_ commands: [[String]]) throws -> String {
    var run = CommandRun()
    var buffer = ByteBuffer()
    for (index, command) in commands.enumerated() {
      let (bytes, arguments) = encoded(command)
      try bytes.withUnsafeBytes { bytes in
        guard let found = CommandRun.kind(of: bytes, arguments.span) else {
          throw NotOfAKind(command: command)
        }
        if !run.takes(found.kind, database: 0) {
          if !run.isEmpty { run.move(to: &buffer) }
          run.begin(found.kind, database: 0)
        }
        run.add(
          UnsafeRawBufferPointer(rebasing: bytes[found.operands...]), offset: UInt64(index))
      }
    }
    run.move(to: &buffer)
    return buffer.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  @Test func onlyWhatFaresAsIfItWereAloneIsPutTogether() {
    #expect(Self.kind(["SET", "k", "v"]) == .set)
    #expect(Self.kind(["set", "", ""]) == .set)
    #expect(Self.kind(["DEL", "k"]) == .delete)
    #expect(Self.kind(["Unlink", "k"]) == .unlink)
    for other in [
      ["SET", "k"], ["SET", "k", "v", "NX"], ["SETNX", "k", "v"], ["GET", "k"], ["INCR", "k"],
      ["DEL", "k", "l"], ["DEL"], ["UNLINK", "k", "l"], ["EXPIRE", "k", "1"], ["UNLINQ", "k"],
    ] {
      #expect(Self.kind(other) == nil)
    }
    let large = String(repeating: "x", count: CommandRun.operandBytesMax)
    #expect(Self.kind(["SET", "k", large]) == nil)
  }

  @Test func aRunIsOneCommandInOrder() throws {
    let sets = [["SET", "a", "1"], ["set", "b", "2"], ["SET", "a", "3"]]
    #expect(try Self.sent(sets) == Self.text([["MSET", "a", "1", "b", "2", "a", "3"]]))
    #expect(try Self.sent([["SET", "a", "1"]]) == Self.text([["SET", "a", "1"]]))
    let mixed = [["DEL", "a"], ["DEL", "b"], ["UNLINK", "c"], ["SET", "d", "e"]]
    #expect(
      try Self.sent(mixed) == Self.text([["DEL", "a", "b"], ["UNLINK", "c"], ["SET", "d", "e"]]))
  }

  @Test func stringsOfASnapshotAreOneCommandThatSparesWhatIsThere() {
    var run = CommandRun()
    run.begin(.setNew, database: 0)
    var joined: [Bool] = []
    for word in ["a", "b", "c"] {
      joined.append(
        run.add { operands in
          if word == "b" { return false }
          operands.appendBulk(Array(word.utf8).span)
          operands.appendBulk(decimal: -10)
          return true
        })
    }
    var buffer = ByteBuffer()
    run.move(to: &buffer)
    let text = buffer.withBytes { String(decoding: $0, as: UTF8.self) }
    #expect(joined == [true, false, true])
    #expect(text == Self.text([["MSETNX", "a", "-10", "c", "-10"]]))
  }

  @Test func aRunEndsWithItsKindItsDatabaseAndItsSize() {
    let operands = Array("$1\r\na\r\n$1\r\nb\r\n".utf8)
    var run = CommandRun()
    var takes = [run.takes(.set, database: 0)]
    run.begin(.set, database: 0)
    for _ in 0..<CommandRun.keysMax {
      operands.withUnsafeBytes { run.add($0, offset: 7) }
    }
    takes.append(run.takes(.set, database: 0))
    #expect(takes == [false, false])
    var buffer = ByteBuffer()
    run.move(to: &buffer)
    takes = [run.isEmpty]
    run.begin(.delete, database: 3)
    operands.withUnsafeBytes { run.add($0, offset: 9) }
    takes += [run.takes(.delete, database: 3), run.takes(.delete, database: 2)]
    takes.append(run.takes(.unlink, database: 3))
    #expect(takes == [true, true, false, false])
  }
}
