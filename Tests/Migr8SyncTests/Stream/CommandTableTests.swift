// The built-in command table against the COMMAND and COMMAND GETKEYS of a real server.

import Testing

@testable import Migr8Sync

@Suite struct CommandTableTests {
  static let isInstalled = RedisServer.executable != nil

  private func shape(_ name: String) -> CommandShape? {
    CommandTable.builtIn.shape(named: Array(name.utf8).span)
  }

  @Test func everyEntryIsFoundInEitherCase() {
    for entry in CommandTable.entries {
      #expect(shape(entry.name) == entry.shape)
      #expect(shape(entry.name.uppercased()) == entry.shape)
    }
    #expect(Set(CommandTable.entries.map(\.name)).count == CommandTable.entries.count)
  }

  @Test(arguments: [
    "", "s", "sett", "set ", "restore_asking", "get", "debug", "ſet", "\u{53}\u{0}t",
  ])
  func otherNamesAreUnknown(_ name: String) {
    #expect(shape(name) == nil)
  }

  /// Write commands whose positions the server does not say in first/last/step.
  static let exceptions: [String: String] = [
    "xgroup": "7.0 gives the positions with its subcommands only",
    "function": "has no keys; the write flag is on its subcommands",
  ]

  @Test(.enabled(if: isInstalled, "redis-server is not installed"))
  func everyWriteCommandOfTheServerIsThereWithItsPositions() throws {
    let server = try RedisServer(executable: try #require(RedisServer.executable))
    let rows = try server.command("COMMAND").items
    #expect(rows.count > 200)
    var checked = 0
    for row in rows {
      let name = row.items[0].text
      let subcommands = row.items.count > 9 ? row.items[9].items : []
      for (entry, isSubcommand) in [(row, false)] + subcommands.map({ ($0, true) }) {
        let flags = entry.items[2].items.map(\.text)
        guard flags.contains("write") else { continue }
        checked += 1
        let shape = try #require(self.shape(name), "\(name) is missing")
        let positions = entry.items[3...5].map(\.number)
        if Self.exceptions[name] != nil, !isSubcommand { continue }
        #expect(
          positions == [shape.first, shape.last, shape.step] || name == "function"
            || name == "migrate",
          "\(entry.items[0].text): the server says \(positions)")
        if flags.contains("movablekeys") {
          guard case .movable = shape.kind else {
            Issue.record("\(name) has movable keys")
            continue
          }
        }
      }
    }
    #expect(checked > 100)
  }

  /// Commands as they may appear in a stream, for COMMAND GETKEYS.
  static let samples = """
    SET k v|SET k v PXAT 1|MSET a 1 b 2|MSETNX a 1 b 2|DEL a b c|UNLINK a|TOUCH a b|RENAME a b
    RENAMENX a b|COPY a b DB 3 REPLACE|COPY a b|MOVE a 3|SMOVE a b m|LMOVE a b LEFT RIGHT
    RPOPLPUSH a b|BRPOPLPUSH a b 0|BLMOVE a b LEFT LEFT 0|BLPOP a b 0|BRPOP a 0|BZPOPMIN a b c 0
    BITOP AND d a b|BITOP NOT d a|PFMERGE d a b|PFCOUNT a b|SUNIONSTORE d a b
    SDIFFSTORE d a|SINTERSTORE d a b c|ZUNIONSTORE d 2 a b WEIGHTS 1 2|ZINTERSTORE d 1 a
    ZDIFFSTORE d 3 a b c|ZRANGESTORE d s 0 -1|LMPOP 2 a b LEFT|ZMPOP 1 a MIN|BLMPOP 0 2 a b LEFT
    BZMPOP 0 1 a MAX COUNT 3|EVAL x 2 a b c|EVALSHA x 1 a|FCALL f 1 a b
    SORT a|SORT a STORE d|SORT a BY store GET store STORE d|SORT a LIMIT 0 STORE DESC STORE d
    SORT a STORE x STORE d ALPHA|GEORADIUS a 1 2 3 m|GEORADIUS a 1 2 3 m COUNT 1 STORE d
    GEORADIUSBYMEMBER a m 3 km STOREDIST d
    GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 m|XREADGROUP GROUP g c STREAMS a b 1 2
    XREADGROUP GROUP streams c COUNT 1 BLOCK 3 NOACK STREAMS a >|XGROUP CREATE a g 0
    XGROUP SETID a g 0|XGROUP DESTROY a g|XGROUP CREATECONSUMER a g c|XGROUP DELCONSUMER a g c
    XADD a * f v|XCLAIM a g c 0 1-1|XSETID a 1-1|RESTORE a 0 x|RESTORE-ASKING a 0 x|GETEX a EX 3
    MIGRATE h 1 a 0 10|MIGRATE h 1 a 0 10 COPY|ZADD a 1 m|EXPIRE a 1|SETEX a 1 v
    """.split(whereSeparator: { $0 == "|" || $0 == "\n" }).map {
      $0.split(separator: " ").map(String.init)
    }

