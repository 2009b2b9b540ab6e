// The beginning of a transaction that is larger than a batch: what its commands were, so that what its EXEC
// says of one of them, an error or a doubt, can be given to the command it is about.

/// A command that was sent, as far as it is remembered.
struct SentCommand: Sendable {
  /// From the name on.
  var arguments: [[UInt8]]
  /// The destination's db it acted on.
  var database: Int
  /// Whether these are all its arguments, or enough of them to know its keys.
  var isWhole = true

  /// A command of which nothing is known but the EXEC that it was answered with.
  static let forgotten = SentCommand(
    arguments: [Array("EXEC".utf8)], database: 0, isWhole: false)
}

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

  private var commands: [SentCommand] = []
  /// How many commands have passed since the MULTI.
  private(set) var count = 0
  /// Whether no transaction is open.
  private(set) var isEmpty = true

  /// A command, by its place behind the MULTI.
  func command(_ index: Int) -> SentCommand {
    index < commands.count ? commands[index] : .forgotten
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
      let (arguments, isWhole) = arguments(of: index, &cursor, batch)
      if let selected = Self.selection(arguments) { database = selected }
      if arguments.first == Array("MULTI".utf8) {
        commands = []
        argumentBytes = 0
        count = 0
        continue
      }
      count += 1
      if commands.count < Self.rememberedMax {
        commands.append(SentCommand(arguments: arguments, database: database, isWhole: isWhole))
      }
    }
  }

  private mutating func arguments(
    of index: Int, _ cursor: inout BatchCursor, _ batch: Batch
  ) -> (words: [[UInt8]], isWhole: Bool) {
    var probe = cursor
    let length = probe.range(of: index, in: batch).count
    guard length <= Self.commandBytesMax, argumentBytes + length <= Self.argumentBytesMax else {
      let words = cursor.arguments(of: index, in: batch, first: Self.argumentsMax + 1)
      return (Array(words.prefix(Self.argumentsMax)), words.count <= Self.argumentsMax)
    }
    argumentBytes += length
    return (cursor.arguments(of: index, in: batch, first: .max), true)
  }

  /// The db that a SELECT selects.
  static func selection(_ command: [[UInt8]]) -> Int? {
    guard command.count == 2, command[0] == Array("SELECT".utf8) else { return nil }
    return Int(String(decoding: command[1], as: UTF8.self))
  }
}
