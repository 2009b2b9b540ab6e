// The beginning of a transaction that is larger than a batch: what its commands were, so that an error
// that comes with its EXEC can be given to the command it is about.

/// Remembers the commands of a transaction as its batches pass.
struct OpenTransaction {
  /// More are only counted: an error about one of them goes without its name.
  static let rememberedMax = 65_536

  /// Of each command all arguments, while together they are no longer than this, in bytes; the keys of a
  /// script may be among the last.
  private static let argumentBytesMax = 16 << 20
  /// Then so many, the name included: the two keys of a COPY are among them.
  private static let argumentsMax = 3
  /// An argument longer than this is no key worth remembering the others for, in bytes.
  private static let commandBytesMax = 64 << 10

  private var argumentBytes = 0

  private var commands: [(arguments: [[UInt8]], database: Int)] = []
  /// How many commands have passed since the MULTI.
  private(set) var count = 0
  /// Whether no transaction is open.
  private(set) var isEmpty = true

  /// The beginning of a command, and the destination's db it acted on; that of the EXEC when it was
  /// not remembered.
  func command(_ index: Int) -> (arguments: [[UInt8]], database: Int) {
    index < commands.count ? commands[index] : ([Array("EXEC".utf8)], 0)
  }

  /// Takes note of an answered batch.
  mutating func pass(_ batch: Batch) {
    if batch.isOpenEnded {
      add(batch)
    } else if !isEmpty {
      self = OpenTransaction()
    }
  }

  private mutating func add(_ batch: Batch) {
    isEmpty = false
    var cursor = BatchCursor()
    var database = batch.database
    for index in 0..<batch.commandCount {
      let command = arguments(of: index, &cursor, batch)
      if let selected = Self.selection(command) { database = selected }
      if command.first == Array("MULTI".utf8) {
        commands = []
        argumentBytes = 0
        count = 0
        continue
      }
      count += 1
      if commands.count < Self.rememberedMax { commands.append((command, database)) }
    }
  }

  private mutating func arguments(
    of index: Int, _ cursor: inout BatchCursor, _ batch: Batch
  ) -> [[UInt8]] {
    var probe = cursor
    let length = probe.range(of: index, in: batch).count
    guard length <= Self.commandBytesMax, argumentBytes + length <= Self.argumentBytesMax else {
      return cursor.arguments(of: index, in: batch, first: Self.argumentsMax)
    }
    argumentBytes += length
    return cursor.arguments(of: index, in: batch, first: .max)
  }

  /// The db that a SELECT selects.
  static func selection(_ command: [[UInt8]]) -> Int? {
    guard command.count == 2, command[0] == Array("SELECT".utf8) else { return nil }
    return Int(String(decoding: command[1], as: UTF8.self))
  }
}
