// The whole keyspace of a server as it tells it itself, in a form that is comparable across versions:
// the independent truth that the program's results are held against.
//
// Strings, lists, sets and hashes are compared by DEBUG DIGEST-VALUE, which the four servers agree
// on. Sorted sets are read out, because newer servers print scores differently into that digest;
// streams as well, because it leaves out their groups.

import Glibc

struct KeyName: Hashable, CustomStringConvertible {
  let database: Int
  let key: [UInt8]

  var description: String { "db \(database) \(printable(key))" }
}

struct KeyState: Equatable, CustomStringConvertible {
  let type: String
  let value: String
  /// Milliseconds of Unix time; nil when the key does not expire.
  let expiresAt: Int?

  func isEqual(to other: KeyState, _ expiryTolerance: Int) -> Bool {
    guard type == other.type, value == other.value else { return false }
    guard let ours = expiresAt, let theirs = other.expiresAt else {
      return expiresAt == nil && other.expiresAt == nil
    }
    return abs(ours - theirs) <= expiryTolerance
  }

  var description: String {
    "\(type) \(value) \(expiresAt.map { "expires \($0)" } ?? "")"
  }
}

struct Keyspace {
  private(set) var keys: [KeyName: KeyState] = [:]

  /// Reads everything a server holds. Nothing may write to it meanwhile; a key that expires meanwhile
  /// is left out.
  init(of server: TestServer, streams: StreamDetail? = nil) throws {
    let client = try server.client()
    let detail = streams ?? StreamDetail(server.kind)
    for field in try client.info("keyspace").keys where field.hasPrefix("db") {
      let database = Int(field.dropFirst(2)) ?? 0
      try client("SELECT", database)
      let names = try Self.scan(client)
      let types = try client.pipeline(names.map { ["TYPE", $0] }).map(\.text)
      for (name, type) in zip(names, types) where type != "none" {
        let value = try Self.value(client, name, type, server.kind, detail)
        let expiry = try Self.expiry(client, name, server.kind)
        guard let value, expiry != .gone else { continue }
        keys[KeyName(database: database, key: name)] = KeyState(
          type: type, value: value, expiresAt: expiry.milliseconds)
      }
    }
  }

  /// Only the keys that `isIncluded` accepts.
  func filter(_ isIncluded: (KeyName) -> Bool) -> Keyspace {
    var copy = self
    copy.keys = keys.filter { isIncluded($0.key) }
    return copy
  }

  /// The keys that `place` puts somewhere, there.
  func moved(_ place: (KeyName) -> KeyName?) -> Keyspace {
    var copy = self
    copy.keys = [:]
    for (name, state) in keys {
      if let there = place(name) { copy.keys[there] = state }
    }
    return copy
  }

  func filter(prefix: String) -> Keyspace {
    filter { $0.key.starts(with: prefix.utf8) }
  }

  /// One line a difference, at most ten; empty when both are the same. Keys that have expired on
  /// either side by the given time do not count.
  func differences(
    from other: Keyspace, ignoringExpiredAt now: Int = 0, expiryTolerance: Int = 0
  ) -> [String] {
    var lines: [String] = []
    for name in Set(keys.keys).union(other.keys.keys) {
      let (ours, theirs) = (keys[name], other.keys[name])
      let expiries = [ours, theirs].compactMap { $0?.expiresAt }
      if expiries.contains(where: { $0 <= now + expiryTolerance }) { continue }
      if let ours, let theirs, ours.isEqual(to: theirs, expiryTolerance) { continue }
      lines.append("\(name): \(contrast(ours?.description, theirs?.description))")
    }
    return Array(lines.sorted().prefix(10))
  }

  private static func scan(_ client: TestClient) throws -> [[UInt8]] {
    var names: Set<[UInt8]> = []
    var cursor = "0"
    repeat {
      let reply = try client("SCAN", cursor, "COUNT", 1000).elements
      cursor = reply[0].text
      // What the program keeps at a destination for itself is no data.
      names.formUnion(
        reply[1].elements.compactMap(\.bytes).filter { !$0.starts(with: "migr8sync:job:".utf8) })
    } while cursor != "0"
    return Array(names)
  }

  private enum Expiry: Equatable {
    case gone, never
    case at(Int)

    /// What PEXPIRETIME and PTTL answer: −2 for a missing key, −1 for one that does not expire.
    init(_ number: Int?) {
      switch number {
      case .some(-1): self = .never
      case .some(let number) where number >= 0: self = .at(number)
      default: self = .gone
      }
    }

    var milliseconds: Int? { if case .at(let time) = self { time } else { nil } }
  }

