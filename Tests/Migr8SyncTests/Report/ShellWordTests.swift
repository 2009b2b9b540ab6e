// Words for a shell, held against a shell: whatever they are made of, it makes one word of them, the same.

import Glibc
import Testing

@testable import Migr8Sync

@Suite struct ShellWordTests {
  /// What the shell takes the word for.
  private func read(_ word: String) throws -> [UInt8] {
    let pipe = try #require(popen("printf '%s.' \(word)", "r"))
    var bytes: [UInt8] = []
    while case let byte = getc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
    #expect(pclose(pipe) == 0 && bytes.last == UInt8(ascii: "."))
    return bytes.dropLast()
  }

  /// A quote with an accent is one character to Swift, and to a shell the end of what is quoted.
  @Test(arguments: [
    "", "user:", "a b", "$(echo x)", "`echo x`", "it's", "''", "\\", "!!", "#a", "~",
    "a;b|c&d>/dev/null", "'\u{301}$(echo x)'\u{301}:", "\"'$x'\"", "*", "{a,b}", "ключ:", "a\nb",
    "-n",
  ])
  func theShellReadsWhatWasMeant(text: String) throws {
    #expect(try read(ShellWord.quoted(text)) == Array(text.utf8))
  }

  @Test func plainWordsStayAsTheyAre() {
    for word in ["user:", "redis://old:6379/2", "0:keys:0:17:9a3f:same", "a,b=c%d+e@f_g-h.i"] {
      #expect(ShellWord.quoted(word) == word)
    }
  }

  /// In a word for a configuration file, too, a shell finds nothing to carry out.
  @Test func everyByteIsSafeInAConfigurationFile() throws {
    let bytes = Array(UInt8.min...UInt8.max) + Array("$(exit 1)`exit 1`".utf8)
    let word = ShellWord.configWord(bytes)
    #expect(try ConfigWords.split(Array(word.utf8)[...]) == [bytes])
    #expect(try read(word) == Array(word.dropFirst().dropLast().utf8))
    #expect(!word.contains { "$`!'".contains($0) })
  }

  @Test func whatCannotBeSeenIsNoText() {
    for text in ["a\n", "\u{9B}2J", "\u{202E}x", "\u{2028}", "\u{FFFD}", "\u{7F}", "\0"] {
      #expect(ShellWord.text(Array(text.utf8)) == nil)
    }
    #expect(ShellWord.text([0xFF]) == nil)
    #expect(ShellWord.text(Array("ключ $'é:".utf8)) == "ключ $'é:")
  }
}
