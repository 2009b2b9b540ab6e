// The guide's first example, as it stands in docs/rdb-parser.md, so that it compiles and runs.

import Foundation
import RDBParser
import Testing

func list(_ file: [UInt8]) throws {
  var reader = RDBReader()
  reader.append(file.span)
  reader.finishInput()
  while true {
    switch try reader.next() {
    case .entry(let entry): print(entry.database, entry.type, reader.withKey { $0.count })
    case .end: return
    default: continue
    }
  }
}

struct GuideTests {
  @Test func theExampleIsTheOneInTheGuide() throws {
    let guide = try String(
      contentsOf: Fixtures.packageRoot.appending(path: "docs/rdb-parser.md"), encoding: .utf8)
    let here = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
    let block = try #require(
      guide.components(separatedBy: "```swift\nimport RDBParser\n\n").dropFirst().first)
    let example = try #require(block.components(separatedBy: "```").first)
    #expect(example.hasPrefix("func list") && here.contains(example))
  }

  @Test func itRuns() throws { try list(RDBTest.file(1, [1, 1, 0x61])) }
}
