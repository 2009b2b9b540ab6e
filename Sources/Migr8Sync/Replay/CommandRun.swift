// A run: commands that follow each other in the stream, or strings of a snapshot, in one command. A destination
// spends as much on taking a small command apart and answering it as on carrying it out; MSET of sixteen
// keys is one command, in order, with the effects of sixteen SETs.
//
//   SET a 1 · SET b 2 · SET a 3   ─▶   MSET a 1 b 2 a 3
//   DEL a · DEL b                 ─▶   DEL a b

import ReplicaLink

/// Consecutive commands of one kind on one db, as the operands they have in common.
struct CommandRun: ~Copyable {
  /// What can be put together: commands whose every key fares as if it were alone.
  enum Kind: Sendable, Equatable {
    /// SET with no options.
    case set
    /// SET of a key that must not be there yet: of several, none is written when one is there.
    case setNew
    /// DEL of one key.
    case delete
    /// UNLINK of one key.
    case unlink
  }

  /// How many keys one command may have: the destination does nothing else meanwhile.
  static let keysMax = 64
  /// An operand list longer than this is not collected, in bytes: copying it would cost more than it saves.
  static let operandBytesMax = 1 << 10

  private(set) var kind = Kind.set
  private(set) var database = 0
  /// Where the last of the commands ends in the stream.
  private(set) var offset: UInt64 = 0
  private(set) var keyCount = 0
  private var operands = ByteBuffer(capacity: 8 << 10)

  init() {}

  var isEmpty: Bool { keyCount == 0 }
  /// Whether no other may join.
  var isFull: Bool { keyCount >= Self.keysMax }
  /// How many bytes are collected.
  var byteCount: Int { operands.count }

  /// The kind of a command that a run may hold, and where its operands begin.
  @inline(__always)
  static func kind(
    of bytes: UnsafeRawBufferPointer, _ arguments: Span<Range<Int>>
  ) -> (kind: Kind, operands: Int)? {
    guard arguments.count == 2 || arguments.count == 3 else { return nil }
    let name = arguments[0]
    let operands = name.upperBound + 2
    guard bytes.count - operands <= operandBytesMax else { return nil }
    func letter(_ index: Int) -> UInt8 { bytes[name.lowerBound + index] | 0x20 }
    switch (arguments.count, name.count) {
    case (3, 3) where letter(0) == 0x73 && letter(1) == 0x65 && letter(2) == 0x74:
      return (.set, operands)
    case (2, 3) where letter(0) == 0x64 && letter(1) == 0x65 && letter(2) == 0x6c:
      return (.delete, operands)
    case (2, 6):
      for (index, expected) in "unlink".utf8.enumerated() where letter(index) != expected {
        return nil
      }
      return (.unlink, operands)
    default: return nil
    }
  }

  /// Whether one more command of this kind may join.
  func takes(_ kind: Kind, database: Int) -> Bool {
    keyCount > 0 && !isFull && self.kind == kind && self.database == database
  }

  /// Begins with a first command. The run must be empty.
  mutating func begin(_ kind: Kind, database: Int) {
    self.kind = kind
    self.database = database
  }

  /// Adds the encoded operands of a command that ends at `offset`.
  mutating func add(_ encoded: UnsafeRawBufferPointer, offset: UInt64) {
    operands.append(encoded)
    keyCount += 1
    self.offset = offset
  }

  /// Adds the operands that `encode` appends; none when it says no.
  mutating func add(_ encode: (inout ByteBuffer) -> Bool) -> Bool {
    guard encode(&operands) else { return false }
    keyCount += 1
    return true
  }

  /// Appends the run as one command, and empties it.
  mutating func move(to buffer: inout ByteBuffer) {
    switch kind {
    case .set:
      buffer.appendArrayHeader(1 + 2 * keyCount)
      buffer.append(keyCount == 1 ? "$3\r\nSET\r\n" : "$4\r\nMSET\r\n")
    case .setNew:
      buffer.appendArrayHeader(1 + 2 * keyCount)
      buffer.append("$6\r\nMSETNX\r\n")
    case .delete:
      buffer.appendArrayHeader(1 + keyCount)
      buffer.append("$3\r\nDEL\r\n")
    case .unlink:
      buffer.appendArrayHeader(1 + keyCount)
      buffer.append("$6\r\nUNLINK\r\n")
    }
    operands.withBytes { buffer.append($0) }
    operands.removeAll()
    keyCount = 0
  }
}
