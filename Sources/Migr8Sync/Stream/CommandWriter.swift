// CommandWriter: builds the bytes of one command, for the few that cannot pass unchanged.

/// A RESP array of bulk strings, argument by argument.
struct CommandWriter: ~Copyable {
  /// What is written so far: a whole command once all announced arguments are there.
  private(set) var bytes: [UInt8] = []

  /// Begins a command of that many arguments, the name included.
  init(argumentCount: Int, reservingBytes capacity: Int) {
    bytes.reserveCapacity(capacity)
    appendHeader(UInt8(ascii: "*"), argumentCount)
  }

  /// Appends an argument.
  mutating func append(_ argument: Span<UInt8>) {
    appendHeader(UInt8(ascii: "$"), argument.count)
    argument.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    appendLineEnd()
  }

  /// Appends a key by the name it has at the destination.
  mutating func append(key: Span<UInt8>, _ mapping: KeyMapping) {
    guard mapping.renamesKeys, let rewrite = mapping.rewrite(of: key) else { return append(key) }
    appendHeader(
      UInt8(ascii: "$"), key.count - rewrite.old.count + rewrite.new.count)
    bytes += rewrite.new
    key.extracting(droppingFirst: rewrite.old.count).withUnsafeBufferPointer {
      bytes.append(contentsOf: $0)
    }
    appendLineEnd()
  }

  /// Appends a word of ours.
  mutating func append(_ word: StaticString) {
    appendHeader(UInt8(ascii: "$"), word.utf8CodeUnitCount)
    word.withUTF8Buffer { bytes.append(contentsOf: $0) }
    appendLineEnd()
  }

  /// Appends a number in decimal.
  mutating func append(_ number: Int64) {
    let digits = String(number).utf8
    appendHeader(UInt8(ascii: "$"), digits.count)
    bytes.append(contentsOf: digits)
    appendLineEnd()
  }

  private mutating func appendHeader(_ mark: UInt8, _ count: Int) {
    bytes.append(mark)
    bytes.append(contentsOf: String(count).utf8)
    appendLineEnd()
  }

  private mutating func appendLineEnd() {
    bytes.append(UInt8(ascii: "\r"))
    bytes.append(UInt8(ascii: "\n"))
  }
}
