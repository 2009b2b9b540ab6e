// Turns steps of the ValueWalker into elements. It walks no structure itself: the walker says what
// comes next and what it means, this keeps the parts of the element that is being put together.
// Packed values are in ElementDecoder+Packed.swift, streams in +Stream.swift, strings in +String.swift.

import Synchronization

/// Makes the struct that holds it, and the struct around that, live in memory for the compiler: a
/// borrow then passes an address. Without it each call of a non-mutating method copies the whole
/// struct to the stack first; measured on `RDBReader` that was a fifth of the time.
struct AddressOnly: ~Copyable {
  private let unused = Atomic<UInt8>(0)
}

/// The element level of one value, wherever its bytes come from.
struct ElementDecoder: ~Copyable {
  /// Where the bytes are that belong to the last element.
  enum Lent {
    /// In `text`.
    case text
    /// In the input.
    case input(Range<Int>)
    /// In `packed`.
    case unpacked(Range<Int>)
  }

  let steps: [GrammarStep]
  /// The longest string that is an element or a packed value.
  let lengthMax: Int
  /// The longest string value that is handed out as one part.
  let inlineLimit: Int
  var walker = ValueWalker()
  /// Absolute offset of the input's first byte, for errors. The input's user keeps it right.
  var base: UInt64 = 0

  /// Texts of the element being put together, one behind the other.
  var text = OwnedBytes()
  /// Where the first text ends.
  var firstEnd = 0
  /// Stream entries: where each text ends; names and values, or values only where names are shared.
  var fieldEnds: [Int] = []
  var namesAreShared = false
  var lent = Lent.text

  /// The present packed value, or the output of a compressed string.
  var packed = OwnedBytes()
  var packedWalker = PackedWalker()
  /// What the present packed value is; `none` when there is none.
  var packedKind = ElementKind.none
  /// Absolute offset of the present packed value, for errors.
  var packedPlace: UInt64 = 0
  var packedEntriesLeft = 0
  /// The names that entries of the present stream node share, and where each ends. They are kept
  /// once: copied for each entry, a long name would cost many times the node's size.
  var sharedNames = OwnedBytes()
  var sharedNameEnds: [Int] = []

  var stringState = StringState()
  var expiryBase: Int64 = 0
  var fieldExpiry: Int64?
  var container: UInt64 = 0
  var arrayIndex: UInt64 = 0
  var nodeID = RDBStreamID.zero
  var stream = RDBStreamInfo()
  var group = RDBStreamGroup()
  var pending = RDBStreamPending()
  var consumer = RDBStreamConsumer()
  private let addressOnly = AddressOnly()

  init(lengthMax: Int, inlineLimit: Int) {
    steps = Grammar.shared.steps
    self.lengthMax = lengthMax
    self.inlineLimit = inlineLimit
  }

  /// Puts the decoder before a value whose grammar begins at `start`.
  mutating func begin(_ start: Int) {
    walker.begin(start)
    packedKind = .none
    stringState = StringState()
    fieldExpiry = nil
    stream = RDBStreamInfo()
    group = RDBStreamGroup()
    consumer = RDBStreamConsumer()
    lent = .text
  }

  /// The next element of the input.
  mutating func next(_ scanner: inout ByteScanner) throws(RDBError) -> RDBElement {
    while true {
      if packedKind != .none {
        if let element = try nextPacked() { return element }
        packedKind = .none
      }
      if stringState.isActive { return try nextStringPart(&scanner) }
      if walker.payload > 0 && !walker.passPayload(&scanner) { return .needsInput }
      let upcoming = walker.upcoming(steps.span)
      if upcoming.form == .done { return .end }
      if upcoming.form == .string && upcoming.kind != .none {
        guard let element = try takeString(&scanner, upcoming.kind) else { continue }
        return element
      }
      if upcoming.form == .tagged { return try takeTagged(&scanner) }
      var walked = WalkedStep()
      let result = step(&scanner, &walked)
      if result == .short { return .needsInput }
      guard result == .done else {
        throw RDBError(result.code, offset: base + UInt64(scanner.position))
      }
      if walked.kind == .none { continue }
      if let element = try take(walked, scanner) { return element }
    }
  }

  mutating func step(_ scanner: inout ByteScanner, _ walked: inout WalkedStep) -> WalkResult {
    var walker = self.walker
    defer { self.walker = walker }
    return walker.step(&scanner, steps.span, &walked)
  }

  /// A string that is an element, a part of one, or a packed value. Nil when no element is complete.
  private mutating func takeString(
    _ scanner: inout ByteScanner, _ kind: ElementKind
  ) throws(RDBError) -> RDBElement? {
    if kind == .stringValue { return try beginString(&scanner) }
    let place = scanner.position
    let isPacked = kind.packedForm != nil || (kind == .listNode && container == 2)
    let isSecond = kind == .hashValue || kind == .hashValueBeforeExpiry
    let decoding: StringDecoding
    if isPacked {
      packed.removeAll()
      decoding = packed.appendString(scanner, at: place, limit: lengthMax)
    } else {
      if !isSecond { text.removeAll() }
      decoding = text.appendString(scanner, at: place, limit: lengthMax)
    }
    guard case .decoded(let end) = decoding else {
      if case .failed(let code, let place, let detail) = decoding {
        throw RDBError(code, offset: base + UInt64(place), detail: detail)
      }
      return .needsInput
    }
    walker.passString()
    scanner.position = end
    if isPacked {
      try openPacked(kind, at: place)
      return nil
    }
    lent = .text
    if !isSecond { firstEnd = text.count }
    return try completed(kind, place)
  }

