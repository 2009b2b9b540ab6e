// Files put together from raw entries: filtered, moved, renamed, for an older server. Real servers load
// them and say what is in them.

import RDBParser
import Testing

@Suite(.enabled(if: ServerKind.arePresent, "\(ServerKind.absence)"), .serialized)
struct WriterTests {
  /// Copies the entries that `change` lets through, with key and database as it leaves them. Entries
  /// of types the header's servers do not know are left out and counted.
  private func copy(
    _ file: [UInt8], header: RDBHeader, _ change: (inout RDBEntry, inout [UInt8]) -> Bool
  ) throws -> (file: [UInt8], kept: Int, refused: Int) {
    var reader = RDBReader()
    var writer = RDBWriter(header: header)
    var kept = 0
    var refused = 0
    reader.append(file.span)
    reader.finishInput()
    while true {
      switch try reader.next() {
      case .function: reader.withFunction { writer.function($0) }
      case .entry(var entry):
        var key = reader.withKey { RDBTest.bytes($0) }
        guard change(&entry, &key) else { continue }
        guard header.canHold(entry.type) else {
          #expect(throws: RDBError.self) { try writer.entry(entry, key: key.span) }
          refused += 1
          continue
        }
        try writer.entry(entry, key: key.span)
        kept += 1
        while true {
          let step = try reader.readValue()
          reader.withValue { writer.value($0) }
          if step != .chunk { break }
        }
      case .end:
        writer.end()
        return (writer.withOutput { RDBTest.bytes($0) }, kept, refused)
      default: continue
      }
    }
  }

  @Test(arguments: ServerKind.allCases)
  func aFilteredRenamedAndMovedCopyHoldsWhatIsMeant(kind: ServerKind) throws {
    let server = try RealServer(kind)
    let name = "zset_threshold_v\(kind.rawValue)"
    let made = try copy(try Fixtures.corpusFile(name), header: kind.header) { entry, key in
      guard RDBTest.text(key).hasPrefix("count:") else { return false }
      entry.database = 7
      entry.expiryMilliseconds = 4_000_000_000_000
      key = Array("renamed ".utf8) + key
      return true
    }
    #expect(made.kept == 3)
    try server.load(made.file)
    #expect(try server.ask("DBSIZE") == .number(0))
    try server.ask("SELECT", "7")
    #expect(try server.ask("DBSIZE") == .number(3))
    for (_, key, digest) in try Fixtures.corpusTruth(name).digests
    where RDBTest.text(key).hasPrefix("count:") {
      let renamed = Array("renamed ".utf8) + key
      // The digest speaks of an expiry too; the key had none.
      #expect(try server.ask("PERSIST", RDBTest.text(renamed)) == .number(1))
      #expect(try server.digest(renamed) == digest)
    }
  }

  /// Every corpus file, less what the server does not know.
  @Test(arguments: ServerKind.allCases)
  func aCopyForAnOlderServerLoads(kind: ServerKind) throws {
    let server = try RealServer(kind)
    var refused = 0
    for name in Fixtures.corpusNames {
      // Functions come with 7.0; who writes for an older server leaves them out.
      if name.hasPrefix("string_functions") && kind == .redis62 { continue }
      let made = try copy(try Fixtures.corpusFile(name), header: kind.header) { entry, _ in
        entry.database = 0
        return true
      }
      refused += made.refused
      try server.load(made.file)
      #expect(try server.ask("DBSIZE") == .number(Int64(made.kept)), "\(name)")
    }
    #expect((refused > 0) == (kind != .redis82))
  }

  @Test func functionsAreCarriedAlong() throws {
    let server = try RealServer(.redis82)
    let made = try copy(
      try Fixtures.corpusFile("string_functions_v10"), header: ServerKind.redis82.header
    ) { _, _ in true }
    try server.load(made.file)
    #expect("\(try server.ask("FUNCTION", "LIST"))".contains("\(Array("lib".utf8))"))
  }
}
