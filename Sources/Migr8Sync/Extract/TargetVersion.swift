// TargetVersion: the server that an output is for, as --target-version names it.

import RDBParser

/// A version of Redis or Valkey.
struct TargetVersion: Sendable, Equatable {
  var isValkey = false
  var major: Int
  var minor: Int

  init(isValkey: Bool = false, major: Int, minor: Int) {
    self.isValkey = isValkey
    self.major = major
    self.minor = minor
  }

  /// Reads `7.2`, `redis-7.2`, `valkey-8.1` or `8`; nil for anything else.
  init?(_ text: String) {
    var rest = text.lowercased()[...]
    for (name, isValkey) in [("redis-", false), ("valkey-", true)] where rest.hasPrefix(name) {
      rest = rest.dropFirst(name.count)
      self.isValkey = isValkey
    }
    let parts = rest.split(separator: ".", omittingEmptySubsequences: false).map { part in
      Quantity.number(String(part)).flatMap { $0 < 100 ? Int($0) : nil }
    }
    guard (1...3).contains(parts.count), let major = parts[0], major > 0 else { return nil }
    guard !parts.contains(where: { $0 == nil }) else { return nil }
    self.major = major
    minor = parts.count > 1 ? parts[1] ?? 0 : 0
  }

  /// The newest server that surely wrote such a file. Source: rdb-format.md §1.
  init(writerOf header: RDBHeader) {
    if header.family == .valkey {
      self.init(isValkey: true, major: 9, minor: 0)
      return
    }
    let (major, minor) =
      switch header.version {
      case ...6: (2, 8)
      case 7: (3, 2)
      case 8: (4, 0)
      case 9: (6, 2)
      case 10: (7, 0)
      case 11: (7, 2)
      default: (7, 4)
      }
    self.init(major: major, minor: minor)
  }

  /// What an RDB file for it begins with.
  var header: RDBHeader {
    isValkey ? .valkey(major: major, minor: minor) : .redis(major: major, minor: minor)
  }

  /// What it can be told in commands.
  var features: RDBCommandFeatures {
    isValkey ? .valkey(major: major, minor: minor) : .redis(major: major, minor: minor)
  }

  /// Whether its SET takes PXAT.
  var setTakesExpiry: Bool { isValkey || (major, minor) >= (6, 2) }
}
