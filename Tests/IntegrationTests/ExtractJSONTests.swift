// The JSON of extract against what a server says of the same keys, decoded by a library that is not ours.

import Foundation
import Testing

@Suite("Extracting JSON", .ownThread)
struct ExtractJSONTests {
  /// A string, or an object with base64.
  private func bytes(_ value: Any?) throws -> [UInt8] {
    if let text = value as? String { return Array(text.utf8) }
    let text = try #require((value as? [String: String])?["base64"])
    let bytes = [UInt8](try #require(Data(base64Encoded: text)))
    #expect(bytes.count > 4 << 20 || String(validating: bytes, as: UTF8.self) == nil)
    return bytes
  }

  private func score(_ value: Any) throws -> Double {
    if let number = value as? Double { return number }
    let text = try #require(value as? String)
    return try #require(Double(text))
  }

  @Test(arguments: ServerKind.allCases)
  func saysWhatTheServerSays(kind: ServerKind) throws {
    let server = try TestServer(kind)
    try SampleData.fill(server)
    let client = try server.client()
    let large = Array(repeating: SampleData.noise(300_000), count: 16).flatMap(\.self)
    try client("SET", "large", large)
    let file = try server.save()
    let names = Set(try Keyspace(of: server).keys.keys)
    let lines = try Tool.run(["extract", file, "--format", "jsonl"])
    try #require(lines.exitCode == 0, "\(lines.standardError)")
    var seen: Set<KeyName> = []
    for line in lines.standardOutput.split(separator: "\n") {
      let object = try #require(
        JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      let database = try #require(object["db"] as? Int)
      let key = try bytes(object["key"])
      #expect(seen.insert(KeyName(database: database, key: key)).inserted)
      try client("SELECT", database)
      #expect(object["type"] as? String == (try client("TYPE", key)).text)
      if kind.knowsPexpiretime {
        #expect(object["expire_at_ms"] as? Int ?? -1 == (try client("PEXPIRETIME", key)).number)
      }
      try compare(object, key, client)
    }
    #expect(seen == names)

    let array = try Tool.run(["extract", file, "--format", "json"])
    let values = try JSONSerialization.jsonObject(with: Data(array.standardOutput.utf8)) as? [Any]
    #expect(values?.count == names.count)
  }

  private func compare(_ object: [String: Any], _ key: [UInt8], _ client: TestClient) throws {
    let items = object["value"] as? [Any] ?? []
    switch object["type"] as? String {
    case "string":
      #expect(try bytes(object["value"]) == client("GET", key).bytes)
    case "list":
      #expect(try items.map { try bytes($0) } == client("LRANGE", key, 0, -1).elements.map(\.bytes))
    case "set":
      let members = try client("SMEMBERS", key).elements.compactMap(\.bytes)
      #expect(try Set(items.map { try bytes($0) }) == Set(members))
      #expect(items.count == members.count)
    case "zset":
      let pairs = try client("ZRANGE", key, 0, -1, "WITHSCORES").elements.compactMap(\.bytes)
      var scores: [[UInt8]: Double] = [:]
      for index in stride(from: 0, to: pairs.count, by: 2) {
        scores[pairs[index]] = Double(String(decoding: pairs[index + 1], as: UTF8.self))
      }
      var ours: [[UInt8]: Double] = [:]
      for case let pair as [Any] in items { ours[try bytes(pair[0])] = try score(pair[1]) }
      #expect(Set(ours.keys) == Set(scores.keys))
      // Foundation's reader of JSON may be off in the last bit; that ours are exact JSONBytesTests shows.
      for (member, score) in ours {
        let other = scores[member] ?? .nan
        #expect(score == other || abs(score - other) <= abs(other) * 1e-15)
      }
    case "hash":
      let pairs = try client("HGETALL", key).elements.compactMap(\.bytes)
      #expect(items.count * 2 == pairs.count)
      for case let pair as [Any] in items {
        let field = try bytes(pair[0])
        #expect(try bytes(pair[1]) == client("HGET", key, field).bytes)
        if pair.count > 2 {
          let expiry = try client("HPEXPIRETIME", key, "FIELDS", 1, field).elements.first?.number
          #expect(pair[2] as? Int == expiry)
        }
      }
    default:
      let value = try #require(object["value"] as? [String: Any])
      try compareStream(value, key, client)
    }
  }

  private func compareStream(
    _ value: [String: Any], _ key: [UInt8], _ client: TestClient
  ) throws {
    let entries = try #require(value["entries"] as? [[Any]])
    let theirs = try client("XRANGE", key, "-", "+").elements
    #expect(entries.count == theirs.count)
    for (entry, other) in zip(entries, theirs) {
      #expect(entry[0] as? String == other.elements[0].text)
      let fields = try #require(entry[1] as? [Any])
      #expect(try fields.map { try bytes($0) } == other.elements[1].elements.map(\.bytes))
    }
    let groups = try #require(value["groups"] as? [[String: Any]])
    let infos = try client("XINFO", "GROUPS", key).elements
    #expect(groups.count == infos.count)
    for group in groups {
      let name = try bytes(group["name"])
      let pending = try #require(group["pending"] as? [[Any]])
      let listed = try client("XPENDING", key, name, "-", "+", 1000).elements
      #expect(pending.map { $0[0] as? String } == listed.map { $0.elements[0].text })
      #expect(pending.map { $0[2] as? Int } == listed.map { $0.elements[3].number })
      let consumers = try #require(group["consumers"] as? [[String: Any]])
      for consumer in consumers {
        let own = try client("XPENDING", key, name, "-", "+", 1000, try bytes(consumer["name"]))
        #expect(consumer["pending"] as? [String] == own.elements.map { $0.elements[0].text })
      }
    }
  }
}
