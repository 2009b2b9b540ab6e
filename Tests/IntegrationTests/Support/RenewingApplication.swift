// An application whose keys live for a few seconds and are renewed, changed, copied and made to last at
// random: whatever a destination that is late can get wrong about keys that expire.

import Glibc
import Synchronization

///
/// It leaves keys alone in the last second of their life: a tool that is in time, but for the fraction of a
/// second that it always needs, is not what is tried here.
final class RenewingApplication: Sendable {
  private static let keysPerType = 60
  /// The longest that a key lives when it is not renewed.
  static let longestLifeSeconds = 8
  private static let fieldNames = ["f0", "f1", "f2", "f3", "g"]
  private let thread = WritingThread()

  /// Starts to write keys of every type, or, with `fields`, hashes whose fields expire by themselves.
  init(to server: TestServer, seed: UInt64, fields: Bool = false) {
    let port = server.port
    print("the renewing application's seed: \(seed)")
    thread.start {
      let client = try TestClient(port: port)
      var random = SeededRandom(seed: seed)
      return {
        let groups = (0..<4).map { _ in
          fields ? Self.fieldCommands(&random) : Self.someCommands(&random)
        }
        let batch = try groups.filter { try !Self.isAtTheEnd($0, client, fields) }
        _ = try client.pipeline(batch.flatMap { $0 })
        usleep(4000)
      }
    }
  }

  deinit { thread.endSoon() }

  /// Stops writing; everything written so far has been answered.
  func stop() throws { try thread.stop() }

  /// Whether any of the keys, or of their fields, is about to expire.
  private static func isAtTheEnd(
    _ group: [[any Word]], _ client: TestClient, _ fields: Bool
  ) throws -> Bool {
    let keys = group.joined().compactMap { $0 as? String }.filter { $0.hasPrefix("bump:") }
    let questions: [[any Word]] = keys.flatMap { key -> [[any Word]] in
      let question: [any Word] = ["HPTTL", key, "FIELDS", fieldNames.count] + fieldNames
      return fields ? [["PTTL", key], question] : [["PTTL", key]]
    }
    return try client.pipeline(questions).contains { reply in
      ([reply] + reply.elements).contains { (0..<1000).contains($0.number ?? -1) }
    }
  }

  private static func key(_ type: String, _ random: inout SeededRandom) -> String {
    "bump:\(type):\(Int.random(in: 0..<keysPerType, using: &random))"
  }

  private static func someCommands(_ random: inout SeededRandom) -> [[any Word]] {
    let life = Int.random(in: 1000...longestLifeSeconds * 1000, using: &random)
    let (n, other) = (key("n", &random), key("n", &random))
    switch Int.random(in: 0..<17, using: &random) {
    case 0..<3: return [["INCR", n], ["PEXPIRE", n, life]]
    case 3: return [["MULTI"], ["INCRBY", n, 3], ["PEXPIRE", n, life], ["EXEC"]]
    case 4: return [["EVAL", script, 1, n, life]]
    case 5: return [["SET", n, life, "PX", life], ["SET", other, 1, "XX", "PX", life]]
    case 6: return [["SET", n, 2, "XX", "KEEPTTL"], ["SET", other, 3, "XX"]]
    case 7: return [["PEXPIRE", n, life], ["INCR", other], ["INCR", n]]
    case 8: return [["PERSIST", n]]
    case 9: return [["GETEX", n, "PX", life], ["GETEX", other, "PERSIST"]]
    case 10: return [["COPY", n, other, "REPLACE"]]
    case 11: return [["RENAME", n, other]]
    case 12: return [["DEL", n]]
    default: return collections(life, &random)
    }
  }

  private static func collections(_ life: Int, _ random: inout SeededRandom) -> [[any Word]] {
    let (hash, set, list) = (key("hash", &random), key("set", &random), key("list", &random))
    switch Int.random(in: 0..<8, using: &random) {
    case 0: return [["HINCRBY", hash, "a", 1], ["EXPIRE", hash, 1 + life / 1000]]
    case 1: return [["SADD", set, life % 50], ["PEXPIRE", set, life]]
    case 2: return [["COPY", hash, key("hash", &random), "REPLACE"], ["PERSIST", hash]]
    case 3: return [["SUNIONSTORE", key("union", &random), set, key("set", &random)]]
    case 4: return [["SMOVE", set, key("set", &random), life % 50], ["SPOP", set]]
    case 5: return [["RENAMENX", set, key("set", &random)], ["PEXPIRE", list, life]]
    case 6:
      return [["RPUSH", list, life], ["LMOVE", list, key("list", &random), "LEFT", "RIGHT"]]
    default: return [["PEXPIRE", hash, life], ["HINCRBY", hash, "b", 2], ["UNLINK", set]]
    }
  }

  private static func fieldCommands(_ random: inout SeededRandom) -> [[any Word]] {
    let life = Int.random(in: 1000...longestLifeSeconds * 1000, using: &random)
    let hash = key("hash", &random)
    let field = fieldNames.randomElement(using: &random) ?? "g"
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4:
      return [["HINCRBY", hash, field, 1], ["HPEXPIRE", hash, life, "FIELDS", 1, field]]
    case 4: return [["HSETEX", hash, "FXX", "PX", life, "FIELDS", 1, field, 7]]
    case 5: return [["HSETEX", hash, "PX", life, "FIELDS", 2, field, 1, "g", 2]]
    case 6: return [["HPERSIST", hash, "FIELDS", 1, field], ["PEXPIRE", hash, life]]
    case 7: return [["HGETEX", hash, "PX", life, "FIELDS", 1, field], ["PERSIST", hash]]
    case 8: return [["COPY", hash, key("hash", &random), "REPLACE"]]
    default: return [["RENAME", hash, key("hash", &random)], ["HDEL", hash, field]]
    }
  }

  private static let script =
    "redis.call('INCR', KEYS[1]) return redis.call('PEXPIRE', KEYS[1], ARGV[1])"
}
