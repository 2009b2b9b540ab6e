// Masters of versions that are hard to come by (2.8 to 7.4): their recorded links, with scripts as they
// came and times to live that count from now, played to the program with a real destination. Under a
// prefix that ends as the master ended, but for keys that a living source would be asked about: those
// the job's record names.

import Foundation
import Testing

@Suite(
  "Recorded links of old masters", .ownThread,
  .enabled(if: RecordedLink.arePresent, "no ../shared/fixtures beside the project"))
struct RecordedLinkTests {
  static let cases = RecordedLink.labels.flatMap { label in
    [ServerKind.redis62, .redis70, .redis82].compactMap { kind in
      label == "7.4" && kind == .redis62 ? nil : (label, kind)
    }
  }

  @Test(arguments: cases)
  func underAPrefixTheDestinationEndsAsTheMasterEnded(_ label: String, _ kind: ServerKind) throws {
    let link = try RecordedLink(label)
    let master = try RecordedMaster(link)
    let destination = try TestServer(kind)
    defer { withExtendedLifetime((master, destination)) {} }
    let client = try destination.client()
    let tool = try Tool.start(
      ["sync", "-s", master.url, "-d", destination.url, "-p", "in:", "--job", "recorded"])
    try awaitCondition("offset \(link.endOffset) at the destination", seconds: 90) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return try client("HGET", "migr8sync:job:recorded", "offset").text == "\(link.endOffset)"
    }
    let asked = Set(try client("SMEMBERS", "migr8sync:job:recorded:repairs").elements.map(\.text))
    let expired = link.expiredSince(wallClockMilliseconds())
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    var expected: Set<String> = []
    var compared = 0
    for item in link.state {
      guard let database = item["db"] as? Int, let key = item["key"] as? String,
        key.hasPrefix("in:")
      else { continue }
      let name = "\(database):\(key)"
      expected.insert(name)
      if asked.contains(name) || expired.contains(key) { continue }
      try compare(item, database, key, client, "\(label) to \(kind)")
      compared += 1
    }
    #expect(compared > expected.count * 2 / 3, "asked about: \(asked), expired: \(expired)")
    for database in 0..<16 {
      try client("SELECT", database)
      for key in try client("KEYS", "*").elements.map(\.text)
      where !key.hasPrefix("migr8sync:job:") {
        let name = "\(database):\(key)"
        #expect(expected.contains(name) || asked.contains(name) || expired.contains(key), "\(name)")
      }
    }
  }

  private func compare(
    _ item: [String: Any], _ database: Int, _ key: String, _ client: TestClient, _ what: String
  ) throws {
    try client("SELECT", database)
    #expect(try client("TYPE", key).text == item["type"] as? String, "\(what): \(database):\(key)")
    let found: [String] =
      switch item["type"] as? String {
      case "string": [try text(client("GET", key))]
      case "list": try client("LRANGE", key, 0, -1).elements.map(text)
      case "set": try client("SMEMBERS", key).elements.map(text).sorted()
      case "hash": pairs(try client("HGETALL", key).elements.map(text)).sorted()
      case "zset": try pairs(client("ZRANGE", key, 0, -1, "WITHSCORES").elements.map(text))
      default: try client("XRANGE", key, "-", "+").elements.map(entry)
      }
    #expect(try found == said(item), "\(what): \(database):\(key)")
    let deadline = try expiry(client("PTTL", key).number ?? 0)
    switch (item["pttl"] ?? item["expire_at_ms"]) as? Int {
    case .some(let time) where item["expire_at_ms"] != nil && time > 0:
      #expect(abs((deadline ?? 0) - time) < 2_000, "\(what): \(database):\(key)")
    case .some(let time) where time > 0:
      // Counted from the arrival; one that was absolute is nearer now than it was then.
      let latest = wallClockMilliseconds() + time + 60_000
      #expect((deadline ?? 0) > 0 && (deadline ?? 0) < latest, "\(what): \(database):\(key)")
    default: #expect(deadline == nil, "\(what): \(database):\(key)")
    }
  }

  private func expiry(_ left: Int) -> Int? { left < 0 ? nil : wallClockMilliseconds() + left }

  private func text(_ reply: Reply) -> String { printable(reply.bytes ?? []) }

  private func entry(_ reply: Reply) -> String {
    reply.elements[0].text + " " + reply.elements[1].elements.map(text).joined(separator: " ")
  }

  private func pairs(_ words: [String]) -> [String] {
    stride(from: 0, to: words.count - 1, by: 2).map { "\(words[$0]) \(words[$0 + 1])" }
  }

  /// The value in the recording, in the same form.
  private func said(_ item: [String: Any]) throws -> [String] {
    let value = item["value"]
    guard let rows = value as? [Any] else { return [try bytes(value)] }
    let lines = try rows.map { row -> String in
      guard let row = row as? [Any] else { return try bytes(row) }
      let words = try row.map { part in
        try (part as? [Any])?.map(bytes).joined(separator: " ") ?? bytes(part)
      }
      return words.joined(separator: " ")
    }
    return ["set", "hash"].contains(item["type"] as? String) ? lines.sorted() : lines
  }

  private func bytes(_ value: Any?) throws -> String {
    if let text = value as? String { return printable(Array(text.utf8)) }
    let data = ((value as? [String: Any])?["base64"] as? String).flatMap { Data(base64Encoded: $0) }
    guard let data else { throw TestFailure("a value of another form: \(value ?? "none")") }
    return printable([UInt8](data))
  }
}
