// Real servers as judges of what the library makes: commands, files, payloads.

import RDBParser
import Testing

@Suite(.enabled(if: ServerKind.arePresent, "\(ServerKind.absence)"), .serialized)
struct RealServerTests {
  /// The files a server of this kind can read or be told.
  private static func names(upTo version: Int) -> [String] {
    Fixtures.corpusNames.filter { Fixtures.version($0) <= version }
  }

  /// Whether two servers have one digest for equal values: they do but for scores, whose text the
  /// digest takes, and which newer servers write in another way. (And -0 becomes 0 in some.)
  private static func digestsAgree(_ name: String, _ key: [UInt8], _ kind: ServerKind) -> Bool {
    guard name.hasPrefix("zset") else { return true }
    let hasMinusZero = RDBTest.text(key) == "scores"
    return Fixtures.version(name) == kind.rawValue && (!hasMinusZero || kind == .redis62)
  }

  /// All commands for a file's keys, with databases selected.
  private static func commands(
    _ file: [UInt8], _ features: RDBCommandFeatures, _ body: ([UInt8], Int) throws -> Void
  ) throws -> [RDBCommandReport] {
    var reader = RDBReader()
    reader.commandOptions.features = features
    reader.commandOptions.commandElementsMax = 50
    reader.append(file.span)
    reader.finishInput()
    var reports: [RDBCommandReport] = []
    while true {
      switch try reader.next() {
      case .entry(let entry):
        let number = "\(entry.database)"
        try body(Array("*2\r\n$6\r\nSELECT\r\n$\(number.count)\r\n\(number)\r\n".utf8), 1)
        loop: while true {
          switch try reader.nextCommands() {
          case .needsInput: break
          case .commands(let count): try body(reader.withCommands { RDBTest.bytes($0) }, count)
          case .end(let report):
            reports.append(report)
            break loop
          }
        }
      case .end: return reports
      default: continue
      }
    }
  }

  @Test(arguments: ServerKind.allCases)
  func commandsMakeTheSameKeys(kind: ServerKind) throws {
    let server = try RealServer(kind)
    for name in Fixtures.corpusNames {
      let truth = try Fixtures.corpusTruth(name)
      let losesExpiries = name.contains("_ttl") && kind != .redis82
      try server.ask("FLUSHALL")
      let reports = try Self.commands(try Fixtures.corpusFile(name), kind.features) {
        commands, count in
        let errors = try server.run(commands, count: count)
        #expect(errors == [], "\(name)")
      }
      #expect(reports.allSatisfy(\.isComplete) != losesExpiries || name.contains("groups"))
      if losesExpiries { continue }
      let saved = RDBTest.record(try server.save(), values: .decoded)
      try truth.compare(saved, isOlderServer: kind == .redis62)
      for (database, key, digest) in truth.digests where Self.digestsAgree(name, key, kind) {
        try server.ask("SELECT", "\(database)")
        #expect(try server.digest(key) == digest, "\(name) \(RDBTest.text(key))")
      }
    }
  }

  @Test(arguments: ServerKind.allCases)
  func aWrittenFileLoadsWithTheSameDigest(kind: ServerKind) throws {
    let server = try RealServer(kind)
    for name in Self.names(upTo: kind.rawValue) {
      let file = try Fixtures.corpusFile(name)
      try server.load(file)
      let original = try server.ask("DEBUG", "DIGEST").string
      let copy = try RDBTest.copy(file, header: kind.header)
      try server.load(copy)
      #expect(try server.ask("DEBUG", "DIGEST").string == original, "\(name)")
      let whole = RDBTest.record(file)
      let again = RDBTest.record(copy)
      #expect(again.trailer?.checksum == .verified)
      #expect(again.entries.map(\.value) == whole.entries.map(\.value))
      #expect(again.entries.map(\.key) == whole.entries.map(\.key))
      #expect(
        again.entries.map { $0.entry?.expiryMilliseconds }
          == whole.entries.map { $0.entry?.expiryMilliseconds })
    }
  }

  @Test(arguments: ServerKind.allCases)
  func dumpIsTheRawValueAndRestoreTakesIt(kind: ServerKind) throws {
    let server = try RealServer(kind)
    for name in Self.names(upTo: kind.rawValue) {
      try server.load(try Fixtures.corpusFile(name))
      let saved = RDBTest.record(try server.save())
      for recorded in saved.entries {
        let entry = try #require(recorded.entry)
        try server.ask("SELECT", "\(entry.database)")
        let payload = try #require(try server.ask(Array("DUMP".utf8), recorded.key).bytes)
        let contents = try DumpPayload.open(payload.span)
        #expect(contents.type == entry.type)
        #expect(Int(contents.version) == kind.rawValue)
        #expect(Array(payload[contents.value]) == recorded.value, "\(name)")
      }
    }
  }

  /// Payloads with the oldest footer restore on every server that knows the type.
  @Test(arguments: ServerKind.allCases)
  func payloadsRestoreWhereTheTypeIsKnown(kind: ServerKind) throws {
    let server = try RealServer(kind)
    for name in Fixtures.corpusNames {
      let digests = try Fixtures.corpusTruth(name).digests
      for recorded in RDBTest.record(try Fixtures.corpusFile(name)).entries {
        let entry = try #require(recorded.entry)
        let version = try #require(DumpPayload.footerVersion(for: entry.type))
        var payload = DumpPayload(type: entry.type)
        payload.update(recorded.value.span)
        let footer = payload.footer(version: version)
        let bytes = [entry.type.rawValue] + recorded.value + (0..<10).map { footer[$0] }
        try server.ask("SELECT", "\(entry.database)")
        let reply = try server.ask(
          Array("RESTORE".utf8), recorded.key, Array("\(entry.expiryMilliseconds ?? 0)".utf8),
          bytes, Array("REPLACE".utf8), Array("ABSTTL".utf8))
        let isKnown = Int(version) <= kind.rawValue
        #expect((reply.string == "OK") == isKnown, "\(name) \(entry.type): \(reply)")
        guard isKnown && Self.digestsAgree(name, recorded.key, kind) else { continue }
        let digest = digests.first { $0.key == recorded.key && $0.database == entry.database }
        #expect(try server.digest(recorded.key) == digest?.digest, "\(name)")
      }
    }
  }
}

extension RDBTest {
  /// A copy of a file made by the writer from raw entries.
  static func copy(_ file: [UInt8], header: RDBHeader) throws -> [UInt8] {
    var reader = RDBReader()
    var writer = RDBWriter(header: header)
    var output: [UInt8] = []
    reader.append(file.span)
    reader.finishInput()
    while true {
      switch try reader.next() {
      case .auxiliary: reader.withAuxiliary { writer.auxiliary($0, $1) }
      case .function: reader.withFunction { writer.function($0) }
      case .resize(let keys, let expires): writer.resize(keys: keys, expires: expires)
      case .selectDatabase(let number): writer.selectDatabase(number)
      case .entry(let entry):
        try reader.withKey { key throws(RDBError) in try writer.entry(entry, key: key) }
        loop: while true {
          let step = try reader.readValue()
          reader.withValue { writer.value($0) }
          if step != .chunk { break loop }
        }
        output += writer.withOutput { bytes($0) }
        writer.removeOutput()
      case .end:
        writer.end()
        return output + writer.withOutput { bytes($0) }
      default: continue
      }
    }
  }
}
