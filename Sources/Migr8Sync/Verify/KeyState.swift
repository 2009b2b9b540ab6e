// What a key is at one end, and whether that is the same as at the other: decided here alone, without I/O.

import RDBParser
import ReplicaLink

/// One key of one server, as far as clients can tell.
struct KeyState: Sendable, Equatable {
  /// What its value means; nil when there is no such key.
  var meaning: RDBMeaning?
  /// When it expires, in milliseconds since 1970; nil when it does not.
  var expiryMilliseconds: Int64?

  /// No such key.
  static let missing = KeyState(meaning: nil, expiryMilliseconds: nil)
}

/// What is different about a key.
enum DifferenceCause: String, Sendable, CaseIterable {
  /// The destination does not have it.
  case missing
  /// The source does not have it.
  case extra
  /// The two are of different types.
  case type
  /// The two have different values.
  case value
  /// The two expire at different times, or one of them never does.
  case ttl
  /// Fields of the two hashes do.
  case fieldTTL = "field-ttl"
}

/// What a comparison of a key came to.
enum KeyComparison: Sendable, Equatable {
  case same
  case different(DifferenceCause)
  /// One end has it no longer, and at the other it is about to expire: a moment later it will be gone
  /// there, too.
  case expiring
}

/// By which rules two keys are the same.
struct ComparisonRules: Sendable {
  /// How far the clocks of two servers may be apart, in milliseconds: what expires so soon may be gone at
  /// the other end.
  static let clockMilliseconds: Int64 = 1_000

  /// How far the times at which a key expires may lie apart, in milliseconds.
  var toleranceMilliseconds: Int64 = 1_000

  /// Compares what the two ends say.
  ///
  /// - Parameter now: the present time of day, in milliseconds since 1970.
  func compare(
    _ source: KeyState, _ destination: KeyState, now: Int64
  ) -> KeyComparison {
    guard let mine = source.meaning else {
      if destination.meaning == nil { return .same }
      return isExpiring(destination.expiryMilliseconds, now) ? .expiring : .different(.extra)
    }
    guard let other = destination.meaning else {
      return isExpiring(source.expiryMilliseconds, now) ? .expiring : .different(.missing)
    }
    if mine.type != other.type { return .different(.type) }
    if !mine.isSame(as: other, fieldExpiries: false) { return .different(.value) }
    if !isSame(source.expiryMilliseconds, destination.expiryMilliseconds) {
      return .different(.ttl)
    }
    return mine.fieldExpiries == other.fieldExpiries ? .same : .different(.fieldTTL)
  }

  /// Whether two times are the same.
  func isSame(_ source: Int64?, _ destination: Int64?) -> Bool {
    guard let source, let destination else { return source == nil && destination == nil }
    let (distance, overflows) = source.subtractingReportingOverflow(destination)
    return !overflows && distance.magnitude <= UInt64(max(0, toleranceMilliseconds))
  }

  /// Whether what expires then may be gone elsewhere.
  func isExpiring(_ expiryMilliseconds: Int64?, _ now: Int64) -> Bool {
    guard let expiry = expiryMilliseconds else { return false }
    return expiry <= now &+ max(Self.clockMilliseconds, toleranceMilliseconds)
  }
}
