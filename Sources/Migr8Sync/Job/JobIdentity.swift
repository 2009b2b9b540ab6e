// What a job is called and what it is about: the name under which its state lies at the destination,
// and the rules that must be the same whenever it goes on.

import ReplicaLink

/// The identity of a job.
struct JobIdentity: Sendable, Equatable {
  /// Its name, from `--job` or made of the command line.
  let name: String
  /// What it moves, in words: two runs are the same job only with the same rules.
  let rules: String

  /// The identity that a command line stands for.
  ///
  /// - Parameter name: what `--job` says. Without it the name follows from the source's address and
  ///   the rules, so that the same command line is the same job.
  init(name: String?, options: SyncOptions) {
    rules = Self.rules(options)
    self.name =
      name
      ?? Self.digest("\(options.source.endpoint) \(options.destination.database ?? -1) \(rules)")
  }

  init(name: String, rules: String) {
    self.name = name
    self.rules = rules
  }

  /// The key of the job's record.
  var recordKey: [UInt8] { KeyFilter.reservedPrefix + Array(name.utf8) }
  /// The key that says which process works on the job.
  var runnerKey: [UInt8] { recordKey + Array(":runner".utf8) }
  /// The key of the set of keys under repair.
  var repairsKey: [UInt8] { recordKey + Array(":repairs".utf8) }
  /// The key of the set of keys that are left alone.
  var skippedKey: [UInt8] { recordKey + Array(":skipped".utf8) }

  /// Everything the job keeps at the destination but the lease.
  var dataKeys: [[UInt8]] { [recordKey, repairsKey, skippedKey] }

  private static func rules(_ options: SyncOptions) -> String {
    let filter = options.filter
    var parts = filter.prefixes.map { "prefix \(Printable.key($0))" }.sorted()
    parts += filter.globs.map { "match \(Printable.key($0.source))" }.sorted()
    if parts.isEmpty { parts.append("every key") }
    if let databases = filter.databases {
      parts.append("db " + databases.sorted().map(String.init).joined(separator: ","))
    }
    if let target = options.destination.database { parts.append("to db \(target)") }
    switch options.onConflict {
    case .fail: break
    case .replace: parts.append("replacing")
    case .skip: parts.append("skipping")
    }
    return parts.joined(separator: ", ")
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
