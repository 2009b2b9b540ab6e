// Which keys are read again when the replies to commands that are applied were never read.

import Testing

@testable import Migr8Sync

@Suite struct DoubtTests {
  static let cases: [(command: String, keys: Set<String>)] = [
    ("RPUSH in:a 1", ["0:in:a"]), ("RPUSH out:a 1", []), ("INCR in:a", ["0:in:a"]),
    // These leave their keys the same, whatever was there.
    ("SET in:a 1", []), ("DEL in:a in:b", []), ("UNLINK in:a", []), ("MSET in:a 1 in:b 2", []),
    ("SETEX in:a 10 1", []),
    // These do not.
    ("SET in:a 1 NX", ["0:in:a"]), ("SET in:a 1 PXAT 5", ["0:in:a"]),
    ("EXPIRE in:a 10", ["0:in:a"]), ("MSETNX in:a 1 out:b 2", ["0:in:a"]),
    ("RENAME in:a in:b", ["0:in:a", "0:in:b"]), ("RENAME in:a out:b", ["0:in:a"]),
    ("SUNIONSTORE in:a out:b", ["0:in:a"]),
    ("ZUNIONSTORE in:a 2 in:b out:c", ["0:in:a", "0:in:b"]),
    ("EVAL x 2 in:a out:b", ["0:in:a"]), ("XGROUP CREATE in:a g 0", ["0:in:a"]),
    ("MOVE in:a 3", ["0:in:a", "3:in:a"]),
    ("COPY in:a in:b DB 3", ["0:in:a", "0:in:b", "3:in:a", "3:in:b"]),
    ("FLUSHDB", []), ("PUBLISH in:a 1", []), ("PING", []), ("MULTI", []),
  ]

  @Test(arguments: cases) func aCommandPutsItsKeysInDoubt(_ case: (String, Set<String>)) {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    #expect(Self.pass(`case`.0, through: &router))
    let names = router.repairs.names.map { String(decoding: $0.encoded, as: UTF8.self) }
    #expect(Set(names) == `case`.1)
  }

  /// A value of any offset before the checkpoint is of no use, and one from there is.
  @Test func theValueIsOneFromTheCheckpointOn() {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    #expect(Self.pass("SELECT 2", through: &router))
    #expect(Self.pass("RPUSH in:a 1", through: &router))
    #expect(router.repairs.takeNeeded() == [KeyName(database: 2, key: Array("in:a".utf8))])
    router.repairs.fetched(
      RepairValue(
        name: KeyName(database: 2, key: Array("in:a".utf8)), payload: nil,
        expiryMilliseconds: nil, offset: 100))
    #expect(router.repairs.takeDue(at: 100).count == 1)
    #expect(router.repairs.isEmpty)
  }

  @Test func noRoomIsSaid() {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    router.repairs = RepairBook(limits: RepairBook.Limits(keysMax: 1))
    #expect(Self.pass("INCR in:a", through: &router))
    #expect(Self.pass("INCR in:a", through: &router))
    #expect(!Self.pass("INCR in:b", through: &router))
  }

  private static func pass(_ text: String, through router: inout CommandRouter) -> Bool {
    let command = CommandUnderTest(text)
    _ = router.route(command.bytes.span, arguments: command.arguments.span, startOffset: 10)
    return router.doubt(
      command.bytes.span, arguments: command.arguments.span, atBoundary: 100)
  }
}
