// The part of RedisURLParser that reads redis+sentinel:// and rediss+sentinel://, which uses TLS to
// the sentinels and to the servers alike.

extension RedisURLParser {
  private static let masterForm = "'/' and the name of a master, as in /mymaster or /mymaster/0"

  func parseSentinel(from start: Int, usesTLS: Bool) throws(RedisURLError) -> RedisURL {
    let queryStart = bytes[start...].firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
    let authorityEnd =
      bytes[start..<queryStart].firstIndex(of: UInt8(ascii: "/")) ?? queryStart
    if let late = bytes[authorityEnd..<queryStart].lastIndex(of: UInt8(ascii: "@")) {
      throw RedisURLError(
        part: .password, position: authorityEnd + 1,
        problem: "the user or password before the '@' at \(late + 1) holds '/'",
        expected: "it percent-encoded: %2F")
    }
    let loginEnd = bytes[start..<authorityEnd].lastIndex(of: UInt8(ascii: "@"))
    let sentinels = try parseSentinels((loginEnd.map { $0 + 1 } ?? start)..<authorityEnd)
    let (master, database) = try parseMaster(authorityEnd..<queryStart)
    var url = RedisURL(
      endpoint: .sentinel(SentinelGroup(sentinels: sentinels, master: master)), credentials: nil,
      database: database, usesTLS: usesTLS)
    if let loginEnd { url.credentials = try parseLogin(start..<loginEnd) }
    url.sentinelCredentials = try parseSentinelLogin(queryStart..<bytes.count)
    return url
  }

  private func parseSentinels(_ range: Range<Int>) throws(RedisURLError) -> [Endpoint] {
    var sentinels: [Endpoint] = []
    for item in pieces(of: range, separatedBy: UInt8(ascii: ",")) {
      if item.isEmpty {
        throw RedisURLError(
          part: .host, position: item.lowerBound + 1, problem: "a sentinel's host is missing",
          expected: "one or more sentinels: host[:port][,host[:port]...]")
      }
      let (host, port) = try parseHostAndPort(item, defaultPort: SentinelGroup.defaultPort)
      sentinels.append(.tcp(host: host, port: port))
    }
    return sentinels
  }

  /// Reads `/master` or `/master/db`.
  private func parseMaster(_ range: Range<Int>) throws(RedisURLError) -> (String, Int?) {
    let parts = pieces(of: range, separatedBy: UInt8(ascii: "/"))
    guard parts.count >= 2, !parts[1].isEmpty else {
      throw RedisURLError(
        part: .master, position: range.upperBound + 1, problem: "the master's name is missing",
        expected: Self.masterForm)
    }
    let master = try percentDecoded(parts[1], part: .master)
    if parts.count == 2 || (parts.count == 3 && parts[2].isEmpty) { return (master, nil) }
    return (master, try parseDatabase(parts[2].lowerBound..<range.upperBound))
  }

  /// Reads `?sentinel-user=...&sentinel-password=...`, in any order.
  private func parseSentinelLogin(_ range: Range<Int>) throws(RedisURLError) -> Credentials? {
    guard !range.isEmpty else { return nil }
    var user: String?
    var password: String?
    for item in pieces(of: range.lowerBound + 1..<range.upperBound, separatedBy: UInt8(ascii: "&"))
    {
      if let value = value(of: "sentinel-user=", in: item), user == nil {
        user = try percentDecoded(value, part: .user)
      } else if let value = value(of: "sentinel-password=", in: item), password == nil {
        password = try percentDecoded(value, part: .password)
      } else {
        throw RedisURLError(
          part: .option, position: item.lowerBound + 1,
          problem: "an unknown or repeated option follows '?'",
          expected: "sentinel-user=... and sentinel-password=..., joined by '&'")
      }
    }
    return Credentials(user: user, password: password ?? "")
  }

  private func value(of name: String, in item: Range<Int>) -> Range<Int>? {
    let name = Array(name.utf8)
    guard bytes[item].starts(with: name) else { return nil }
    return item.lowerBound + name.count..<item.upperBound
  }

  /// The ranges between the separators; one more than there are separators.
  private func pieces(of range: Range<Int>, separatedBy separator: UInt8) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var start = range.lowerBound
    for index in range where bytes[index] == separator {
      pieces.append(start..<index)
      start = index + 1
    }
    pieces.append(start..<range.upperBound)
    return pieces
  }
}
