// What the reply to a command inside a transaction has to say for the command to have done at one server
// what it did at another.

/// A demand on one element of EXEC's list.
public enum ReplyExpectation: Sendable, Equatable {
  /// Anything but an error.
  case any
  /// Not 0: the command had an effect.
  case effect
  /// Not nothing: the command's condition was met.
  case value
  /// A time to live: a number from 0 on; of a list, every one of them.
  case timeToLive
  /// Neither 0 nor -2, in a list all the same: every field was there, and its condition met.
  case fields

  /// Whether a number, or `nil` for the absence of a value, is what is demanded.
  func isMet(by number: Int64?) -> Bool {
    switch self {
    case .any: true
    case .effect: number != 0
    case .value: number != nil
    case .timeToLive: (number ?? -1) >= 0
    case .fields: number != nil && number != 0 && number != -2
    }
  }
}
