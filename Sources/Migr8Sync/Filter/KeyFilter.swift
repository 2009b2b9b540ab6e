// KeyFilter: which keys of which databases a run is about.
//
// One value, made from the command line, used by everything that looks at a key: the snapshot,
// the router of the stream, the check of the destination.

/// A key is in when any prefix or any glob says so, or when there is no rule at all.
struct KeyFilter: Sendable {
  /// Keys that begin like this belong to this program, at any server: no rule moves them.
  static let reservedPrefix = Array("migr8sync:job:".utf8)

  /// Prefixes, compared byte for byte.
  let prefixes: [[UInt8]]
  /// Redis globs over the whole key.
  let globs: [GlobPattern]
  /// The databases that are in; `nil` for all.
  let databases: Set<Int>?
  /// Whether no key is left out: there is no rule, or one that is true of every key.
  let matchesEveryKey: Bool

  /// Makes a filter; without arguments one that lets everything through.
  init(prefixes: [[UInt8]] = [], globs: [GlobPattern] = [], databases: Set<Int>? = nil) {
    self.prefixes = prefixes
    self.globs = globs
    self.databases = databases
    matchesEveryKey =
      (prefixes.isEmpty && globs.isEmpty) || prefixes.contains { $0.isEmpty }
      || globs.contains { $0.matchesEveryKey }
  }

  /// Whether a key is in, whatever its database. Allocates nothing.
  func matches(key: Span<UInt8>) -> Bool {
    if matchesEveryKey { return !Self.isReserved(key) }
    for prefix in prefixes where Self.hasPrefix(key, prefix.span) { return !Self.isReserved(key) }
    for glob in globs where glob.matches(key) { return !Self.isReserved(key) }
    return false
  }

  private static func isReserved(_ key: Span<UInt8>) -> Bool {
    hasPrefix(key, reservedPrefix.span)
  }

  /// Whether every key that begins with these bytes is in, as far as the prefixes can tell.
  func matchesEveryKey(startingWith beginning: Span<UInt8>) -> Bool {
    if matchesEveryKey { return true }
    for prefix in prefixes where Self.hasPrefix(beginning, prefix.span) { return true }
    return false
  }

  /// Whether a database is in.
  func matches(database: Int) -> Bool {
    databases?.contains(database) ?? true
  }

  /// Whether nothing is left out: all keys of all databases.
  var matchesEverything: Bool { matchesEveryKey && databases == nil }

  /// The pattern with which `SCAN … MATCH` finds the keys that are in, where one pattern can say
  /// it: exactly one rule. Otherwise `nil`: scan all and ask `matches(key:)`.
  var scanPattern: [UInt8]? {
    if prefixes.count == 1, globs.isEmpty { return Self.escaped(prefixes[0]) + [UInt8(ascii: "*")] }
    if globs.count == 1, prefixes.isEmpty { return globs[0].source }
    return nil
  }

  private static func hasPrefix(_ key: Span<UInt8>, _ prefix: Span<UInt8>) -> Bool {
    guard key.count >= prefix.count else { return false }
    for index in prefix.indices where key[index] != prefix[index] { return false }
    return true
  }

  /// The bytes with a backslash before each that a glob would not take literally.
  private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
    var escaped: [UInt8] = []
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\"):
        escaped.append(UInt8(ascii: "\\"))
      default: break
      }
      escaped.append(byte)
    }
    return escaped
  }
}
