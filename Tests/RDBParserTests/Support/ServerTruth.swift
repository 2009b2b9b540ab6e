// What a server said about its own data, as JSON beside a file, and the comparison with what was read.

import Foundation
import RDBParser
import Testing

/// The keys of one file as the server that wrote it told them.
struct ServerTruth {
  let items: [[String: Any]]

  init(contentsOf url: URL) throws {
    let data = try Data(contentsOf: url)
    items = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
  }

  /// Keys with database and digest.
  var digests: [(database: Int, key: [UInt8], digest: String)] {
    items.compactMap { item in
      guard let key = Self.bytes(item["key"]), let digest = item["digest"] as? String,
        let database = item["db"] as? Int
      else { return nil }
      return (database, key, digest)
    }
  }

  /// Compares all keys. `isOlderServer` leaves out what servers before 7.0 do not keep.
  func compare(_ recording: Recording, isOlderServer: Bool = false) throws {
    #expect(recording.entries.count == items.count)
    var read: [String: Recorded] = [:]
    for recorded in recording.entries {
      let entry = try #require(recorded.entry)
      read["\(entry.database) \(Data(recorded.key).base64EncodedString())"] = recorded
    }
    for item in items {
      let key = try #require(Self.bytes(item["key"]))
      let database = try #require(item["db"] as? Int)
      let recorded = try #require(read["\(database) \(Data(key).base64EncodedString())"])
      let entry = try #require(recorded.entry)
      #expect(entry.type.logicalName == item["type"] as? String)
      if let expiry = item["expire_at_ms"] as? Int64 {
        #expect(entry.expiryMilliseconds == expiry)
      } else if item.keys.contains("expire_at_ms") || item["pttl"] is NSNull {
        #expect(entry.expiryMilliseconds == nil)
      } else {
        #expect(entry.expiryMilliseconds != nil)
      }
      let said = try #require(Self.canonical(item), "\(item["key"] ?? "")")
      let decoded = try #require(recorded.decoded)
      let lines = Self.canonical(decoded, item)
      if isOlderServer {
        #expect(Self.withoutCounters(lines) == Self.withoutCounters(said))
      } else {
        #expect(lines == said, "key \(RDBTest.text(key))")
      }
    }
  }

  private static func withoutCounters(_ lines: [String]) -> [String] {
    lines.filter { line in !["added ", "deleted ", "first "].contains { line.hasPrefix($0) } }
      .map { line in
        String(line.prefix(upTo: line.range(of: " read ")?.lowerBound ?? line.endIndex))
      }
  }

  // MARK: A form in which both can be compared

  /// Lines of text; those of unordered types sorted.
  private static func canonical(_ item: [String: Any]) -> [String]? {
    switch item["type"] as? String {
    case "string":
      return bytes(item["value"]).map { [hex($0)] }
    case "list":
      return texts(item["value"])
    case "set":
      return texts(item["value"])?.sorted()
    case "zset":
      return (item["value"] as? [[Any]])?.compactMap { pair in
        guard let member = bytes(pair[0]), let text = pair[1] as? String else { return nil }
        return hex(member) + " " + score(Double(text) ?? .nan)
      }.sorted()
    case "hash":
      var expiries: [String: Int64] = [:]
      for pair in item["field_expire_at_ms"] as? [[Any]] ?? [] {
        if let name = bytes(pair[0]), let time = pair[1] as? Int64 { expiries[hex(name)] = time }
      }
      return (item["value"] as? [[Any]])?.compactMap { pair in
        guard let name = bytes(pair[0]), let value = bytes(pair[1]) else { return nil }
        let expiry = expiries[hex(name)].map { "\($0)" } ?? "never"
        return "\(hex(name)) \(hex(value)) \(expiry)"
      }.sorted()
    case "stream":
      return stream(item)
    default:
      return nil
    }
  }

