// A command in the form the router takes: its bytes and where its arguments lie.

@testable import Migr8Sync

struct CommandUnderTest {
  var bytes: [UInt8]
  var arguments: [Range<Int>]

  init(_ words: [String]) { self.init(words.map { Array($0.utf8) }) }

  /// Words separated by single spaces.
  init(_ text: String) {
    self.init(text.split(separator: " ", omittingEmptySubsequences: false).map(String.init))
  }

  init(_ arguments: [[UInt8]]) {
    bytes = RESP.encode(arguments)
    self.arguments = RESP.decode(bytes, at: 0)?.arguments ?? []
  }

  var words: [[UInt8]] { arguments.map { Array(bytes[$0]) } }

  /// Its keys by the built-in table; `nil` when unknown or malformed.
  func keys() -> [[UInt8]]? {
    guard let name = arguments.first,
      let shape = CommandTable.builtIn.shape(named: bytes.span.extracting(name)),
      let positions = KeyPositions.find(shape, in: bytes.span, arguments: arguments.span)
    else { return nil }
    return (0..<positions.count).map { Array(bytes[arguments[positions[$0]]]) }
  }
}

extension CommandRouter {
  /// The keys of a command that was sent as these words.
  func keysRefused(_ words: [[UInt8]], database: Int) -> [KeyName] {
    keysRefused(SentCommand(arguments: words, database: database))
  }
}
