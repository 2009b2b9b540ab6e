// The digest of a value's meaning: the same whatever the encoding and the server's version, and another
// one for every change that a client could see. Real servers are the judges.

import RDBParser
import Testing

@Suite(.enabled(if: ServerKind.arePresent, "\(ServerKind.absence)"), .serialized)
struct MeaningTests {
  private static func payload(_ server: RealServer, _ key: String) throws -> [UInt8] {
    let reply = try server.ask("DUMP", key)
    guard let bytes = reply.bytes else { throw RealServerError(description: "\(key): \(reply)") }
    return bytes
  }

  private static func meaning(
    _ server: RealServer, _ key: String, expired: Int64 = .min
  ) throws -> RDBMeaning {
    let bytes = try payload(server, key)
    return try RDBMeaning(payload: bytes.span, withoutFieldsExpiredAt: expired)
  }

  private static func run(_ server: RealServer, _ line: String) throws {
    let words = line.split(separator: " ").map { Array($0.utf8) }
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + [13, 10] }
    let errors = try server.run(bytes, count: 1)
    if let error = errors.first { throw RealServerError(description: "\(line): \(error)") }
  }

  /// The same values, made by commands at four versions with large and with small limits for packed
  /// encodings, mean the same; streams as far as both sides know.
  @Test func encodingsAndVersionsDoNotCount() throws {
    let limits = [
      "hash-max-ziplist-entries", "set-max-intset-entries", "zset-max-ziplist-entries",
      "list-max-ziplist-size", "stream-node-max-entries",
    ]
    var meanings: [String: [RDBMeaning]] = [:]
    for kind in ServerKind.allCases {
      let server = try RealServer(kind)
      for isPacked in [true, false] {
        try server.ask("FLUSHALL")
        for limit in limits { try server.ask("CONFIG", "SET", limit, isPacked ? "100" : "1") }
        for line in Self.values { try Self.run(server, line) }
        for key in ["s", "n", "l", "set", "ints", "z", "h", "x"] {
          meanings[key, default: []].append(try Self.meaning(server, key))
        }
      }
    }
    for (key, values) in meanings {
      for value in values {
        #expect(value.isSame(as: values[0]) && value.digest == values[0].digest, "\(key)")
      }
    }
    #expect(meanings["x"]?[0].streamCounters == nil && meanings["x"]?[2].streamCounters != nil)
    #expect(meanings["h"]?[0].count == 4 && meanings["s"]?[0].count == 5)
  }

  private static let values = [
    "SET s hello", "SET n 12345", "RPUSH l a b 3 -70000 \(String(repeating: "long", count: 99))",
    "SADD set a b 12 c", "SADD ints 5 1 99999 -3",
    "ZADD z 1 one 2.5 two -inf low 1e300 high 0.1 tenth", "HSET h a 1 b 2 c three 4 four",
    "XADD x 1-1 f v g w", "XADD x 1-2 f v2 g w2", "XADD x 5-0 other 7", "XGROUP CREATE x g 0",
    "XGROUP CREATE x idle 1-2", "XCLAIM x g alice 0 1-1 TIME 1000 RETRYCOUNT 3 FORCE",
    "XCLAIM x g bob 0 1-2 TIME 2000 RETRYCOUNT 1 FORCE",
  ]

  /// Each change of one element is seen.
  @Test(arguments: ServerKind.allCases)
  func everyChangeIsSeen(kind: ServerKind) throws {
    let server = try RealServer(kind)
    let changes: [(String, [String])] = [
      ("s", ["SETRANGE s 4 a", "APPEND s x", "SETRANGE s 0 H"]), ("n", ["INCR n"]),
      ("l", ["LSET l 1 c", "LPUSH l z", "RPOP l", "RPOPLPUSH l l"]),
      ("set", ["SADD set d", "SREM set a"]), ("ints", ["SADD ints 7", "SREM ints 1"]),
      ("z", ["ZADD z 1.0000001 one", "ZREM z two", "ZADD z 3 new"]),
      ("h", ["HSET h a 2", "HDEL h b", "HSET h new 1", "HSET h c thref"]),
      (
        "x",
        [
          "XADD x 9-9 f v", "XDEL x 1-1", "XGROUP SETID x g 1-1", "XGROUP CREATE x more 0",
          "XACK x g 1-1", "XCLAIM x g bob 0 1-1 TIME 1000 RETRYCOUNT 3",
          "XCLAIM x g alice 0 1-1 TIME 1001 RETRYCOUNT 3",
          "XCLAIM x g alice 0 1-1 TIME 1000 RETRYCOUNT 4", "XGROUP DESTROY x idle",
          "XSETID x 7-0", "XGROUP CREATECONSUMER x g carol",
        ]
      ),
    ]
    for (key, lines) in changes {
      for line in lines {
        try server.ask("FLUSHALL")
        for value in Self.values { try Self.run(server, value) }
        let before = try Self.meaning(server, key)
        try Self.run(server, line)
        let after = try Self.meaning(server, key)
        #expect(after.digest != before.digest, "\(kind): \(line)")
        // Of a server that is as old nobody knows whether it could make a consumer that owns nothing.
        let isTold = kind != .redis62 || !line.contains("CREATECONSUMER")
        #expect(after.isSame(as: before) != isTold, "\(kind): \(line)")
      }
    }
  }

  @Test func fieldsThatExpireAreTold() throws {
    let server = try RealServer(.redis82)
    for line in [
      "HSET h a 1 b 2", "HSET g a 1 b 2", "HPEXPIREAT g 4102444800123 FIELDS 1 a",
      "HSET k a 1 b 2", "HPEXPIREAT k 4102444800124 FIELDS 1 a",
    ] { try Self.run(server, line) }
    let plain = try Self.meaning(server, "h")
    let expiring = try Self.meaning(server, "g")
    let later = try Self.meaning(server, "k")
    #expect(!plain.isSame(as: expiring) && plain.isSame(as: expiring, fieldExpiries: false))
    #expect(!later.isSame(as: expiring) && later.isSame(as: expiring, fieldExpiries: false))
    #expect(try Self.meaning(server, "g", expired: 4_102_444_800_123).count == 1)
  }

  private struct Found {
    let database: Int
    let key: [UInt8]
    let meaning: RDBMeaning
  }

  /// The meanings of a file's values, read in portions.
  private static func meanings(_ file: [UInt8], portion: Int) throws -> [Found] {
    var reader = RDBReader()
    var taken = 0
    var found: [Found] = []
    var entry: RDBEntry?
    while true {
      if let present = entry {
        let meaning = try reader.readMeaning()
        if let meaning {
          let key = reader.withKey { RDBTest.bytes($0) }
          found.append(Found(database: present.database, key: key, meaning: meaning))
          entry = nil
          continue
        }
      } else {
        let event = try reader.next()
        if case .end = event { return found }
        if case .entry(let next) = event { entry = next }
        guard event == .needsInput else { continue }
      }
      let end = min(file.count, taken + portion)
      let part = Array(file[taken..<end])
      reader.append(part.span)
      taken = end
      if end == file.count { reader.finishInput() }
    }
  }

  /// A file in whatever portions means what the server that reads it says in its DUMPs.
  @Test func filesMeanWhatServersMakeOfThem() throws {
    let server = try RealServer(.redis82)
    for name in Fixtures.corpusNames where !name.contains("_ttl") {
      let file = try Fixtures.corpusFile(name)
      try server.load(file)
      for portion in [file.count, 1] {
        for found in try Self.meanings(file, portion: portion) {
          try server.ask("SELECT", "\(found.database)")
          // What has expired by now the server did not load.
          guard let bytes = try server.ask(Array("DUMP".utf8), found.key).bytes else { continue }
          let theirs = try RDBMeaning(payload: bytes.span)
          #expect(found.meaning.isSame(as: theirs), "\(name) \(RDBTest.text(found.key))")
        }
      }
    }
  }

  @Test func damageIsAnError() {
    let bytes: [UInt8] = [1, 2, 3]
    do {
      _ = try RDBMeaning(payload: bytes.span)
      Issue.record("it was read")
    } catch { #expect(error.code == .malformedPayload) }
  }
}
