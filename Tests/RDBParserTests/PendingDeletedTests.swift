// Streams whose pending entries have been deleted, as commands: something stands in for them while they
// are claimed. Real servers execute the commands in RealServerTests.swift.

import RDBParser
import Testing

struct PendingDeletedTests {
  private static let name = "stream_pending_deleted_v12"

  /// All commands of a file's keys, one string each.
  private static func commands(
    _ file: [UInt8], portion: Int = .max, heldMax: Int = 1 << 20,
    _ features: RDBCommandFeatures = .redis(major: 8, minor: 2)
  ) throws -> [String: [String]] {
    var reader = RDBReader()
    reader.commandOptions.streamBytesHeldMax = heldMax
    reader.commandOptions.features = features
    var given = 0
    func feed(_ reader: inout RDBReader) {
      let count = min(portion, file.count - given)
      if count == 0 { return reader.finishInput() }
      reader.append(file.span.extracting(given..<given + count))
      given += count
    }
    var made: [String: [String]] = [:]
    var key = ""
    while true {
      switch try reader.next() {
      case .needsInput: feed(&reader)
      case .entry:
        key = RDBTest.text(reader.withKey { RDBTest.bytes($0) })
        var bytes: [UInt8] = []
        loop: while true {
          switch try reader.nextCommands() {
          case .needsInput: feed(&reader)
          case .commands: bytes += reader.withCommands { RDBTest.bytes($0) }
          case .end: break loop
          }
        }
        made[key] = CommandTests.parse(bytes).map { $0.joined(separator: " ") }
      case .end(let trailer):
        #expect(trailer.checksum == .verified)
        return made
      default: continue
      }
    }
  }

  @Test func theyStandInTheirPlacesUntilAllIsClaimed() throws {
    let made = try Self.commands(try Fixtures.corpusFile(Self.name))
    // 1, 2, 3, 4, 5: trimmed away or read; 6, 7, 12: deleted; 8 to 11: there.
    let both = try #require(made["both"])
    let added = both.filter { $0.hasPrefix("XADD") }
    #expect(added.count == 12)
    #expect(added.filter { $0.hasSuffix(" x y") }.count + 7 == 12)
    let lastClaim = try #require(both.lastIndex { $0.hasPrefix("XCLAIM") })
    let ending = both[(lastClaim + 1)...].map { $0.split(separator: " ")[0] }
    #expect(ending == ["XTRIM", "XDEL", "XSETID"])
    #expect(both.filter { $0.hasPrefix("XSETID") }.count == 1)
    #expect(both.last == "XSETID both 12-12 ENTRIESADDED 12 MAXDELETEDID 12-12")
    let trimmed = try #require(made["trimmed"])
    #expect(trimmed.contains("XTRIM trimmed MINID 4-4"))
    #expect(!trimmed.contains { $0.hasPrefix("XDEL") })
    let nothing = try #require(made["nothing"])
    #expect(nothing.contains("XTRIM nothing MAXLEN 0"))
  }

  @Test func olderServersTrimByDeleting() throws {
    let made = try Self.commands(
      try Fixtures.corpusFile(Self.name), .redis(major: 6, minor: 0))
    #expect(try #require(made["trimmed"]).contains("XDEL trimmed 1-1 2-2 3-3"))
    #expect(try #require(made["trimmed"]).last == "XSETID trimmed 12-12")
  }

  @Test(arguments: [1, 7, 100])
  func portionsChangeNothing(portion: Int) throws {
    let file = try Fixtures.corpusFile(Self.name)
    #expect(try Self.commands(file, portion: portion) == Self.commands(file))
  }

  /// What cannot be held is passed on as it comes.
  @Test(arguments: [1, 7, Int.max])
  func aStreamTooLargeToBeHeldHasNone(portion: Int) throws {
    let file = try Fixtures.corpusFile(Self.name)
    let made = try Self.commands(file, portion: portion, heldMax: 100)
    #expect(made.values.allSatisfy { $0.allSatisfy { !$0.hasPrefix("XTRIM") } })
    #expect(try #require(made["both"]).filter { $0.hasPrefix("XADD") }.count == 7)
  }

  /// Damage behind the entries is found by looking ahead, and told by the reading as ever.
  @Test func damageIsToldWhereItIs() throws {
    let file = try Fixtures.corpusFile(Self.name)
    let whole = RDBTest.record(file, values: .decoded)
    let entry = try #require(whole.entries.first?.entry)
    for place in stride(from: Int(entry.valueOffset), to: file.count - 9, by: 3) {
      var damaged = file
      damaged[place] = 0xFE
      let decoded = RDBTest.record(damaged, values: .decoded)
      do {
        _ = try Self.commands(damaged)
        #expect(decoded.error == nil)
      } catch let error as RDBError {
        #expect(decoded.error == error)
      }
    }
  }
}
