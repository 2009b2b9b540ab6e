// The words of ACL lines that are copied.

import Testing

@testable import Migr8Sync

@Suite struct ACLWordTests {
  /// The bytes that a word's pattern is made of.
  private func pattern(_ beginning: [UInt8]) throws -> [UInt8] {
    let word = Array(ACLWord.keys(beginning: beginning).utf8)
    try #require(word.first == UInt8(ascii: "~"))
    return Array(word.dropFirst())
  }

  @Test func everyBeginningIsOpenedAndCanBePasted() throws {
    for byte in UInt8.min...UInt8.max {
      for beginning in [[byte], [byte, byte], Array("a".utf8) + [byte], [byte] + Array("é:".utf8)] {
        let pattern = try pattern(beginning)
        let isOpen = GlobPattern(pattern).matches((beginning + [1]).span)
        #expect(isOpen, "\(beginning)")
        #expect(!pattern.contains { $0 <= 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "'") })
        #expect(pattern.count <= beginning.count * 2 + 1 && pattern.last == UInt8(ascii: "*"))
      }
    }
    #expect(ACLWord.keys(beginning: []) == "~*")
  }

  @Test func nothingElseIsOpenedWhereAPatternCanSayIt() throws {
    for text in ["bump:", "a*b", "a?b", "a[b]", "a\\", "ключ:", "\"q\""] {
      let beginning = Array(text.utf8)
      let glob = GlobPattern(try pattern(beginning))
      for index in beginning.indices {
        var other = beginning
        other[index] ^= 1
        let isOpen = glob.matches((other + Array("xyz".utf8)).span)
        #expect(!isOpen, "\(text)")
      }
    }
    #expect(ACLWord.keys(beginning: Array("a b\u{202E}'".utf8)) == "~a?b????*")
  }

  @Test func quotesStandWhereAShellOrRedisCliNeedsThem() {
    #expect(ACLWord.quoted("+psync") == "+psync")
    for word in ["~bump:*", ">PASSWORD", "+client|list", "(~y:* +get)"] {
      #expect(ACLWord.quoted(word) == "'\(word)'")
    }
    #expect(ACLWord.quoted("~'$(x)'") == "'~'\\''$(x)'\\'''")
  }
}
