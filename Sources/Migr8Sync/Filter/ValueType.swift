// ValueType: the types of values by the names that the servers' TYPE command has for them.

/// A type of value that `--type` can name.
enum ValueType: String, Sendable, CaseIterable {
  case string
  case list
  case set
  case sortedSet = "zset"
  case hash
  case stream
  case module
  /// Redis 8.8 and newer.
  case array
}
