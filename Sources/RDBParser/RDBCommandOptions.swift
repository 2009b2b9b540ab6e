// What commands a value may be turned into: sizes, and what the destination understands.

/// What a destination's version can be told in commands. Source: the servers' command tables.
public struct RDBCommandFeatures: Equatable, Sendable {
  /// HSET takes several fields (4.0); else HMSET is used.
  public var multiFieldHSET = true
  /// XGROUP CREATECONSUMER (6.2).
  public var createConsumer = true
  /// XSETID and XGROUP CREATE take a stream's counters (7.0).
  public var streamCounters = true
  /// HPEXPIREAT (Redis 7.4, Valkey 9.0).
  public var fieldExpiry = true

  /// Everything is understood.
  public init() {}

  /// What a Redis of this version understands.
  public static func redis(major: Int, minor: Int) -> RDBCommandFeatures {
    var features = RDBCommandFeatures()
    features.multiFieldHSET = major >= 4
    features.createConsumer = (major, minor) >= (6, 2)
    features.streamCounters = major >= 7
    features.fieldExpiry = (major, minor) >= (7, 4)
    return features
  }

  /// What a Valkey of this version understands.
  public static func valkey(major: Int, minor: Int) -> RDBCommandFeatures {
    var features = RDBCommandFeatures()
    features.fieldExpiry = major >= 9
    return features
  }
}

/// How values are turned into commands.
public struct RDBCommandOptions: Sendable {
  /// What the destination understands.
  public var features = RDBCommandFeatures()
  /// A command is ended when its arguments reach this size. One element or string part is never
  /// split, so a command can be larger by one of those.
  public var commandBytesMax = 64 << 10
  /// A command is ended at this many elements.
  public var commandElementsMax = 512
  /// A stream of up to this many bytes as stored is held whole before its commands are made; only then
  /// what is pending there and has been deleted can be kept.
  public var streamBytesHeldMax = 4 << 20
  /// Pending entries of one consumer group, which must be held in memory: 32 bytes each.
  public var pendingEntriesMax = 16 << 20
  /// Whether the first command deletes the key.
  public var deletesFirst = false
  /// Whether the last command sets the key's expiry, if it has one.
  public var appliesExpiry = true

  /// The defaults.
  public init() {}
}

/// What could not be said in commands the destination understands. Nothing of it is silent: a caller
/// decides whether a loss is acceptable.
public struct RDBCommandReport: Equatable, Sendable {
  /// Commands made for the value.
  public var commands = 0
  /// Fields that keep their value and lose their expiry.
  public var droppedFieldExpiries = 0
  /// Consumers that own no pending entry and were not created.
  public var droppedConsumers = 0
  /// Pending entries without owner that were not recreated.
  public var droppedReturned = 0

  /// Nothing was made and nothing dropped.
  public init() {}

  /// Whether the commands say all there is.
  public var isComplete: Bool {
    droppedFieldExpiries == 0 && droppedConsumers == 0 && droppedReturned == 0
  }
}

/// One step of turning a value into commands.
public enum RDBCommandStep: Equatable, Sendable {
  /// More bytes are wanted.
  case needsInput
  /// Commands are ready: `withCommands` lends them.
  case commands(count: Int)
  /// The value is complete; all its commands have been handed out.
  case end(RDBCommandReport)
}
