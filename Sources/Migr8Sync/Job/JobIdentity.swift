// What a job is called and what it is about: the name under which its state lies at the destination,
// and the rules that must be the same whenever it goes on.

import ReplicaLink

/// The identity of a job.
struct JobIdentity: Sendable, Equatable {
  /// Its name, from `--job` or made of the command line.
  let name: String
  /// What it moves, in words: two runs are the same job only with the same rules.
  let rules: String
  /// The destination's db where its record lies. Two routes may lead to two dbs of one server.
  let database: Int

  /// The identity that a command line stands for, at the destination of one of its routes.
  ///
  /// - Parameter name: what `--job` says. Without it the name follows from the source's address and
  ///   the rules, so that the same command line is the same job.
  /// - Parameter route: the place of the route; the name is the same for all of them.
  init(name: String?, options: SyncOptions, route: Int = 0) {
    rules = Self.rules(options.routes[route], options)
    database = options.routes[route].recordDatabase
    self.name = name ?? Self.name(options)
  }

  init(name: String, rules: String, database: Int) {
    self.name = name
    self.rules = rules
    self.database = database
  }

  /// The key of the job's record.
  var recordKey: [UInt8] { KeyFilter.reservedPrefix + Array(name.utf8) }
  /// The same, as text.
  var recordName: String { String(decoding: recordKey, as: UTF8.self) }
  /// The key that says which process works on the job.
  var runnerKey: [UInt8] { recordKey + Array(":runner".utf8) }
  /// The key of the set of keys under repair.
  var repairsKey: [UInt8] { recordKey + Array(":repairs".utf8) }
  /// The key of the set of keys that are left alone, because they were there before the job.
  var skippedKey: [UInt8] { recordKey + Array(":skipped".utf8) }
  /// The key of the set of keys that are left alone, because they were of another type when the
  /// snapshot was taken.
  var otherTypesKey: [UInt8] { recordKey + Array(":other-types".utf8) }

  /// Everything the job keeps at the destination but the lease.
  var dataKeys: [[UInt8]] { [recordKey, repairsKey, skippedKey, otherTypesKey] }

  /// The longest name, in bytes.
  static let nameBytesMax = 100

  /// Whether a job may be called like this. What else is found in the place of a name, at a server where
  /// others write, is no job's, and safe nowhere: names stand in commands that an operator copies.
  static func isName(_ text: String) -> Bool {
    (1...nameBytesMax).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
          UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  /// The longest list of rules that is kept in words.
  static let rulesBytesMax = 2_000

  private static func name(_ options: SyncOptions) -> String {
    let routes = options.routes.map { route in
      "\(route.destination.database ?? -1) \(rules(route, options))"
    }
    return digest("\(options.source.endpoint) \(routes.joined(separator: "; "))")
  }

  private static func rules(_ route: Route, _ options: SyncOptions) -> String {
    var parts = (options.isReverse ? ["reverse"] : []) + route.words
    switch options.onConflict {
    case .fail: break
    case .replace: parts.append("replacing")
    case .skip: parts.append("skipping")
    }
    if options.way == .scan { parts.append("by scan") }
    let text = parts.joined(separator: ", ")
    if text.utf8.count <= rulesBytesMax { return text }
    var short = ""
    var count = 0
    for part in parts where short.utf8.count + part.utf8.count <= rulesBytesMax {
      short += part + ", "
      count += 1
    }
    return "\(short)and \(parts.count - count) more (\(digest(text)))"
  }

  /// 64 bits of FNV-1a in hexadecimal: short enough to type, and no two command lines of one
  /// operator will meet.
  private static func digest(_ text: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 {
      hash ^= UInt64(byte)
      hash = hash &* 0x100_0000_01b3
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
