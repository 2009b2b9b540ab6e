// Values too large for one piece, of each type that can be.

extension SampleData {
  /// One key of each type above the size that is taken in one piece (1 MiB as stored).
  static func fillLarge(_ server: TestServer, prefix p: String = "bump:") throws {
    let client = try server.client()
    try client("CONFIG", "SET", "rdbcompression", "no")
    try client("SETRANGE", p + "string", 3_000_000, "x")
    for part in 0..<40 {
      let range = part * 500..<(part + 1) * 500
      try send(client, ["RPUSH", p + "list"] + range.map { "element \($0) \(padding)" })
      try send(client, ["SADD", p + "set"] + range.map { "member \($0) \(padding)" })
      try send(
        client,
        ["ZADD", p + "zset"] + range.flatMap { ["\(Double($0) / 3)", "m \($0) \(padding)"] })
      try send(
        client,
        ["HSET", p + "hash"] + range.flatMap { ["f \($0)", "v \($0) \(padding)"] })
      _ = try client.pipeline(
        range.map { ["XADD", p + "stream", "\($0 + 1)-7", "f", "v \(padding)"] })
    }
    try client("XGROUP", "CREATE", p + "stream", "group", "0")
    try client(
      "XREADGROUP", "GROUP", "group", "one", "COUNT", 500, "STREAMS", p + "stream", ">")
    // Pending all the same.
    try client("XDEL", p + "stream", "1-7", "3-7", "400-7")
    try client("PEXPIREAT", p + "zset", SampleData.farFuture)
    try client("PEXPIREAT", p + "stream", SampleData.farFuture + 1)
  }

  static func send(_ client: TestClient, _ command: [any Word]) throws {
    if case .error(let line) = try client.pipeline([command])[0] { throw TestFailure(line) }
  }

  private static let padding = String(repeating: "p", count: 60)
}
