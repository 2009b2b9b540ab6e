// A value that comes as plain commands, some at a time: out of a snapshot, or asked from a server in pieces.

import RDBParser

/// Something that turns one value into commands.
protocol ValueCommands: ~Copyable {
  /// What is being done, for errors.
  var place: String { get }
  /// Makes the commands be for `key`; before the first of them.
  mutating func setCommandKey(_ key: [UInt8])
  /// The next commands; never `.needsInput`.
  mutating func nextCommands() throws(ReplayError) -> RDBCommandStep
  /// Lends the commands that the last `nextCommands` announced.
  func withCommands(_ body: (Span<UInt8>) -> Void)
  /// Bytes of the string that they write a part of; else 0.
  var commandStringLength: UInt64 { get }
  /// When the value expires, in milliseconds since 1970; behind its last commands.
  func expiryMilliseconds(of entry: RDBEntry) -> Int64?
  /// Whether nothing may be there of it in the middle, and all the same be right.
  func mayVanish(_ entry: RDBEntry) -> Bool
  /// Whether there turned out to be no such value, and its commands write nothing; behind the last of them.
  var isGone: Bool { get }
}

extension ValueCommands where Self: ~Copyable {
  func expiryMilliseconds(of entry: RDBEntry) -> Int64? { entry.expiryMilliseconds }
  var isGone: Bool { false }
  /// A hash goes with its last field.
  func mayVanish(_ entry: RDBEntry) -> Bool { entry.type.holdsFieldExpiries }
}
