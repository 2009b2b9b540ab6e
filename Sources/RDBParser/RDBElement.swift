// The element level: what a value is made of, one event per element. The bytes of an event stay in the
// reader and are lent by its `withElement...` methods.

/// The id of a stream entry.
public struct RDBStreamID: Comparable, Hashable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970, as a rule.
  public var milliseconds: UInt64
  /// Counts entries of the same millisecond.
  public var sequence: UInt64

  /// Makes an id.
  public init(milliseconds: UInt64, sequence: UInt64) {
    self.milliseconds = milliseconds
    self.sequence = sequence
  }

  /// The id servers use for "none".
  public static let zero = RDBStreamID(milliseconds: 0, sequence: 0)

  /// Orders ids as servers do.
  public static func < (left: RDBStreamID, right: RDBStreamID) -> Bool {
    (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
  }

  /// The form commands use: `1526919030474-55`.
  public var description: String { "\(milliseconds)-\(sequence)" }
}

/// What a stream says about itself behind its entries.
public struct RDBStreamInfo: Equatable, Sendable {
  /// Number of entries.
  public var length: UInt64 = 0
  /// The id given out last.
  public var lastID = RDBStreamID.zero
  /// The id of the first entry; nil in files before 7.0.
  public var firstID: RDBStreamID?
  /// The largest id ever deleted; nil in files before 7.0.
  public var maxDeletedID: RDBStreamID?
  /// Entries ever added; nil in files before 7.0.
  public var entriesAdded: UInt64?
}

/// A consumer group; its name is lent.
public struct RDBStreamGroup: Equatable, Sendable {
  /// The id delivered last.
  public var lastID = RDBStreamID.zero
  /// Entries ever read; nil where the server does not know and in files before 7.0.
  public var entriesRead: UInt64?
}

/// An entry delivered to a consumer and not acknowledged.
public struct RDBStreamPending: Equatable, Sendable {
  /// The entry's id.
  public var id = RDBStreamID.zero
  /// When it was delivered last, in milliseconds since 1970.
  public var deliveryMilliseconds: Int64 = 0
  /// How often it was delivered.
  public var deliveries: UInt64 = 0
}

/// A consumer of a group; its name is lent.
public struct RDBStreamConsumer: Equatable, Sendable {
  /// When it was last seen, in milliseconds since 1970.
  public var seenMilliseconds: Int64 = 0
  /// When it last got an entry; -1 for never, nil in files before 7.2.
  public var activeMilliseconds: Int64?
}

/// One step of reading a value's elements.
public enum RDBElement: Equatable, Sendable {
  /// More bytes are wanted.
  case needsInput
  /// A part of a string value of `length` bytes in all. Strings up to `inlineValueLimit` come as
  /// one part. `withElement` lends it.
  case string(length: UInt64, isLast: Bool)
  /// An item of a list, from head to tail.
  case listItem
  /// A member of a set.
  case setMember
  /// A member of a sorted set.
  case sortedSetMember(score: Double)
  /// A field of a hash: `withElement` lends its name, `withElementValue` its value.
  case hashField(expiryMilliseconds: Int64?)
  /// An entry of a stream. `withElementField` lends each of its `fieldCount` fields.
  case streamEntry(RDBStreamID, fieldCount: Int)
  /// What the stream says about itself; behind the entries. The reader's `streamInfo` has it.
  case streamInfo
  /// A consumer group. Its pending entries, then its consumers follow.
  case streamGroup(RDBStreamGroup)
  /// A pending entry of the group; whose it is comes with the consumers.
  case streamPending(RDBStreamPending)
  /// A consumer of the group. The ids it owns follow.
  case streamConsumer(RDBStreamConsumer)
  /// A pending entry of the group that belongs to the last consumer.
  case streamOwned(RDBStreamID)
  /// A pending entry of the group that was given back and belongs to no consumer.
  case streamReturned(RDBStreamID)
  /// The end of a consumer group.
  case streamGroupEnd
  /// An item of an array, numbers as text.
  case arrayItem(index: UInt64)
  /// A module's value, whose insides only the module can read.
  case module(RDBModuleID)
  /// The end of the value.
  case end
}
