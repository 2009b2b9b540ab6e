// Values as commands: bounded size, exact numbers, what cannot be said is counted. Real servers
// execute them in RealServerTests.swift.

import RDBParser
import Testing

struct CommandTests {
  /// Commands as lists of words, with how large the largest was on the wire.
  private func commands(
    _ type: UInt8, _ value: [UInt8], expiry: Int64? = nil,
    _ change: (inout RDBCommandOptions) -> Void = { _ in }
  ) throws -> (words: [[String]], report: RDBCommandReport, steps: Int) {
    var reader = try RDBReader(
      valueOf: RDBType(rawValue: type), key: Array("key".utf8).span, expiryMilliseconds: expiry)
    change(&reader.commandOptions)
    reader.append(value.span)
    reader.finishInput()
    var bytes: [UInt8] = []
    var count = 0
    var steps = 0
    while true {
      switch try reader.nextCommands() {
      case .needsInput: Issue.record("input is complete")
      case .commands(let number):
        bytes += reader.withCommands { RDBTest.bytes($0) }
        count += number
        steps += 1
      case .end(let report):
        let words = Self.parse(bytes)
        #expect(words.count == count)
        #expect(report.commands == count)
        guard case .end = try reader.next() else {
          Issue.record("no end behind the value")
          return (words, report, steps)
        }
        return (words, report, steps)
      }
    }
  }

  static func parse(_ bytes: [UInt8]) -> [[String]] {
    var commands: [[String]] = []
    var position = 0
    func number() -> Int {
      var value = 0
      position += 1
      while bytes[position] != 13 {
        value = value * 10 + Int(bytes[position] - 48)
        position += 1
      }
      position += 2
      return value
    }
    while position < bytes.count {
      commands.append(
        (0..<number()).map { _ in
          let length = number()
          defer { position += length + 2 }
          return RDBTest.text(Array(bytes[position..<(position + length)]))
        })
    }
    return commands
  }

  private func collection(_ count: Int, _ body: (inout FileBuilder, Int) -> Void) -> [UInt8] {
    var builder = FileBuilder()
    builder.length(UInt64(count))
    for index in 0..<count { body(&builder, index) }
    return builder.bytes
  }

  @Test func largeCollectionsAreSplit() throws {
    let list = collection(1000) { $0.string("item \($1)") }
    let made = try commands(1, list, expiry: 5) { $0.commandElementsMax = 100 }
    #expect(made.words.count == 11)
    #expect(
      made.words.dropLast().allSatisfy { $0.count == 102 && $0.prefix(2) == ["RPUSH", "key"] })
    #expect(made.words.dropLast().flatMap { $0.dropFirst(2) } == (0..<1000).map { "item \($0)" })
    #expect(made.words.last == ["PEXPIREAT", "key", "5"])
    let bySize = try commands(1, list) { $0.commandBytesMax = 200 }
    #expect(bySize.words.allSatisfy { $0.joined().utf8.count < 300 })
    #expect(bySize.steps > 10)
  }

  @Test func scoresAreExact() throws {
    let scores: [Double] = [
      0, -0.0, 1, -17, 0.1, 1 / 3, .infinity, -.infinity, 1e300, .leastNonzeroMagnitude, 1e15, 1e16,
      9_007_199_254_740_992, .greatestFiniteMagnitude, -2.5,
    ]
    let value = collection(scores.count) { builder, index in
      builder.string("m\(index)")
      builder.double(scores[index])
    }
    let made = try commands(5, value)
    let words = try #require(made.words.first)
    for (index, score) in scores.enumerated() {
      let text = words[2 + 2 * index]
      #expect(Double(text)?.bitPattern == score.bitPattern, "\(text)")
      #expect(words[3 + 2 * index] == "m\(index)")
    }
  }

  @Test func fieldExpiriesFollowTheirFieldsOrAreCounted() throws {
    var builder = FileBuilder()
    builder.littleEndian(Int64(1000))
    builder.length(3)
    for (expiry, name): (UInt64, String) in [(1, "a"), (0, "b"), (6, "c")] {
      builder.length(expiry)
      builder.string(name)
      builder.string("v")
    }
    let made = try commands(24, builder.bytes)
    #expect(
      made.words == [
        ["HSET", "key", "a", "v", "b", "v", "c", "v"],
        ["HPEXPIREAT", "key", "1000", "FIELDS", "1", "a"],
        ["HPEXPIREAT", "key", "1005", "FIELDS", "1", "c"],
      ])
    #expect(made.report.isComplete)
    let older = try commands(24, builder.bytes) { $0.features = .redis(major: 3, minor: 2) }
    #expect(older.words == [["HMSET", "key", "a", "v", "b", "v", "c", "v"]])
    #expect(older.report.droppedFieldExpiries == 2)
  }

  @Test func longStringsAreAppended() throws {
    let text = String(repeating: "0123456789", count: 300_000)
    var builder = FileBuilder()
    builder.string(text)
    let made = try commands(0, builder.bytes) { $0.deletesFirst = true }
    #expect(made.words.first == ["DEL", "key"])
    try #require(made.words.count == 4)
    #expect(made.words[1][0] == "SET")
    #expect(made.words.dropFirst(2).allSatisfy { $0[0] == "APPEND" })
    #expect(made.words.dropFirst().map { $0[2] }.joined() == text)
  }

  @Test func anEmptyCollectionMakesNoKey() throws {
    let made = try commands(1, [0], expiry: 5)
    #expect(made.words.isEmpty)
  }

  @Test func moduleValuesAreRefused() {
    #expect(throws: RDBError.self) { try commands(7, [5, 0]) }
    #expect(throws: RDBError.self) {
      _ = try RDBReader(valueOf: RDBType(rawValue: 99), key: [UInt8]().span).position
    }
  }

  @Test func payloadsAreChecked() throws {
    var payload = DumpPayload(type: .string)
    let value: [UInt8] = [1, 0x61]
    payload.update(value.span)
    let footer = payload.footer(version: 9)
    let bytes = [0] + value + (0..<10).map { footer[$0] }
    let contents = try DumpPayload.open(bytes.span)
    #expect(contents.type == .string && contents.value == 1..<3 && contents.version == 9)
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 1
      #expect(throws: RDBError.self) { try DumpPayload.open(damaged.span) }
    }
    for length in 0..<bytes.count {
      #expect(throws: RDBError.self) { try DumpPayload.open(bytes.span.extracting(first: length)) }
    }
    let unsummed = bytes.dropLast(8) + [UInt8](repeating: 0, count: 8)
    #expect(throws: RDBError.self) { try DumpPayload.open(Array(unsummed).span) }
  }
}
