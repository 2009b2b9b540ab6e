// What is known of the commands of a transaction that is larger than a batch, and what is not.

import Testing

@testable import Migr8Sync

@Suite("A transaction of several batches")
struct OpenTransactionTests {
  private static func words(_ text: String) -> [[UInt8]] {
    text.split(separator: " ").map { Array($0.utf8) }
  }

  /// A batch that the rest of the transaction follows.
  private static func batch(_ commands: [[[UInt8]]]) -> Batch {
    let batch = Batch()
    for words in commands { batch.bytes.appendCommand(words) }
    batch.commandCount = commands.count
    batch.database = 3
    batch.isOpenEnded = true
    return batch
  }

  @Test func onlyTheFirstAreRemembered() {
    var transaction = OpenTransaction()
    let half = OpenTransaction.rememberedMax / 2
    let command = Self.words("PEXPIREAT in:a 5")
    transaction.pass(
      Self.batch([Self.words("MULTI")] + Array(repeating: command, count: half)))
    transaction.pass(Self.batch(Array(repeating: command, count: half + 1)))
    #expect(transaction.count == OpenTransaction.rememberedMax + 1)
    let last = transaction.command(OpenTransaction.rememberedMax - 1)
    #expect(last.arguments == command && last.database == 3 && last.isWhole)
    let forgotten = transaction.command(OpenTransaction.rememberedMax)
    #expect(!forgotten.isWhole)
    #expect(CommandRouterTests.router().keysRefused(forgotten) == [])
  }

  static let large: [(command: String, isWhole: Bool, keys: [String])] = [
    ("PEXPIREAT in:a #", true, ["0:in:a"]), ("MOVE in:a #", true, ["0:in:a"]),
    // The keys that they write stand at the beginning.
    ("RPUSH in:a # 1 2", false, ["0:in:a"]),
    ("SUNIONSTORE in:a in:b # in:c", false, ["0:in:a", "0:in:b"]),
    // Of these the rest may name another, or another database.
    ("EVAL # 2 in:a in:b", false, []), ("EVAL # 0 1", false, []),
    ("SORT in:a BY # STORE in:b", false, []), ("COPY in:a in:b DB #", false, []),
    ("MSETNX in:a # in:b 1", false, []),
  ]

  /// The number sign stands for more than is worth remembering.
  @Test(arguments: large)
  func ofALargeOneOnlyTheBeginningIsRemembered(
    _ case: (command: String, isWhole: Bool, keys: [String])
  ) {
    let filler = [UInt8](repeating: 120, count: 100_000)
    let words = Self.words(`case`.command).map { $0 == Array("#".utf8) ? filler : $0 }
    var transaction = OpenTransaction()
    var batch = Self.batch([Self.words("MULTI"), words])
    batch.database = 0
    transaction.pass(batch)
    batch = Self.batch([Self.words("PEXPIREAT in:z 5")])
    transaction.pass(batch)
    let command = transaction.command(0)
    #expect(command.isWhole == `case`.isWhole)
    #expect(command.arguments == Array(words.prefix(3)))
    let names = CommandRouterTests.router().keysRefused(command)
    #expect(names.map { String(decoding: $0.encoded, as: UTF8.self) } == `case`.keys)
    #expect(transaction.command(1).arguments == Self.words("PEXPIREAT in:z 5"))
  }
}