  /// The element a string completes.
  private mutating func completed(
    _ kind: ElementKind, _ place: Int
  ) throws(RDBError) -> RDBElement? {
    switch kind {
    case .listItem: return .listItem
    case .setMember: return .setMember
    case .hashValue:
      defer { fieldExpiry = nil }
      return .hashField(expiryMilliseconds: fieldExpiry)
    case .listNode:
      guard container == 1 else {
        throw RDBError(
          .malformedValue, offset: base + UInt64(place),
          detail: "list node of container \(container)")
      }
      return .listItem
    case .streamNodeID:
      guard text.count == 16 else {
        throw RDBError(
          .malformedValue, offset: base + UInt64(place),
          detail: "stream node id of \(text.count) bytes")
      }
      nodeID = Self.streamID(text.scanner(from: 0), at: 0)
      return nil
    default:
      // The rest of the element is still to come: a score, a value, a group's numbers.
      return nil
    }
  }

  /// What a step other than a string means. Nil when it completes no element.
  private mutating func take(
    _ walked: WalkedStep, _ scanner: ByteScanner
  ) throws(RDBError) -> RDBElement? {
    switch walked.kind {
    case .score:
      return .sortedSetMember(score: try score(walked, scanner))
    case .fieldExpiryBase:
      expiryBase = Int64(littleEndian: scanner.load(walked.start, as: Int64.self))
    case .fieldExpiry:
      fieldExpiry = walked.number == 0 ? nil : Int64(clamping: walked.number)
    case .fieldExpiryRelative:
      // One more than the distance from the base. Sums past the end of time stay at its end.
      let distance = Int64(clamping: walked.number == 0 ? 0 : walked.number - 1)
      let (sum, overflow) = expiryBase.addingReportingOverflow(distance)
      fieldExpiry = walked.number == 0 ? nil : overflow ? .max : sum
    case .fieldExpirySigned:
      let expiry = Int64(littleEndian: scanner.load(walked.start, as: Int64.self))
      return .hashField(expiryMilliseconds: expiry == -1 ? nil : expiry)
    case .nodeContainer:
      container = walked.number
    case .arrayIndex:
      arrayIndex = walked.number
    case .moduleID:
      return .module(RDBModuleID(rawValue: walked.number))
    case .moduleData:
      return nil
    default:
      return takeStream(walked, scanner)
    }
    return nil
  }

  private func score(_ walked: WalkedStep, _ scanner: ByteScanner) throws(RDBError) -> Double {
    if walked.form == .fixed {
      let bits = UInt64(littleEndian: scanner.load(walked.start, as: UInt64.self))
      let score = Double(bitPattern: bits)
      if !score.isNaN { return score }
    } else {
      switch walked.number {
      case 253: break
      case 254: return .infinity
      case 255: return -.infinity
      default:
        let length = Int(walked.number)
        if let score = scanner.span(walked.start + 1, length, { RDBScore.parse($0) }) {
          return score
        }
      }
    }
    throw RDBError(
      .malformedNumber, offset: base + UInt64(walked.start), detail: "a score is not a number")
  }

  /// Says that the input's bytes have moved towards the start.
  mutating func inputMoved(by distance: Int) {
    if case .input(let range) = lent {
      lent = .input((range.lowerBound - distance)..<(range.upperBound - distance))
    }
  }

  /// Lends the first or only text of the last element; `input` is what it was decoded from.
  func withElement<R: ~Copyable, E: Error>(
    _ input: borrowing OwnedBytes, _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    switch lent {
    case .text: try text.span(0..<firstEnd, body)
    case .input(let range): try input.span(range, body)
    case .unpacked(let range): try packed.span(range, body)
    }
  }

  /// Lends the second text of the last element.
  func withSecond<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try text.span(firstEnd..<text.count, body)
  }

  /// Lends name and value of one field of the last stream entry.
  func withField<R: ~Copyable, E: Error>(
    _ index: Int, _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    if namesAreShared {
      let name = (index == 0 ? 0 : sharedNameEnds[index - 1])..<sharedNameEnds[index]
      let value = (index == 0 ? 0 : fieldEnds[index - 1])..<fieldEnds[index]
      return try sharedNames.span(name) { name throws(E) -> R in
        try text.span(value) { value throws(E) -> R in try body(name, value) }
      }
    }
    let start = index == 0 ? 0 : fieldEnds[2 * index - 1]
    let middle = fieldEnds[2 * index]
    return try text.span(start..<fieldEnds[2 * index + 1]) { both throws(E) -> R in
      try body(
        both.extracting(first: middle - start), both.extracting(droppingFirst: middle - start))
    }
  }

  /// Sixteen bytes of id, both halves big-endian.
  static func streamID(_ bytes: ByteScanner, at place: Int) -> RDBStreamID {
    RDBStreamID(
      milliseconds: UInt64(bigEndian: bytes.load(place, as: UInt64.self)),
      sequence: UInt64(bigEndian: bytes.load(place + 8, as: UInt64.self)))
  }
}

extension WalkResult {
  /// The error a walk that failed stands for.
  var code: RDBError.Code {
    switch self {
    case .badEncoding: .malformedString
    case .badCompression: .malformedCompression
    case .badModuleData: .malformedModuleData
    case .badTag: .malformedValue
    case .done, .short, .badLength: .malformedLength
    }
  }
}

extension ElementKind {
  /// How a string of this kind is packed; nil for plain strings.
  var packedForm: PackedForm? {
    switch self {
    case .listZiplist, .sortedSetZiplist, .hashZiplist: .ziplist
    case .hashListpack, .sortedSetListpack, .setListpack, .hashListpackTTL, .streamNode: .listpack
    case .setIntset: .intset
    case .hashZipmap: .zipmap
    default: nil
    }
  }
}
