// The pull reader for RDB files: give it bytes, ask it for events. This file holds its state and the
// loop; RDBReader+Input.swift takes bytes in, +Records.swift reads what stands between values,
// +Value.swift delimits values, +Elements.swift takes them apart, +Access.swift lends bytes out.
//
//     window:  ..... retained ====== consumed ------------ count
//              gone  lent to the     read     not yet read
//                    caller
//
// Short input is a status and never an error; damage is thrown once and then on every later call.
// Memory: the window holds the input not yet read plus at most one inline value, key or auxiliary
// string; it grows with bytes received, never with lengths declared.

/// Reads an RDB file from bytes that arrive in any portions.
///
///     var reader = RDBReader()
///     reader.append(bytes.span)
///     reader.finishInput()
///     while true {
///       switch try reader.next() {
///       case .entry(let entry): print(entry.type, reader.withKey { $0.count })
///       case .end: return
///       default: continue
///       }
///     }
public struct RDBReader: ~Copyable {
  /// What the reader is in the middle of.
  enum Phase: UInt8 {
    case header
    /// Between records.
    case record
    /// In the payload of an opcode that is passed over.
    case opcodePayload
    /// In a value of which nothing, or not enough, has been handed out.
    case value
    /// In a value that is handed out in chunks.
    case chunks
    /// In a value that is handed out element by element.
    case elements
    /// Behind a value that has been handed out.
    case valueRead
    case trailer
    case ended
  }

  let options: RDBReaderOptions
  let steps: [GrammarStep]
  var starts: [UInt16] = []

  var window = OwnedBytes()
  /// Absolute offset of the window's first byte.
  var windowOffset: UInt64 = 0
  /// Everything before this window position has been read.
  var consumed = 0
  /// Everything before this window position may be dropped.
  var retained = 0
  /// Everything before this window position is in `checksum`.
  var summed = 0
  var checksum: UInt64 = 0
  var isFinished = false

  var phase = Phase.header
  var failure: RDBError?
  var walker = ValueWalker()
  var decoder: ElementDecoder
  /// What `readWholeValue` has gathered so far.
  var gathered = RDBValueGatherer()
  /// What `readMeaning` has digested so far.
  var meaning = RDBMeaningGatherer()
  /// How `nextCommands` turns values into commands; read when a value is begun.
  public var commandOptions = RDBCommandOptions()
  var commands = CommandBuilder()
  var isCommandKeySet = false
  var commandsAreComplete = false
  /// Whether this reader stands on one bare value instead of a file.
  var isBareValue = false
  /// Where the present value's grammar begins.
  var valueStart = 0
  var header = RDBHeader(family: .redis, version: 0)
  var trailer: RDBTrailer?
  var entry = RDBEntry(type: .string)
  var opcode = RDBOpcode.end
  /// What prefix opcodes have said about the next key.
  var pending = RDBEntry(type: .string)
  /// The part of the window `withValue` lends.
  var lentValue = 0..<0

  var key = OwnedBytes()
  /// The name in front, the value behind it.
  var auxiliary = OwnedBytes()
  var auxiliaryNameLength = 0

  /// Makes a reader that waits for the first byte of a file.
  public init(options: RDBReaderOptions = .init()) {
    self.options = options
    decoder = ElementDecoder(
      lengthMax: options.elementLengthMax, inlineLimit: options.inlineValueLimit)
    steps = Grammar.shared.steps
  }

  /// Makes a reader that stands before a bare value, such as the one in a DUMP payload, as if
  /// `.entry` had just been returned. Offsets count from the value's first byte; behind the value
  /// `next` returns `.end`.
  ///
  /// - Throws: `RDBError` for a type that cannot be read.
  public init(
    valueOf type: RDBType, key: Span<UInt8>, expiryMilliseconds: Int64? = nil,
    options: RDBReaderOptions = .init()
  ) throws(RDBError) {
    self.init(options: options)
    header.family = type.family
    starts = Grammar.shared.starts(for: type.family)
    valueStart = Int(starts[Int(type.rawValue)])
    guard valueStart != 0 else { throw RDBError(.unsupportedType, offset: 0, type: type) }
    isBareValue = true
    self.key.append(key)
    entry.type = type
    entry.keyLength = key.count
    entry.expiryMilliseconds = expiryMilliseconds
    walker.begin(valueStart)
    phase = .value
  }

  /// Absolute offset of the next byte not yet read, counted from the first byte of the magic.
  public var position: UInt64 { windowOffset + UInt64(consumed) }

  /// Bytes taken in and not yet read.
  public var unreadCount: Int { window.count - consumed }

  /// Goes on to the next event. A value not read, or not read to its end, is passed over without
  /// being held in memory.
  ///
  /// - Returns: `.needsInput` when the bytes at hand do not suffice; after `.end` always `.end`.
  /// - Throws: `RDBError` on damage, and from then on at every call.
  public mutating func next() throws(RDBError) -> RDBEvent {
    if let failure { throw failure }
    while true {
      switch phase {
      case .record:
        if let event = try readRecord() { return event }
      case .valueRead:
        retained = consumed
        phase = .record
        if isBareValue { return .end(ended(RDBTrailer(checksum: .absent, length: position))) }
      case .value, .chunks, .elements, .opcodePayload:
        guard try passOver() else { return try wantsInput() }
        phase = phase == .opcodePayload ? .record : .valueRead
      case .header:
        guard let header = try readHeader() else { return try wantsInput() }
        return .header(header)
      case .trailer:
        guard let trailer = try readTrailer() else { return try wantsInput() }
        return .end(trailer)
      case .ended:
        guard let trailer else { preconditionFailure("ended without a trailer") }
        return .end(trailer)
      }
    }
  }

  /// What `next` returns when the bytes at hand do not suffice.
  func wantsInput() throws(RDBError) -> RDBEvent {
    try checkUnfinished()
    return .needsInput
  }

  /// Throws when no more bytes will come although more are needed.
  func checkUnfinished() throws(RDBError) {
    guard isFinished else { return }
    throw located(.truncated, at: window.count, detail: "more bytes were expected here")
  }

  /// Makes an error for a window position, with what is known about the place.
  func located(_ code: RDBError.Code, at place: Int, detail: String = "") -> RDBError {
    var error = RDBError(code, offset: windowOffset + UInt64(place), detail: detail)
    switch phase {
    case .value, .chunks, .elements, .valueRead:
      error.key = key.span(0..<key.count) { RDBError.printable($0) }
      error.type = entry.type
    case .opcodePayload:
      error.opcode = opcode.rawValue
    default:
      break
    }
    return error
  }

  /// Remembers an error, so that every later call throws it too.
  mutating func failed(
    _ code: RDBError.Code, at place: Int, detail: String = ""
  ) -> RDBError {
    let error = located(code, at: place, detail: detail)
    failure = error
    return error
  }
}
