// What each value type is made of, as one table (Grammar+Table.swift), compiled into one flat list of
// steps that the ValueWalker runs. A new type is a new row; there is no second walker to change.

/// What a step of a value means. The walker only measures; readers of elements act on it.
enum ElementKind: UInt8, Sendable {
  /// Of no interest to readers of elements.
  case none
  case stringValue
  case listItem
  case setMember
  case sortedSetMember
  case score
  case hashField
  case hashValue
  /// As `hashValue`, but the field's expiry is still to come.
  case hashValueBeforeExpiry
  /// Absolute milliseconds, 0 for none.
  case fieldExpiry
  /// One more than milliseconds behind the base, 0 for none.
  case fieldExpiryRelative
  /// Absolute milliseconds, -1 for none.
  case fieldExpirySigned
  case fieldExpiryBase
  /// How the list node that follows is packed.
  case nodeContainer
  case listNode
  // Packed values.
  case listZiplist
  case hashZipmap
  case setIntset
  case sortedSetZiplist
  case hashZiplist
  case hashListpack
  case sortedSetListpack
  case setListpack
  case hashListpackTTL
  // Streams.
  case streamNodeID
  case streamNode
  case streamLength
  case streamLastMilliseconds
  case streamLastSequence
  case streamFirstMilliseconds
  case streamFirstSequence
  case streamDeletedMilliseconds
  case streamDeletedSequence
  case streamEntriesAdded
  case streamInfo
  case groupName
  case groupLastMilliseconds
  case groupLastSequence
  case groupEntriesRead
  case groupInfo
  case pendingID
  case pendingTime
  case pendingDeliveries
  case consumerName
  case consumerSeenTime
  case consumerActiveTime
  case consumerInfo
  case consumerPendingID
  case returnedID
  case groupEnd
  // Arrays.
  case arrayIndex
  case arrayItem
  // Modules.
  case moduleID
  case moduleData
}

/// How a step reads its bytes.
enum StepForm: UInt8, Sendable {
  /// An RDB string.
  case string
  /// A length field.
  case length
  /// `argument` bytes as they are.
  case fixed
  /// One byte of text length, or 253 to 255 for NaN and the infinities, then the text.
  case textScore
  /// A length field that becomes the count of the next loop.
  case count
  /// Begins a loop: with no rounds left, goes to `argument`.
  case loop
  /// Ends a round: with rounds left, goes to `argument`.
  case again
  /// One opcode of module data with its operand; repeats itself until opcode 0.
  case moduleData
  /// A flag as length field and, where it is not 0, a string.
  case optionalString
  /// A flag as length field and, where it is not 0, another length.
  case optionalLength
  /// A tag as length field, then what it says: 0 and 3 a string, 1 an integer and 2 a double, both of
  /// eight bytes.
  case tagged
  /// Reads nothing; marks a place for readers of elements.
  case mark
  /// The value ends here.
  case done
}

/// One step of the compiled table.
struct GrammarStep: Sendable {
  var form: StepForm
  var kind: ElementKind
  var argument: UInt16
}

/// One part of a table row. Nesting is as deep as the row is written, at most `depthMax` loops.
indirect enum Shape: Sendable {
  case string(ElementKind)
  case length(ElementKind)
  case fixed(Int, ElementKind)
  case textScore
  /// A count, once the shapes in `between`, then as often as counted the shapes in `body`.
  case counted(between: [Shape], body: [Shape])
  case moduleData
  case optionalString
  case optionalLength
  case tagged(ElementKind)
  case mark(ElementKind)

  /// A count and as often as counted the shapes of `body`.
  static func repeated(_ body: [Shape]) -> Shape { .counted(between: [], body: body) }
}

/// The compiled table and where each type and opcode begins in it.
struct Grammar: Sendable {
  /// The deepest nesting of loops in the table: stream, group, consumer's pending ids.
  static let depthMax = 3

  private(set) var steps: [GrammarStep] = []
  /// First step by type number; 0 (a `done`) for numbers without a row.
  private(set) var redisStarts: [UInt16] = .init(repeating: 0, count: 256)
  private(set) var valkeyStarts: [UInt16] = .init(repeating: 0, count: 256)
  private(set) var moduleAuxiliaryStart = 0
  private(set) var keyMetadataStart = 0
  private(set) var slotImportStart = 0
  private(set) var functionPreReleaseStart = 0

  static let shared = Grammar()

  private init() {
    emit(.done, .none)
    for (type, shapes) in Self.table {
      let start = UInt16(compile(shapes))
      if type.family == .redis { redisStarts[Int(type.rawValue)] = start }
      // Numbers below 22 are shared; from there on each family has its own.
      if type.family == .valkey || type.rawValue < RDBType.firstOwnNumber {
        valkeyStarts[Int(type.rawValue)] = start
      }
    }
    moduleAuxiliaryStart = compile([.moduleData])
    keyMetadataStart = compile([.repeated([.fixed(4, .none), .moduleData])])
    slotImportStart = compile([
      .string(.none), .repeated([.length(.none), .length(.none)]),
    ])
    functionPreReleaseStart = compile([
      .string(.none), .string(.none), .optionalString, .string(.none),
    ])
  }

  func starts(for family: RDBFamily) -> [UInt16] {
    family == .redis ? redisStarts : valkeyStarts
  }

  private mutating func emit(_ form: StepForm, _ kind: ElementKind, _ argument: Int = 0) {
    steps.append(GrammarStep(form: form, kind: kind, argument: UInt16(argument)))
  }

  private mutating func compile(_ shapes: [Shape]) -> Int {
    let start = steps.count
    append(shapes)
    emit(.done, .none)
    return start
  }

  private mutating func append(_ shapes: [Shape]) {
    for shape in shapes {
      switch shape {
      case .string(let kind): emit(.string, kind)
      case .length(let kind): emit(.length, kind)
      case .fixed(let size, let kind): emit(.fixed, kind, size)
      case .textScore: emit(.textScore, .score)
      case .moduleData: emit(.moduleData, .moduleData)
      case .optionalString: emit(.optionalString, .none)
      case .optionalLength: emit(.optionalLength, .none)
      case .tagged(let kind): emit(.tagged, kind)
      case .mark(let kind): emit(.mark, kind)
      case .counted(let between, let body):
        emit(.count, .none)
        append(between)
        let loop = steps.count
        emit(.loop, .none)
        append(body)
        emit(.again, .none, loop + 1)
        steps[loop].argument = UInt16(steps.count)
      }
    }
  }
}
