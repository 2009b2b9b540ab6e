// Files written by six server versions against what those servers said about them.

import Foundation
import RDBParser
import Testing

@Suite(.enabled(if: Fixtures.areSharedPresent, "\(Fixtures.absence)"))
struct ServerTruthTests {
  static let versions = ["2.8", "3.2", "4.0", "5.0", "6.0", "7.4"]

  @Test(arguments: versions)
  func keysTypesDatabasesAndExpiriesAreTheServers(version: String) throws {
    let data = try Data(
      contentsOf: Fixtures.shared.appending(path: "by-version/redis-\(version).json"))
    let truth = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    let recording = RDBTest.record(try Fixtures.bytes("by-version/redis-\(version).rdb"))
    #expect(recording.error == nil)
    #expect(recording.trailer?.checksum == .verified)
    #expect(recording.entries.count == truth.count)
    var read: [String: RDBEntry] = [:]
    for recorded in recording.entries {
      let entry = try #require(recorded.entry)
      read["\(entry.database) \(Data(recorded.key).base64EncodedString())"] = entry
    }
    for item in truth {
      let key = try #require(TruthBytes.bytes(item["key"]))
      let database = try #require(item["db"] as? Int)
      let entry = try #require(read["\(database) \(Data(key).base64EncodedString())"])
      #expect(entry.type.logicalName == item["type"] as? String)
      if let expiry = item["expire_at_ms"] as? Int64 {
        #expect(entry.expiryMilliseconds == expiry)
      } else if item.keys.contains("expire_at_ms") || item["pttl"] is NSNull {
        #expect(entry.expiryMilliseconds == nil)
      } else {
        #expect(entry.expiryMilliseconds != nil)
      }
    }
  }
}

/// The form the truth files give bytes in: a string, or {"base64": ...}.
enum TruthBytes {
  static func bytes(_ value: Any?) -> [UInt8]? {
    if let text = value as? String { return Array(text.utf8) }
    guard let binary = (value as? [String: Any])?["base64"] as? String else { return nil }
    return Data(base64Encoded: binary).map { [UInt8]($0) }
  }
}
