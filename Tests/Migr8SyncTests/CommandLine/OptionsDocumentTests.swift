// docs/options.md says what the program says.

import Testing

@testable import Migr8Sync

@Suite struct OptionsDocumentTests {
  @Test func theDocumentIsTheHelp() throws {
    let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
    let file = try SmallFile.read(root + "/docs/options.md", bytesMax: 1 << 20)
    var expected = "# Options\n\nWhat the program itself says. Written by `scripts/options`.\n"
    for command in Command.all {
      expected += "\n## \(command.name)\n\n```\n\(HelpText.text(of: command))```\n"
    }
    let isCurrent = file.bytes == Array(expected.utf8)
    #expect(isCurrent, "run scripts/options")
  }
}
