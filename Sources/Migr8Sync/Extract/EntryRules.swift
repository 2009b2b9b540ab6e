// EntryRules: which entries of a file a run is about. What the filter of sync decides by key and db, and
// what only a file can be asked: type, size, and whether an entry expires.

import RDBParser

/// The rules for entries.
struct EntryRules: Sendable {
  /// What `--ttl` lets in.
  enum Expiring: String, Sendable, CaseIterable {
    /// Entries that expire at some time.
    case any
    /// Entries that do not.
    case none
  }

  /// What becomes of entries that have expired.
  enum Expired: String, Sendable, CaseIterable {
    case keep
    case drop
    /// Only they are in.
    case only
  }

  var filter = KeyFilter()
  var expiring: Expiring?
  var expired = Expired.keep
  /// Bytes of key and value as they are in the file.
  var bytesMin: UInt64 = 0
  var bytesMax: UInt64 = .max
  /// The time at which an entry has expired or not, in milliseconds since 1970.
  var now: Int64 = 0

  /// Whether every entry is in.
  var letEverythingIn: Bool {
    filter.matchesEverything && expiring == nil && expired == .keep && !asksForSize
  }

  /// Whether the size of an entry matters.
  var asksForSize: Bool { bytesMin > 0 || bytesMax < .max }

  /// How large values must be before they come in pieces, so that one that does is above both limits.
  var inlineValueBytes: Int {
    let limits = [bytesMin, bytesMax == .max ? 0 : bytesMax].map { Int(clamping: $0) }
    return max(RDBReaderOptions().inlineValueLimit, limits[0], limits[1])
  }

  /// Whether an entry is in, as far as can be told without its value.
  @inline(__always)
  func matches(_ entry: RDBEntry, key: Span<UInt8>) -> Bool {
    guard filter.matches(database: entry.database), filter.matches(key: key) else { return false }
    if !filter.matches(type: entry.type.kind) { return false }
    if let expiring, (expiring == .any) != (entry.expiryMilliseconds != nil) { return false }
    if expired == .keep { return true }
    let hasExpired = (entry.expiryMilliseconds ?? .max) <= now
    return hasExpired == (expired == .only)
  }

  /// Whether a size is in.
  ///
  /// - Parameter bytes: nil when the value came in pieces: it is above both limits then.
  func matches(bytes: UInt64?) -> Bool {
    guard let bytes else { return bytesMax == .max }
    return bytes >= bytesMin && bytes <= bytesMax
  }

}
