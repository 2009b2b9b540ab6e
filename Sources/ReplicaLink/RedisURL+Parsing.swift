// The parser behind RedisURL.init: a method for each part of the URL.

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Parses the bytes of one URL; every method looks at one part of it.
struct RedisURLParser {
  /// The longest path a `sockaddr_un` holds on Linux, without its closing zero.
  static let socketPathBytesMax = 107
  /// Redis keeps a database number in a C `int`.
  static let databaseMax = Int(Int32.max)
  static let forms =
    "redis://[user[:password]@]host[:port][/db], rediss://..., unix:///path[?db=n] or "
    + "redis+sentinel://host[:port][,host...]/master[/db]"

  let bytes: [UInt8]

  func parse() throws(RedisURLError) -> RedisURL {
    if let start = afterScheme("redis") { return try parseTCP(from: start, usesTLS: false) }
    if let start = afterScheme("rediss") { return try parseTCP(from: start, usesTLS: true) }
    if let start = afterScheme("unix") { return try parseUnix(from: start) }
    if let start = afterScheme("redis+sentinel") {
      return try parseSentinel(from: start, usesTLS: false)
    }
    if let start = afterScheme("rediss+sentinel") {
      return try parseSentinel(from: start, usesTLS: true)
    }
    let problem = bytes.isEmpty ? "it is empty" : "it does not begin with a known scheme"
    throw RedisURLError(part: .scheme, position: 1, problem: problem, expected: Self.forms)
  }

  /// The index after `name://`, in any case, or `nil` when the text begins otherwise.
  private func afterScheme(_ name: String) -> Int? {
    let wanted = Array((name + "://").utf8)
    guard bytes.count >= wanted.count else { return nil }
    for (index, byte) in wanted.enumerated() where Self.lowercased(bytes[index]) != byte {
      return nil
    }
    return wanted.count
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  // MARK: redis:// and rediss://

  private func parseTCP(from start: Int, usesTLS: Bool) throws(RedisURLError) -> RedisURL {
    let ends: Set<UInt8> = [UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#")]
    let authorityEnd = bytes[start...].firstIndex { ends.contains($0) } ?? bytes.count
    if let late = bytes[authorityEnd...].lastIndex(of: UInt8(ascii: "@")) {
      throw RedisURLError(
        part: .password, position: authorityEnd + 1,
        problem: "the user or password before the '@' at \(late + 1) holds '/', '?' or '#'",
        expected: "them percent-encoded: %2F, %3F, %23")
    }
    let loginEnd = bytes[start..<authorityEnd].lastIndex(of: UInt8(ascii: "@"))
    var credentials: Credentials?
    if let loginEnd { credentials = try parseLogin(start..<loginEnd) }
    let hostStart = loginEnd.map { $0 + 1 } ?? start
    let (host, port) = try parseHostAndPort(hostStart..<authorityEnd)
    let database = try parseDatabasePath(authorityEnd..<bytes.count)
    return RedisURL(
      endpoint: .tcp(host: host, port: port), credentials: credentials, database: database,
      usesTLS: usesTLS)
  }

  func parseLogin(_ range: Range<Int>) throws(RedisURLError) -> Credentials? {
    guard let colon = bytes[range].firstIndex(of: UInt8(ascii: ":")) else {
      let user = try percentDecoded(range, part: .user)
      return user.isEmpty ? nil : Credentials(user: user, password: "")
    }
    let user = try percentDecoded(range.lowerBound..<colon, part: .user)
    let password = try percentDecoded(colon + 1..<range.upperBound, part: .password)
    if user.isEmpty && password.isEmpty { return nil }
    return Credentials(user: user.isEmpty ? nil : user, password: password)
  }

  func parseHostAndPort(
    _ range: Range<Int>, defaultPort: UInt16 = 6379
  ) throws(RedisURLError) -> (String, UInt16) {
    if range.isEmpty { return ("127.0.0.1", defaultPort) }
    if bytes[range.lowerBound] == UInt8(ascii: "[") {
      return try parseBracketed(range, defaultPort)
    }
    let colon = bytes[range].firstIndex(of: UInt8(ascii: ":"))
    if let colon, bytes[(colon + 1)..<range.upperBound].contains(UInt8(ascii: ":")) {
      throw RedisURLError(
        part: .host, position: colon + 1, problem: "more than one ':' after the host",
        expected: "an IPv6 address in brackets: redis://[::1]:6379")
    }
    let hostRange = range.lowerBound..<(colon ?? range.upperBound)
    for index in hostRange where !isHostByte(bytes[index]) {
      throw RedisURLError(
        part: .host, position: index + 1, problem: "a byte that no host name has",
        expected: "letters, digits, '.', '-' and '_', or an IPv6 address in brackets")
    }
    let host = hostRange.isEmpty ? "127.0.0.1" : String(decoding: bytes[hostRange], as: UTF8.self)
    guard let colon else { return (host, defaultPort) }
    return (host, try parsePort(colon + 1..<range.upperBound))
  }

  private func parseBracketed(
    _ range: Range<Int>, _ defaultPort: UInt16
  ) throws(RedisURLError) -> (String, UInt16) {
    guard let close = bytes[range].firstIndex(of: UInt8(ascii: "]")) else {
      throw RedisURLError(
        part: .host, position: range.lowerBound + 1, problem: "'[' is never closed",
        expected: "']' after the IPv6 address")
    }
    let inner = range.lowerBound + 1..<close
    let percent = bytes[inner].firstIndex(of: UInt8(ascii: "%")) ?? inner.upperBound
    let address = String(decoding: bytes[inner.lowerBound..<percent], as: UTF8.self)
    var zone = bytes[percent..<inner.upperBound].dropFirst()
    // A URL writes the '%' before a zone as "%25" (RFC 6874), people write it as it is.
    if zone.count > 2, zone.starts(with: Array("25".utf8)) { zone = zone.dropFirst(2) }
    var parsed = in6_addr()
    guard inet_pton(AF_INET6, address, &parsed) == 1, !bytes[inner].contains(0),
      zone.allSatisfy(isHostByte)
    else {
      throw RedisURLError(
        part: .host, position: inner.lowerBound + 1, problem: "not an IPv6 address in brackets",
        expected: "one such as [::1] or [fe80::1%eth0]")
    }
    let host = address + (zone.isEmpty ? "" : "%" + String(decoding: zone, as: UTF8.self))
    let after = close + 1
    if after == range.upperBound { return (host, defaultPort) }
    guard bytes[after] == UInt8(ascii: ":") else {
      throw RedisURLError(
        part: .port, position: after + 1, problem: "something other than ':' follows ']'",
        expected: "':' and a port, '/' and a database, or the end")
    }
    return (host, try parsePort(after + 1..<range.upperBound))
  }

  private func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
  }

  private func parsePort(_ range: Range<Int>) throws(RedisURLError) -> UInt16 {
    guard let value = decimal(range, max: 65_535), value > 0 else {
      throw RedisURLError(
        part: .port, position: range.lowerBound + 1, problem: "the port is not a number in range",
        expected: "1 to 65535 (a ':' in a user or password is written %3A)")
    }
    return UInt16(value)
  }

  private func parseDatabasePath(_ range: Range<Int>) throws(RedisURLError) -> Int? {
    guard let first = range.first else { return nil }
    guard bytes[first] == UInt8(ascii: "/") else {
      throw RedisURLError(
        part: .database, position: first + 1, problem: "'?' or '#' is not known here",
        expected: "'/' and a database number, or the end")
    }
    let digits = first + 1..<range.upperBound
    return digits.isEmpty ? nil : try parseDatabase(digits)
  }

  func parseDatabase(_ digits: Range<Int>) throws(RedisURLError) -> Int {
    guard let value = decimal(digits, max: Self.databaseMax) else {
      throw RedisURLError(
        part: .database, position: digits.lowerBound + 1,
        problem: "the database is not a number in range",
        expected: "a decimal number from 0 to \(Self.databaseMax)")
    }
    return value
  }

  // MARK: unix://

  private func parseUnix(from start: Int) throws(RedisURLError) -> RedisURL {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "/") else {
      throw RedisURLError(
        part: .path, position: start + 1, problem: "the socket's path is not absolute",
        expected: "three slashes, as in unix:///run/redis.sock; a user and password are given apart"
      )
    }
    let question = bytes[start...].firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
    let path = try percentDecoded(start..<question, part: .path)
    guard path.utf8.count <= Self.socketPathBytesMax, !path.utf8.contains(0) else {
      throw RedisURLError(
        part: .path, position: start + 1, problem: "the path is too long or holds a zero byte",
        expected: "at most \(Self.socketPathBytesMax) bytes, what a unix socket's address holds")
    }
    var database: Int?
    if question < bytes.count {
      let name = Array("?db=".utf8)
      guard bytes[question...].starts(with: name) else {
        throw RedisURLError(
          part: .database, position: question + 1, problem: "an unknown option follows '?'",
          expected: "?db=N")
      }
      database = try parseDatabase(question + name.count..<bytes.count)
    }
    return RedisURL(
      endpoint: .unix(path: path), credentials: nil, database: database, usesTLS: false)
  }

