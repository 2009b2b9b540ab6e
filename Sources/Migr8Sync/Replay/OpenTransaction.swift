// The beginning of a transaction that is larger than a batch: what its commands were, so that an error
// that comes with its EXEC can be given to the command it is about.

/// Remembers the commands of a transaction as its batches pass.
struct OpenTransaction {
  /// More are only counted: an error about one of them goes without its name.
  static let rememberedMax = 65_536

  private var commands: [[[UInt8]]] = []
  /// How many commands have passed since the MULTI.
  private(set) var count = 0

  /// The beginning of a command; that of the EXEC when it was not remembered.
  func command(_ index: Int) -> [[UInt8]] {
    index < commands.count ? commands[index] : [Array("EXEC".utf8)]
  }

  /// Takes note of an answered batch.
  mutating func pass(_ batch: Batch) {
    if batch.isOpenEnded {
      add(batch)
    } else if count > 0 {
      commands = []
      count = 0
    }
  }

  private mutating func add(_ batch: Batch) {
    var cursor = BatchCursor()
    for index in 0..<batch.commandCount {
      let command = cursor.arguments(of: index, in: batch)
      if command.first == Array("MULTI".utf8) {
        commands = []
        count = 0
        continue
      }
      count += 1
      if commands.count < Self.rememberedMax { commands.append(command) }
    }
  }
}
