// Value type numbers and the two families of files, which give some numbers different meanings.

/// Who wrote the file, as its magic tells: the two families gave some numbers different meanings.
public enum RDBFamily: UInt8, Sendable {
  /// Magic `REDIS`: every Redis, and Valkey before 9.0.
  case redis
  /// Magic `VALKEY`: Valkey 9.0 and newer.
  case valkey
}

/// What a value is to a client, however it is stored. The raw values are the names that the servers' `TYPE`
/// command has for them.
public enum RDBValueKind: String, Sendable, CaseIterable {
  /// A string.
  case string
  /// A list.
  case list
  /// A set.
  case set
  /// A sorted set.
  case sortedSet = "zset"
  /// A hash.
  case hash
  /// A stream.
  case stream
  /// A module's value.
  case module
  /// An array, Redis 8.8.
  case array
  /// Of a number without a name.
  case unknown

  /// The type number of large values of this kind, for a value that is known by its kind alone; of a
  /// module where there is none.
  public var typeWhenLarge: RDBType {
    switch self {
    case .string: .string
    case .list: .quicklist2
    case .set: .set
    case .sortedSet: .sortedSet2
    case .hash: .hash
    case .stream: .stream3
    case .array: .array
    case .module, .unknown: .module
    }
  }
}

/// The type number in front of a value, with the family where that decides what the number means.
/// Numbers and layouts: rdb-format.md §4.
public struct RDBType: Hashable, Sendable, CustomStringConvertible {
  /// The byte in the file.
  public let rawValue: UInt8
  /// The family that defines the number. `.redis` for all numbers both families share.
  public let family: RDBFamily

  /// The first number the families define differently.
  static let firstOwnNumber: UInt8 = 22

  /// Makes the type that `rawValue` stands for in a file of `family`.
  public init(rawValue: UInt8, family: RDBFamily = .redis) {
    self.rawValue = rawValue
    self.family = rawValue < Self.firstOwnNumber ? .redis : family
  }

  /// A string.
  public static let string = RDBType(rawValue: 0)
  /// A list, one string per element.
  public static let list = RDBType(rawValue: 1)
  /// A set, one string per member.
  public static let set = RDBType(rawValue: 2)
  /// A sorted set with scores as text.
  public static let sortedSet = RDBType(rawValue: 3)
  /// A hash, two strings per field.
  public static let hash = RDBType(rawValue: 4)
  /// A sorted set with binary scores.
  public static let sortedSet2 = RDBType(rawValue: 5)
  /// A module's value of the 4.0 release candidates; its end cannot be found.
  public static let modulePreRelease = RDBType(rawValue: 6)
  /// A module's value.
  public static let module = RDBType(rawValue: 7)
  /// A hash as a zipmap.
  public static let hashZipmap = RDBType(rawValue: 9)
  /// A list as one ziplist.
  public static let listZiplist = RDBType(rawValue: 10)
  /// A set as an intset.
  public static let setIntset = RDBType(rawValue: 11)
  /// A sorted set as a ziplist.
  public static let sortedSetZiplist = RDBType(rawValue: 12)
  /// A hash as a ziplist.
  public static let hashZiplist = RDBType(rawValue: 13)
  /// A list as a chain of ziplists.
  public static let quicklist = RDBType(rawValue: 14)
  /// A stream, Redis 5.0 to 6.2.
  public static let stream = RDBType(rawValue: 15)
  /// A hash as a listpack.
  public static let hashListpack = RDBType(rawValue: 16)
  /// A sorted set as a listpack.
  public static let sortedSetListpack = RDBType(rawValue: 17)
  /// A list as a chain of listpacks and plain nodes.
  public static let quicklist2 = RDBType(rawValue: 18)
  /// A stream with first id, largest deleted id and counters, 7.0.
  public static let stream2 = RDBType(rawValue: 19)
  /// A set as a listpack.
  public static let setListpack = RDBType(rawValue: 20)
  /// A stream whose consumers have an active time, 7.2.
  public static let stream3 = RDBType(rawValue: 21)
  /// A hash with field expiries, as the 7.4 release candidates wrote it.
  public static let hashTTLPreRelease = RDBType(rawValue: 22)
  /// A hash with field expiries as a listpack, as the 7.4 release candidates wrote it.
  public static let hashListpackTTLPreRelease = RDBType(rawValue: 23)
  /// A hash with field expiries, Redis 7.4.
  public static let hashTTL = RDBType(rawValue: 24)
  /// A hash with field expiries as a listpack, Redis 7.4.
  public static let hashListpackTTL = RDBType(rawValue: 25)
  /// A stream with duplicate detection, Redis 8.6.
  public static let stream4 = RDBType(rawValue: 26)
  /// A stream with ids given back by consumers, Redis 8.8.
  public static let stream5 = RDBType(rawValue: 27)
  /// An array, Redis 8.8.
  public static let array = RDBType(rawValue: 28)
  /// A hash with field expiries, Valkey 9.0. Shares its number with `hashTTLPreRelease`.
  public static let valkeyHash2 = RDBType(rawValue: 22, family: .valkey)

  /// What such a value is to a client.
  public var kind: RDBValueKind {
    switch self {
    case .string: .string
    case .list, .listZiplist, .quicklist, .quicklist2: .list
    case .set, .setIntset, .setListpack: .set
    case .sortedSet, .sortedSet2, .sortedSetZiplist, .sortedSetListpack: .sortedSet
    case .hash, .hashZipmap, .hashZiplist, .hashListpack, .hashTTLPreRelease,
      .hashListpackTTLPreRelease, .hashTTL, .hashListpackTTL, .valkeyHash2:
      .hash
    case .stream, .stream2, .stream3, .stream4, .stream5: .stream
    case .modulePreRelease, .module: .module
    case .array: .array
    default: .unknown
    }
  }

  /// The name the server's `TYPE` command has for such a value; "unknown" for a number without a name.
  public var logicalName: String { kind.rawValue }

  var isStream: Bool {
    switch self {
    case .stream, .stream2, .stream3, .stream4, .stream5: true
    default: false
    }
  }

  /// Number and name, such as `16 (hash, listpack)`.
  public var description: String {
    let encoding: String? =
      switch self {
      case .hashZipmap: "zipmap"
      case .listZiplist, .sortedSetZiplist, .hashZiplist: "ziplist"
      case .setIntset: "intset"
      case .quicklist: "quicklist of ziplists"
      case .quicklist2: "quicklist of listpacks"
      case .hashListpack, .sortedSetListpack, .setListpack: "listpack"
      case .hashTTL, .valkeyHash2: "field expiries"
      case .hashListpackTTL: "listpack with field expiries"
      case .hashTTLPreRelease, .hashListpackTTLPreRelease: "field expiries of 7.4-rc"
      case .modulePreRelease: "4.0-rc"
      case .sortedSet2, .stream2: "second form"
      case .stream3: "third form"
      case .stream4: "fourth form"
      case .stream5: "fifth form"
      default: nil
      }
    let name = encoding.map { "\(logicalName), \($0)" } ?? logicalName
    return family == .valkey ? "\(rawValue) of Valkey (\(name))" : "\(rawValue) (\(name))"
  }
}