  // MARK: Pieces

  /// The decimal number in `range`; `nil` when empty, not all digits, or above `max`.
  private func decimal(_ range: Range<Int>, max: Int) -> Int? {
    if range.isEmpty { return nil }
    var value = 0
    for byte in bytes[range] {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      // `value` is at most `max`, an Int32 at the most: ten times it fits an Int.
      value = value * 10 + Int(byte - UInt8(ascii: "0"))
      if value > max { return nil }
    }
    return value
  }

  func percentDecoded(
    _ range: Range<Int>, part: RedisURLError.Part
  ) throws(RedisURLError) -> String {
    var decoded: [UInt8] = []
    var index = range.lowerBound
    while index < range.upperBound {
      guard bytes[index] == UInt8(ascii: "%") else {
        decoded.append(bytes[index])
        index += 1
        continue
      }
      guard index + 2 < range.upperBound, let high = Self.hexadecimal(bytes[index + 1]),
        let low = Self.hexadecimal(bytes[index + 2])
      else {
        throw RedisURLError(
          part: part, position: index + 1, problem: "'%' is not followed by two hex digits",
          expected: "%XX; a '%' itself is written %25")
      }
      decoded.append(high << 4 | low)
      index += 3
    }
    guard let text = String(validating: decoded, as: UTF8.self) else {
      throw RedisURLError(
        part: part, position: range.lowerBound + 1, problem: "the decoded bytes are not UTF-8",
        expected: "UTF-8")
    }
    return text
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch lowercased(byte) {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): lowercased(byte) - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