  /// Redis 6.2 tells only the time left. It is exact when the server's clock reads the same
  /// millisecond before and after; we ask until it does.
  private static func expiry(
    _ client: TestClient, _ name: [UInt8], _ kind: ServerKind
  ) throws -> Expiry {
    if kind.knowsPexpiretime { return Expiry(try client("PEXPIRETIME", name).number) }
    while true {
      let replies = try client.pipeline([["MULTI"], ["TIME"], ["PTTL", name], ["TIME"], ["EXEC"]])
      let answers = replies[4].elements
      guard case .at(let left) = Expiry(answers[1].number) else { return Expiry(answers[1].number) }
      let before = milliseconds(answers[0])
      if before == milliseconds(answers[2]) { return .at(before + left) }
    }
  }

  private static func milliseconds(_ time: Reply) -> Int {
    let parts = time.elements.compactMap { Int($0.text) }
    return parts[0] * 1000 + parts[1] / 1000
  }

  /// The value in comparable form; nil when the key has expired meanwhile.
  private static func value(
    _ client: TestClient, _ name: [UInt8], _ type: String, _ kind: ServerKind,
    _ detail: StreamDetail
  ) throws -> String? {
    switch type {
    case "zset":
      let pairs = try client("ZRANGE", name, 0, -1, "WITHSCORES").elements.compactMap(\.bytes)
      return stride(from: 0, to: pairs.count, by: 2).map {
        let score = Double(String(decoding: pairs[$0 + 1], as: UTF8.self)) ?? .nan
        return "\(printable(pairs[$0]))=\(score)"
      }.joined(separator: " ")
    case "stream":
      return canonicalStream(try client("XINFO", "STREAM", name, "FULL", "COUNT", 0), detail)
    default:
      let digest = try client("DEBUG", "DIGEST-VALUE", name).elements[0].text
      if digest.allSatisfy({ $0 == "0" }) { return nil }
      guard type == "hash" && kind.knowsFieldExpiry else { return digest }
      return try digest + fieldExpiries(client, name)
    }
  }

  /// The expiry times of a hash's fields, where there are any.
  private static func fieldExpiries(_ client: TestClient, _ name: [UInt8]) throws -> String {
    let fields = try client("HKEYS", name).elements.compactMap(\.bytes)
    let times = try client.pipeline([["HPEXPIRETIME", name, "FIELDS", fields.count] + fields])[0]
    return zip(fields, times.elements).filter { ($0.1.number ?? -1) >= 0 }
      .map { " \(printable($0.0))@\($0.1.text)" }.sorted().joined()
  }
}

/// How much of a stream can be compared.
enum StreamDetail: Comparable {
  /// What Redis 6.2 tells.
  case beforeSeven
  /// And what came with 7.0, but not `entries-read`: 7.0 does not replicate it.
  case replicated
  /// Everything that a snapshot carries.
  case snapshot

  init(_ kind: ServerKind) {
    self = kind == .redis62 ? .beforeSeven : .snapshot
  }
}

/// XINFO STREAM FULL without what is not data: layout (radix-tree-…), and when a consumer was last
/// seen, which is a clock reading of the server that is asked.
private func canonicalStream(_ reply: Reply, _ detail: StreamDetail) -> String {
  var dropped: Set = [
    "radix-tree-keys", "radix-tree-nodes", "lag", "seen-time", "active-time",
    "recorded-first-entry-id",
  ]
  if detail < .snapshot { dropped.insert("entries-read") }
  if detail < .replicated { dropped.formUnion(["max-deleted-entry-id", "entries-added"]) }
  func render(_ reply: Reply) -> String {
    guard case .array(let elements) = reply else {
      return reply.bytes.map(printable) ?? "nil"
    }
    if let first = elements.first?.bytes,
      ["length", "name"].contains(String(decoding: first, as: UTF8.self))
    {
      return "{"
        + stride(from: 0, to: elements.count - 1, by: 2).compactMap {
          let field = elements[$0].text
          if dropped.contains(field) { return nil }
          return "\(field):\(render(elements[$0 + 1]))"
        }.joined(separator: " ") + "}"
    }
    return "[" + elements.map(render).joined(separator: " ") + "]"
  }
  return render(reply)
}

/// Two descriptions from shortly before the place where they part.
private func contrast(_ left: String?, _ right: String?) -> String {
  guard let left, let right else {
    return (left ?? "nothing").prefix(100) + " | the other: " + (right ?? "nothing").prefix(100)
  }
  let start = max(0, zip(left, right).prefix { $0 == $1 }.count - 30)
  return "… " + left.dropFirst(start).prefix(100) + " | the other: … "
    + right.dropFirst(start).prefix(100)
}

/// Bytes as a person can read them.
func printable(_ bytes: [UInt8]) -> String {
  bytes.map {
    (33..<127).contains($0) && $0 != 92 ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16)
  }
  .joined()
}
