// The third level: a whole value as plain Swift data, for small things, tools and tests.

/// A member of a sorted set.
public struct RDBScoredMember: Equatable, Sendable {
  /// The member's bytes.
  public var member: [UInt8]
  /// Its score.
  public var score: Double

  /// Makes a member.
  public init(member: [UInt8], score: Double) {
    self.member = member
    self.score = score
  }
}

/// A field of a hash.
public struct RDBHashField: Equatable, Sendable {
  /// The field's name.
  public var name: [UInt8]
  /// Its value.
  public var value: [UInt8]
  /// When it expires, in milliseconds since 1970; nil when it does not.
  public var expiryMilliseconds: Int64?

  /// Makes a field.
  public init(name: [UInt8], value: [UInt8], expiryMilliseconds: Int64? = nil) {
    self.name = name
    self.value = value
    self.expiryMilliseconds = expiryMilliseconds
  }
}

/// An item of an array.
public struct RDBArrayItem: Equatable, Sendable {
  /// Its place in the array.
  public var index: UInt64
  /// Its text.
  public var text: [UInt8]

  /// Makes an item.
  public init(index: UInt64, text: [UInt8]) {
    self.index = index
    self.text = text
  }
}

/// A stream with everything the file says about it.
public struct RDBStream: Equatable, Sendable {
  /// An entry.
  public struct Entry: Equatable, Sendable {
    /// Its id.
    public var id: RDBStreamID
    /// Names and values, alternating, as `XRANGE` tells them.
    public var fields: [[UInt8]]
  }

  /// A consumer.
  public struct Consumer: Equatable, Sendable {
    /// Its name.
    public var name: [UInt8]
    /// Its times.
    public var info: RDBStreamConsumer
    /// The pending entries it owns.
    public var pending: [RDBStreamID]
  }

  /// A consumer group.
  public struct Group: Equatable, Sendable {
    /// Its name.
    public var name: [UInt8]
    /// Its position.
    public var info: RDBStreamGroup
    /// All its pending entries, by id.
    public var pending: [RDBStreamPending] = []
    /// Its consumers, in the file's order.
    public var consumers: [Consumer] = []
    /// Pending entries that were given back.
    public var returned: [RDBStreamID] = []
  }

  /// Its entries, without deleted ones.
  public var entries: [Entry] = []
  /// What it says about itself.
  public var info = RDBStreamInfo()
  /// Its consumer groups.
  public var groups: [Group] = []
}

/// A whole value.
public enum RDBValue: Equatable, Sendable {
  /// A string's bytes.
  case string([UInt8])
  /// Items from head to tail.
  case list([[UInt8]])
  /// Members in the file's order.
  case set([[UInt8]])
  /// Members in the file's order.
  case sortedSet([RDBScoredMember])
  /// Fields in the file's order.
  case hash([RDBHashField])
  /// A stream.
  case stream(RDBStream)
  /// Items of an array with their indexes, numbers as text.
  case array([RDBArrayItem])
  /// A module's value, of which only the module's name is known.
  case module(RDBModuleID)
}

/// Puts a whole value together from its elements.
struct RDBValueGatherer {
  private(set) var size = 0
  private var bytes: [UInt8] = []
  private var items: [[UInt8]] = []
  private var members: [RDBScoredMember] = []
  private var fields: [RDBHashField] = []
  private var stream = RDBStream()
  private var array: [RDBArrayItem] = []
  private var module: RDBModuleID?

  mutating func add(
    _ element: RDBElement, from decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) {
    let first = Self.hasText(element) ? decoder.withElement(input) { copy($0) } : []
    size += first.count
    switch element {
    case .needsInput, .end: break
    case .string: bytes += first
    case .listItem, .setMember: items.append(first)
    case .sortedSetMember(let score): members.append(.init(member: first, score: score))
    case .hashField(let expiry):
      let value = decoder.withSecond { copy($0) }
      size += value.count
      fields.append(.init(name: first, value: value, expiryMilliseconds: expiry))
    case .module(let id): module = id
    case .arrayItem(let index): array.append(.init(index: index, text: first))
    case .streamEntry(let id, let count):
      var entry = RDBStream.Entry(id: id, fields: [])
      for index in 0..<count {
        decoder.withField(index) { name, value in entry.fields += [copy(name), copy(value)] }
      }
      size += entry.fields.reduce(16) { $0 + $1.count }
      stream.entries.append(entry)
    case .streamInfo: stream.info = decoder.stream
    default:
      addGroup(element, first)
    }
  }

  private mutating func addGroup(_ element: RDBElement, _ name: [UInt8]) {
    size += 32
    if case .streamGroup(let info) = element {
      stream.groups.append(.init(name: name, info: info))
    }
    guard let group = stream.groups.indices.last else { return }
    switch element {
    case .streamPending(let pending): stream.groups[group].pending.append(pending)
    case .streamReturned(let id): stream.groups[group].returned.append(id)
    case .streamConsumer(let info):
      stream.groups[group].consumers.append(.init(name: name, info: info, pending: []))
    case .streamOwned(let id):
      let consumers = stream.groups[group].consumers.indices
      if let last = consumers.last { stream.groups[group].consumers[last].pending.append(id) }
    default: break
    }
  }

  private static func hasText(_ element: RDBElement) -> Bool {
    switch element {
    case .string, .listItem, .setMember, .sortedSetMember, .hashField, .arrayItem, .streamGroup,
      .streamConsumer:
      true
    default: false
    }
  }

  private func copy(_ span: Span<UInt8>) -> [UInt8] {
    span.withUnsafeBufferPointer { buffer in [UInt8](buffer) }
  }

  /// The value the elements of a `type` have made.
  func value(of type: RDBType) -> RDBValue {
    if let module { return .module(module) }
    return switch type.kind {
    case .list: .list(items)
    case .set: .set(items)
    case .sortedSet: .sortedSet(members)
    case .hash: .hash(fields)
    case .stream: .stream(stream)
    case .array: .array(array)
    case .string, .module, .unknown: .string(bytes)
    }
  }
}
