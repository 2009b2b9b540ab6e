// Puts elements together to commands in RESP, each of bounded size. Stream commands are in
// CommandBuilder+Stream.swift.

/// Commands for one value at a time.
struct CommandBuilder: ~Copyable {
  /// Commands that collect elements until they are large enough.
  enum Collecting {
    case nothing
    case listPush
    case setAdd
    case sortedSetAdd
    case hashSet
  }

  var options = RDBCommandOptions()
  var key = OwnedBytes()
  /// Finished commands.
  var output = OwnedBytes()
  var outputCount = 0
  var report = RDBCommandReport()

  /// Arguments of the command being collected, each with its length line.
  var body = OwnedBytes()
  var bodyCount = 0
  var bodyElements = 0
  var collecting = Collecting.nothing
  /// Finished commands that must follow the one being collected.
  var following = OwnedBytes()
  var followingCount = 0
  /// A number as text.
  var number = OwnedBytes()

  var isStringBegun = false
  /// Bytes of the string value; 0 for other types.
  var stringLength: UInt64 = 0
  var hasStreamEntries = false
  var streamInfo = RDBStreamInfo()
  /// The first entry the stream holds.
  var firstEntryID: RDBStreamID?
  /// Ids pending anywhere in the stream, where they are known before its entries; ascending. Those
  /// before `pendingIndex` have been passed.
  var pendingIDs: [RDBStreamID] = []
  var pendingIndex = 0
  /// Ids that stand in the stream only until they are claimed; ascending.
  var standIns: [RDBStreamID] = []
  var groupName = OwnedBytes()
  var consumerName = OwnedBytes()
  var consumerIsCreated = false
  /// Pending entries of the present group, ascending as the file has them.
  var pending: [RDBStreamPending] = []

  /// Begins the commands of a value.
  mutating func begin() {
    removeOutput()
    report = RDBCommandReport()
    body.removeAll()
    following.removeAll()
    bodyCount = 0
    bodyElements = 0
    followingCount = 0
    collecting = .nothing
    isStringBegun = false
    stringLength = 0
    hasStreamEntries = false
    streamInfo = RDBStreamInfo()
    firstEntryID = nil
    pendingIndex = 0
    standIns.removeAll()
    pending.removeAll()
    if options.deletesFirst { command("DEL", count: 0) }
  }

  mutating func removeOutput() {
    output.removeAll()
    outputCount = 0
  }

  /// Whether what is finished is worth handing out.
  var isFull: Bool { output.count >= options.commandBytesMax }

  /// Adds an element; false when the value cannot be said in commands at all.
  mutating func add(
    _ element: RDBElement, from decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) -> Bool {
    switch element {
    case .string(let length, _):
      stringLength = length
      decoder.withElement(input) { part in
        command(isStringBegun ? "APPEND" : "SET", count: 1)
        Self.argument(part, to: &output)
      }
      isStringBegun = true
    case .listItem: collect(.listPush, decoder, input)
    case .setMember: collect(.setAdd, decoder, input)
    case .sortedSetMember(let score):
      number.removeAll()
      RDBScore.append(score, to: &number)
      Self.argument(number, to: &body)
      bodyCount += 1
      collect(.sortedSetAdd, decoder, input)
    case .hashField(let expiry):
      addField(expiry, decoder, input)
    case .module, .arrayItem: return false
    default: return addStream(element, decoder, input)
    }
    return true
  }

  private mutating func addField(
    _ expiry: Int64?, _ decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) {
    collecting = .hashSet
    decoder.withElement(input) { Self.argument($0, to: &body) }
    decoder.withSecond { Self.argument($0, to: &body) }
    bodyCount += 2
    bodyElements += 1
    if let expiry {
      if options.features.fieldExpiry {
        Self.header(6, "HPEXPIREAT", to: &following)
        Self.argument(key, to: &following)
        decimal(expiry)
        Self.argument(number, to: &following)
        Self.argument("FIELDS", to: &following)
        Self.argument("1", to: &following)
        decoder.withElement(input) { Self.argument($0, to: &following) }
        followingCount += 1
      } else {
        report.droppedFieldExpiries += 1
      }
    }
    endIfLarge()
  }

  private mutating func collect(
    _ kind: Collecting, _ decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) {
    collecting = kind
    decoder.withElement(input) { Self.argument($0, to: &body) }
    bodyCount += 1
    bodyElements += 1
    endIfLarge()
  }

  private mutating func endIfLarge() {
    if bodyElements >= options.commandElementsMax
      || body.count + following.count >= options.commandBytesMax
    {
      endCollected()
    }
  }

  /// Finishes the command being collected.
  mutating func endCollected() {
    guard bodyElements > 0 else { return }
    let name: StaticString =
      switch collecting {
      case .listPush: "RPUSH"
      case .setAdd: "SADD"
      case .sortedSetAdd: "ZADD"
      case .hashSet: options.features.multiFieldHSET ? "HSET" : "HMSET"
      case .nothing: ""
      }
    command(name, count: bodyCount)
    output.append(body)
    output.append(following)
    outputCount += followingCount
    report.commands += followingCount
    body.removeAll()
    following.removeAll()
    bodyCount = 0
    bodyElements = 0
    followingCount = 0
  }

  /// Finishes the value.
  mutating func end(expiry: Int64?) {
    endCollected()
    removeStandIns(streamInfo)
    let isEmpty = report.commands == (options.deletesFirst ? 1 : 0)
    guard let expiry, options.appliesExpiry, !isEmpty else { return }
    command("PEXPIREAT", count: 1)
    decimal(expiry)
    Self.argument(number, to: &output)
  }

  // MARK: RESP

  /// Begins a command on the key that has `count` more arguments.
  mutating func command(_ name: StaticString, count: Int) {
    Self.header(count + 2, name, to: &output)
    Self.argument(key, to: &output)
    outputCount += 1
    report.commands += 1
  }

  mutating func decimal(_ value: Int64) {
    number.removeAll()
    number.appendDecimal(value)
  }

  /// Appends a number as argument to the output.
  mutating func decimalArgument(_ value: Int64) {
    decimal(value)
    Self.argument(number, to: &output)
  }

  static func header(_ count: Int, _ name: StaticString, to store: inout OwnedBytes) {
    store.append(UInt8(ascii: "*"))
    store.appendDecimal(Int64(count))
    lineEnd(&store)
    argument(name, to: &store)
  }

  static func argument(_ bytes: Span<UInt8>, to store: inout OwnedBytes) {
    lengthLine(bytes.count, to: &store)
    store.append(bytes)
    lineEnd(&store)
  }

  static func argument(_ bytes: borrowing OwnedBytes, to store: inout OwnedBytes) {
    lengthLine(bytes.count, to: &store)
    store.append(bytes)
    lineEnd(&store)
  }

  static func argument(_ text: StaticString, to store: inout OwnedBytes) {
    lengthLine(text.utf8CodeUnitCount, to: &store)
    store.append(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    lineEnd(&store)
  }

  private static func lengthLine(_ length: Int, to store: inout OwnedBytes) {
    store.append(UInt8(ascii: "$"))
    store.appendDecimal(Int64(length))
    lineEnd(&store)
  }

  private static func lineEnd(_ store: inout OwnedBytes) {
    store.append(UInt8(ascii: "\r"))
    store.append(UInt8(ascii: "\n"))
  }
}