  @Test(.enabled(if: isInstalled, "redis-server is not installed"))
  func keyPositionsAgreeWithCommandGetkeys() throws {
    let server = try RedisServer(executable: try #require(RedisServer.executable))
    for sample in Self.samples {
      let reply = try server.send((["COMMAND", "GETKEYS"] + sample).map { Array($0.utf8) })
      let expected = reply.items.map(\.text)
      #expect(!expected.isEmpty, "\(sample): \(reply)")
      let keys = CommandUnderTest(sample).keys()?.map { String(decoding: $0, as: UTF8.self) }
      #expect(keys.map(Set.init) == Set(expected), "\(sample)")
    }
  }

  // COMMAND GETKEYS names every destination; the command itself writes to the last one only.
  @Test func theLastStoreOfGeoradiusIsTheDestination() {
    let command = CommandUnderTest("GEORADIUS a 1 2 3 m STORE x STOREDIST d")
    #expect(command.keys() == [Array("a".utf8), Array("d".utf8)])
  }

  @Test func migrateTakesItsKeysBehindKeys() {
    let command = CommandUnderTest([
      "MIGRATE", "h", "1", "", "0", "9", "AUTH", "keys", "KEYS", "a", "b",
    ])
    #expect(command.keys() == [Array("a".utf8), Array("b".utf8)])
  }

  @Test(arguments: [
    "DEL", "SET", "MSET a", "MSET a 1 b", "MSET", "RENAME a", "BITOP AND", "BLPOP 0", "SORT",
    "EVAL x", "EVAL x -1 a", "EVAL x 2 a", "EVAL x 9223372036854775807 a", "EVAL x 01 a",
    "EVAL x 99999999999999999999 a", "ZUNIONSTORE d", "ZUNIONSTORE d 0 a", "ZUNIONSTORE d 2 a",
    "LMPOP 0", "XREADGROUP GROUP g c STREAMS", "XREADGROUP GROUP g c STREAMS a b 1",
    "XREADGROUP GROUP g c", "XREADGROUP GROUP", "MIGRATE h 1 a", "COPY a", "XGROUP CREATE",
  ])
  func aCommandWhosePositionsDoNotFitIsMalformed(_ text: String) {
    #expect(CommandUnderTest(text.split(separator: " ").map(String.init)).keys() == nil)
  }

  @Test func noArgumentsMakeItTrap() {
    let seed: UInt64 = 77
    var generator = SeededGenerator(seed: seed)
    let names = CommandTable.entries.map(\.name)
    let pieces = [
      "", "0", "1", "2", "-1", "9223372036854775807", "-9223372036854775808", "STORE",
      "STREAMS", "GROUP", "KEYS", "AUTH2", "LIMIT", "BY", "GET", "COUNT", "in:a", "out:b", "\0",
    ]
    for _ in 0..<50_000 {
      let name = names.randomElement(using: &generator)!
      let rest = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
        pieces.randomElement(using: &generator)!
      }
      let command = CommandUnderTest([name] + rest)
      if let keys = command.keys() { #expect(keys.count <= rest.count) }
    }
  }
}

@Suite struct WireTextTests {
  @Test(
    arguments: [
      ("0", 0), ("-1", -1), ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
      ("42", 42),
    ] as [(String, Int64)])
  func readsIntegers(_ text: String, _ value: Int64) {
    let bytes = Array(text.utf8)
    let read = bytes.span.integer
    #expect(read == value)
  }

  @Test(arguments: [
    "", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "0x1", "9223372036854775808",
    "-9223372036854775809", "18446744073709551616", "184467440737095516160",
  ])
  func refusesWhatRedisRefuses(_ text: String) {
    let bytes = Array(text.utf8)
    let read = bytes.span.integer
    #expect(read == nil)
  }
}