  private static func canonical(_ value: RDBValue, _ item: [String: Any]) -> [String] {
    switch value {
    case .string(let bytes): [hex(bytes)]
    case .list(let items): items.map(hex)
    case .set(let members): members.map(hex).sorted()
    case .sortedSet(let members):
      members.map { "\(hex($0.member)) \(score($0.score))" }.sorted()
    case .hash(let fields):
      fields.map { field in
        let expiry = field.expiryMilliseconds.map { "\($0)" } ?? "never"
        return "\(hex(field.name)) \(hex(field.value)) \(expiry)"
      }.sorted()
    case .stream(let stream): canonical(stream, item)
    case .array(let items): items.map { "\($0.index) \(hex($0.text))" }
    case .module(let id): [id.name]
    }
  }

  private static func stream(_ item: [String: Any]) -> [String]? {
    guard let entries = item["value"] as? [[Any]] else { return nil }
    var lines = entries.compactMap { entry -> String? in
      guard let id = entry[0] as? String, let fields = texts(entry[1]) else { return nil }
      return "\(id) \(fields.joined(separator: " "))"
    }
    lines.append("last \(item["last_id"] as? String ?? "?")")
    for (name, label) in streamNumbers {
      if let value = item[name] { lines.append("\(label) \(value)") }
    }
    for group in item["groups"] as? [[String: Any]] ?? [] {
      guard let name = bytes(group["name"]) else { return nil }
      let read = (group["entries_read"] as? Int).map { "\($0)" } ?? "?"
      lines.append("group \(hex(name)) \(group["last_id"] as? String ?? "?") read \(read)")
      var pending: [String] = []
      for entry in group["pending"] as? [[Any]] ?? [] {
        guard let owner = bytes(entry[1]) else { return nil }
        pending.append("pending \(entry[0]) \(hex(owner)) \(entry[2])")
      }
      lines += pending.sorted()
      for consumer in texts(group["consumers"])?.sorted() ?? [] {
        lines.append("owner \(consumer)")
      }
    }
    return lines
  }

  private static let streamNumbers = [
    ("entries_added", "added"), ("max_deleted_entry_id", "deleted"),
    ("recorded_first_entry_id", "first"),
  ]

  private static func canonical(_ stream: RDBStream, _ item: [String: Any]) -> [String] {
    var lines = stream.entries.map { entry in
      "\(entry.id) \(entry.fields.map(hex).joined(separator: " "))"
    }
    lines.append("last \(stream.info.lastID)")
    if item["entries_added"] != nil { lines.append("added \(stream.info.entriesAdded ?? 0)") }
    if item["max_deleted_entry_id"] != nil {
      lines.append("deleted \(stream.info.maxDeletedID ?? .zero)")
    }
    if item["recorded_first_entry_id"] != nil {
      lines.append("first \(stream.info.firstID ?? .zero)")
    }
    for group in stream.groups {
      let read = group.info.entriesRead.map { "\($0)" } ?? "?"
      lines.append("group \(hex(group.name)) \(group.info.lastID) read \(read)")
      var pending: [String] = []
      for consumer in group.consumers {
        for id in consumer.pending {
          let count = group.pending.first { $0.id == id }?.deliveries ?? 0
          pending.append("pending \(id) \(hex(consumer.name)) \(count)")
        }
      }
      lines += pending.sorted()
      for name in group.consumers.map({ hex($0.name) }).sorted() { lines.append("owner \(name)") }
    }
    return lines
  }

  private static func score(_ value: Double) -> String { "\(value == 0 ? 0 : value)" }

  private static func texts(_ value: Any?) -> [String]? {
    (value as? [Any])?.compactMap { bytes($0).map(hex) }
  }

  /// The form the files give bytes in: a string, or {"base64": ...}.
  static func bytes(_ value: Any?) -> [UInt8]? {
    if let text = value as? String { return Array(text.utf8) }
    guard let binary = (value as? [String: Any])?["base64"] as? String else { return nil }
    return Data(base64Encoded: binary).map { [UInt8]($0) }
  }

  /// Bytes as text that stays readable: plain ASCII as it is, the rest in hexadecimal.
  private static func hex(_ bytes: [UInt8]) -> String {
    if bytes.allSatisfy({ (0x21..<0x7f).contains($0) }) && !bytes.isEmpty {
      return String(decoding: bytes, as: UTF8.self)
    }
    return "0x" + bytes.map { String($0, radix: 16) }.joined(separator: ".")
  }
}
