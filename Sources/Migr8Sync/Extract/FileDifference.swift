// FileDifference: two sets of records compared, run by run.

import RDBParser

/// A key that is not the same in both files.
struct KeyDifference: Sendable, Equatable {
  enum Kind: String, Sendable {
    case added
    case removed
    case changed
  }

  var kind: Kind
  var database: Int
  var key: [UInt8]
  /// Its type, in the newer file where it is there.
  var type: RDBValueKind
  /// What is different: `type`, `value`, `ttl`.
  var what: [String] = []

  /// For a person: `~ 0 hash user:1 value ttl`.
  var text: String {
    let sign = kind == .added ? "+" : kind == .removed ? "-" : "~"
    return ([sign, String(database), type.rawValue, Printable.wholeKey(key)] + what).joined(
      separator: " ")
  }

  /// For a program.
  var json: String {
    var object = JSONObject()
    object.add("change", kind.rawValue)
    object.add("db", Int64(database))
    object.add("key", bytes: key)
    object.add("type", type.rawValue)
    object.add("what", what)
    return object.text
  }
}

/// What a comparison came to.
struct DifferenceTally: Sendable {
  var added: UInt64 = 0
  var removed: UInt64 = 0
  var changed: UInt64 = 0
  var same: UInt64 = 0

  /// Whether both files hold the same.
  var isEmpty: Bool { added + removed + changed == 0 }

  /// For a person.
  var text: String {
    let parts = [(added, "added"), (removed, "removed"), (changed, "changed"), (same, "the same")]
    return parts.map { "\(HumanNumber.count($0.0)) \($0.1)" }.joined(separator: ", ")
  }
}

/// Compares.
enum FileDifference {
  /// Hands every difference to `body`; in no order that means anything, but the same for the same files.
  static func compare(
    _ old: KeyRuns, _ new: KeyRuns, _ body: (KeyDifference) throws(ReplayError) -> Void
  ) throws(ReplayError) -> DifferenceTally {
    var tally = DifferenceTally()
    for index in 0..<old.count {
      var before = try old.records(of: index)
      let after = try new.records(of: index)
      var differences: [KeyDifference] = []
      for (name, record) in after {
        guard let other = before.removeValue(forKey: name) else {
          tally.added += 1
          differences.append(difference(.added, name, record))
          continue
        }
        let what = changes(from: other, to: record)
        if what.isEmpty {
          tally.same += 1
        } else {
          tally.changed += 1
          differences.append(difference(.changed, name, record, what))
        }
      }
      for (name, record) in before {
        tally.removed += 1
        differences.append(difference(.removed, name, record))
      }
      differences.sort { one, other in
        if one.database != other.database { return one.database < other.database }
        return one.key.lexicographicallyPrecedes(other.key)
      }
      for difference in differences { try body(difference) }
    }
    return tally
  }

  private static func changes(from old: KeyRecord, to new: KeyRecord) -> [String] {
    var what: [String] = []
    if old.type != new.type { what.append("type") }
    // A value of another type is another value all the same.
    if old.type == new.type, old.meaning != new.meaning { what.append("value") }
    if old.expiryMilliseconds != new.expiryMilliseconds { what.append("ttl") }
    return what
  }

  private static func difference(
    _ kind: KeyDifference.Kind, _ name: [UInt8], _ record: KeyRecord, _ what: [String] = []
  ) -> KeyDifference {
    var database = 0
    for (index, byte) in name.prefix(4).enumerated() { database |= Int(byte) << (8 * index) }
    return KeyDifference(
      kind: kind, database: database, key: Array(name.dropFirst(4)), type: record.type,
      what: what)
  }
}
