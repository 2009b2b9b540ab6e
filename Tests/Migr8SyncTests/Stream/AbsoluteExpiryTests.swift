// AbsoluteExpiry: what is rewritten and how, and that a real server takes it to the millisecond.

import Testing

@testable import Migr8Sync

@Suite struct AbsoluteExpiryTests {
  static let now: Int64 = 4_000_000_000_000

  static func bytes(_ command: CommandUnderTest, now: Int64 = now) -> [UInt8]? {
    AbsoluteExpiry.rewritten(
      command.bytes.span, arguments: command.arguments.span, receiptMilliseconds: now)
  }

  static func rewritten(_ command: CommandUnderTest, now: Int64 = now) -> String? {
    bytes(command, now: now).map { bytes in
      (RESP.decode(bytes, at: 0)?.arguments ?? [])
        .map { String(decoding: bytes[$0], as: UTF8.self) }.joined(separator: " ")
    }
  }

  @Test(arguments: [
    ("EXPIRE k 10", "PEXPIREAT k 4000000010000"), ("expire k -1", "PEXPIREAT k 3999999999000"),
    ("EXPIRE k 10 NX", "PEXPIREAT k 4000000010000 NX"),
    ("PEXPIRE k 7", "PEXPIREAT k 4000000000007"),
    ("SETEX k 10 v", "SET k v PXAT 4000000010000"), ("PSETEX k 10 v", "SET k v PXAT 4000000000010"),
    ("SET k v EX 10", "SET k v PXAT 4000000010000"), ("SET k v px 1", "SET k v PXAT 4000000000001"),
    ("SET k EX NX EX 1 GET", "SET k EX NX PXAT 4000000001000 GET"),
    ("SET k v IFEQ EX PX 2", "SET k v IFEQ EX PXAT 4000000000002"),
    ("GETEX k EX 1", "GETEX k PXAT 4000000001000"),
    ("RESTORE k 5 p", "RESTORE k 4000000000005 p ABSTTL"),
    (
      "RESTORE-ASKING k 5 p REPLACE FREQ 3",
      "RESTORE-ASKING k 4000000000005 p REPLACE FREQ 3 ABSTTL"
    ),
  ]) func rewrites(_ command: String, _ expected: String) {
    #expect(Self.rewritten(CommandUnderTest(command)) == expected)
  }

  @Test(arguments: [
    "SET k v", "SET k v PXAT 1", "SET k v EXAT 1", "SET k v KEEPTTL", "SET k v EX", "SET k v EX x",
    "SET k", "SET", "SETEX k 10", "SETEX k x v", "EXPIRE k", "EXPIRE", "EXPIREAT k 10",
    "PEXPIREAT k 10", "RESTORE k 0 p", "RESTORE k 5 p ABSTTL", "RESTORE k -5 p", "RESTORE k 5",
    "GETEX k PERSIST", "GETEX k", "DEL a", "NOSUCH a", "HEXPIRE k 1 FIELDS 1 f", "",
  ]) func leavesTheRest(_ command: String) {
    #expect(Self.rewritten(CommandUnderTest(command)) == nil)
  }

  @Test func overflowWrapsAsAtTheSourceAndStaysPositive() {
    #expect(
      Self.rewritten(CommandUnderTest("PEXPIRE k 9223372036854775807")) == "PEXPIREAT k 1")
    // 18446744073709552 * 1000 is 2^64 + 384.
    #expect(
      Self.rewritten(CommandUnderTest("EXPIRE k 18446744073709552")) == "PEXPIREAT k 4000000000384")
    #expect(
      Self.rewritten(CommandUnderTest("PEXPIRE k -9223372036854775808")) == "PEXPIREAT k 1")
    #expect(Self.rewritten(CommandUnderTest("EXPIRE k 99999999999999999999")) == nil)
    #expect(
      Self.rewritten(CommandUnderTest("PEXPIRE k 1"), now: Int64.max - 1)
        == "PEXPIREAT k 9223372036854775807")
  }

  @Test(.enabled(if: RedisServer.executable != nil, "redis-server is not installed"))
  func aServerGivesTheKeyExactlyThatDeadline() throws {
    let server = try RedisServer(executable: try #require(RedisServer.executable))
    _ = try server.command("SET", "k", "v")
    let payload = try #require(try server.command("DUMP", "k").bytes)
    let commands =
      [
        "EXPIRE k 10", "PEXPIRE k 10000", "SETEX k 10 v", "PSETEX k 10000 v", "SET k v EX 10",
        "SET k v XX PX 10000", "GETEX k EX 10",
      ].map { CommandUnderTest($0) }
      + [
        CommandUnderTest(
          ["RESTORE", "k", "10000"].map { Array($0.utf8) } + [payload, Array("REPLACE".utf8)])
      ]
    for command in commands {
      let bytes = try #require(Self.bytes(command))
      _ = try server.command("SET", "k", "v")
      try server.sendRaw(bytes)
      _ = try server.readReply()
      #expect(try server.command("PEXPIRETIME", "k").number == Int(Self.now + 10_000))
      #expect(try server.command("GET", "k").text == "v")
    }
  }
}
