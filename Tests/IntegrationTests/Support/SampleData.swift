// Keys of every type and of each encoding that a server has for it, with awkward names, awkward values
// and exact times to live, in several databases: what every pair of servers must carry over unchanged.

enum SampleData {
  /// An expiry time in 2100; exact to the millisecond.
  static let farFuture = 4_102_444_800_123

  /// Fills a server: each key under `bump:` and once more under `other:`, plus keys with awkward
  /// names that are under no prefix.
  ///
  /// - Parameter fieldExpiries: whether hash fields that expire are among them, where known.
  static func fill(_ server: TestServer, fieldExpiries withFields: Bool = true) throws {
    let client = try server.client()
    for (database, prefixes) in [
      (0, ["bump:", "other:"]), (3, ["bump:"]), (15, ["bump:", "other:"]),
    ] {
      try client("SELECT", database)
      for prefix in prefixes {
        try run(client, strings(prefix) + lists(prefix) + sets(prefix))
        try run(client, sortedSets(prefix) + hashes(prefix) + streams(prefix) + expiring(prefix))
        if withFields && server.kind.knowsFieldExpiry { try run(client, fieldExpiries(prefix)) }
      }
    }
    try client("SELECT", 0)
    try run(client, awkwardNames)
  }

  private static func run(_ client: TestClient, _ commands: [[any Word]]) throws {
    for (command, reply) in zip(commands, try client.pipeline(commands)) {
      if case .error(let message) = reply {
        throw TestFailure("\(command[0].wordBytes.count > 0 ? "\(command[0])" : ""): \(message)")
      }
    }
  }

  private static func strings(_ p: String) -> [[any Word]] {
    [
      ["SET", p + "empty", ""],
      ["SET", p + "int", 12345], ["SET", p + "int8", -128], ["SET", p + "int32", -2_147_483_648],
      ["SET", p + "int64", 9_223_372_036_854_775_807], ["SET", p + "not-int", "0123"],
      ["SET", p + "embedded", text(44)], ["SET", p + "raw", text(45)],
      ["SET", p + "compressible", [UInt8](repeating: 97, count: 100_000)],
      ["SET", p + "binary", (0...255).map { UInt8($0) }],
      ["SET", p + "crlf", "a\r\nb\r\n$3\r\n"],
      ["SET", p + "large", noise(300_000)],
      ["SETBIT", p + "bitmap", 70_000, 1],
      ["PFADD", p + "hll", "a", "b", "c"],
    ]
  }

  private static func lists(_ p: String) -> [[any Word]] {
    [
      ["RPUSH", p + "list", "a", "", 1, -70_000, 5_000_000_000, "b"],
      ["RPUSH", p + "list-long"] + (0..<2000).map { "element \($0)" },
      ["RPUSH", p + "list-large-elements", noise(20_000), "x", noise(9_000)],
    ]
  }

  private static func sets(_ p: String) -> [[any Word]] {
    [
      ["SADD", p + "intset16", 1, -2, 3], ["SADD", p + "intset32", 1, 100_000],
      ["SADD", p + "intset64", 1, 5_000_000_000],
      ["SADD", p + "set", "a", "", "12", [0, 255] as [UInt8]],
      ["SADD", p + "set-large"] + (0..<1500).map { "member \($0)" },
    ]
  }

  private static func sortedSets(_ p: String) -> [[any Word]] {
    [
      ["ZADD", p + "zset", "1.5", "a", "-inf", "low", "inf", "high", "0.1", "tenth", "3", ""],
      ["ZADD", p + "zset-extreme", "1e300", "a", "5e-324", "b", "12345678901234567", "c"],
      ["ZADD", p + "zset-large"] + (0..<800).flatMap { ["\(Double($0) / 7)", "member \($0)"] },
      ["GEOADD", p + "geo", "13.361389", "38.115556", "Palermo"],
    ]
  }

  private static func hashes(_ p: String) -> [[any Word]] {
    [
      [
        "HSET", p + "hash", "field", "value", "", "", "n", 7, [0, 13, 10] as [UInt8],
        [255] as [UInt8],
      ],
      ["HSET", p + "hash-large"] + (0..<900).flatMap { ["field \($0)", "value \($0)"] },
      ["HSET", p + "hash-long-value", "field", noise(5_000)],
    ]
  }

  private static func streams(_ p: String) -> [[any Word]] {
    var commands: [[any Word]] = (1...300).map {
      ["XADD", p + "stream", "\($0 / 3 + 1)-\($0)", "field", "value \($0)", "other", ""]
    }
    commands += [
      ["XDEL", p + "stream", "2-4"],
      ["XGROUP", "CREATE", p + "stream", "group", "0"],
      ["XGROUP", "CREATE", p + "stream", "idle", "$"],
      ["XREADGROUP", "GROUP", "group", "one", "COUNT", 5, "STREAMS", p + "stream", ">"],
      ["XREADGROUP", "GROUP", "group", "two", "COUNT", 3, "STREAMS", p + "stream", ">"],
      ["XACK", p + "stream", "group", "1-1"],
      ["XGROUP", "CREATE", p + "stream-empty", "group", "$", "MKSTREAM"],
      ["XADD", p + "stream-emptied", "7-7", "a", "b"], ["XDEL", p + "stream-emptied", "7-7"],
    ]
    return commands
  }

  private static func expiring(_ p: String) -> [[any Word]] {
    [
      ["SET", p + "ttl-string", "x"], ["PEXPIREAT", p + "ttl-string", farFuture],
      ["SET", p + "ttl-int", 5], ["PEXPIREAT", p + "ttl-int", farFuture + 1],
      ["RPUSH", p + "ttl-list", "x"], ["PEXPIREAT", p + "ttl-list", farFuture + 877],
      ["HSET", p + "ttl-hash", "f", "v"], ["PEXPIREAT", p + "ttl-hash", farFuture + 999],
      ["XADD", p + "ttl-stream", "1-1", "f", "v"],
      ["PEXPIREAT", p + "ttl-stream", farFuture + 1001],
    ]
  }

  private static func fieldExpiries(_ p: String) -> [[any Word]] {
    [
      ["HSET", p + "hash-fields", "a", 1, "b", 2, "c", 3],
      ["HPEXPIREAT", p + "hash-fields", farFuture + 5, "FIELDS", 2, "a", "b"],
      ["HSET", p + "hash-fields-large"] + (0..<700).flatMap { ["f\($0)", "v"] },
      ["HPEXPIREAT", p + "hash-fields-large", farFuture + 6, "FIELDS", 1, "f5"],
    ]
  }

  private static var awkwardNames: [[any Word]] {
    [
      ["SET", "", "the empty key"],
      ["SET", [0, 1, 2, 13, 10, 255, 254] as [UInt8], [0, 13, 10] as [UInt8]],
      ["SET", [UInt8](repeating: 107, count: 5_000), "a long name"],
      ["SET", "bump", "not under the prefix"],
      ["SET", Array("bump:".utf8) + [0, 255, 10], "binary, under the prefix"],
      ["SET", "schlüssel 鍵", "UTF-8"],
    ]
  }

  private static func text(_ count: Int) -> String { String(repeating: "t", count: count) }

  /// Bytes that do not compress, the same ones every time.
  static func noise(_ count: Int) -> [UInt8] { Array(noiseBytes.prefix(count)) }

  private static let noiseBytes: [UInt8] = {
    var random = SeededRandom(seed: 1)
    return (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }()
}
