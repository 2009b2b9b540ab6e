// Links recorded from old servers, with scripts as they came and times to live that count from now:
// replayed whole into one server, and through a router under a prefix into another. In the end both
// hold the same under that prefix, but for the keys that need a live source to be repaired.

import Glibc
import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite(
  .enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"),
  .enabled(if: RecordedStreamTests.isThere, "../shared/fixtures/by-version is absent"))
struct RecordedStateTests {
  @Test(arguments: RecordedStreamTests.labels)
  func underAPrefixTheStateIsThatOfAWholeReplay(label: String) throws {
    let (snapshot, commands) = try RecordedStreamTests.parts(label)
    let whole = try Loaded(label, snapshot)
    let filtered = try Loaded(label, snapshot)
    try filtered.removeOutside()
    var router = CommandRouterTests.router(prefixes: ["in:"])
    var repaired: Set<KeyName> = []
    for command in commands {
      _ = try whole.connection.send(command.words)
      let database = router.database
      switch router.decide(command, at: 1) {
      case .forward(let database), .flush(let database):
        try filtered.send(command.words, database, router, &repaired)
      case .rewritten(let bytes, let database, _):
        let words = CommandUnderTest(
          RESP.decode(bytes, at: 0)?.arguments.map { Array(bytes[$0]) } ?? [])
        try filtered.send(words.words, database, router, &repaired)
      case .repair(let names): repaired.formUnion(names)
      case .drop, .begin, .commit, .consumed: break
      case let decision: Issue.record("\(label): \(decision) in db \(database)")
      }
      for name in repaired {
        let entered = router.repairs.request(name, at: 1)
        #expect(entered)
      }
    }
    let (truth, found) = (try whole.digests(), try filtered.digests())
    #expect(truth.count > 20)
    for name in Set(truth.keys).union(found.keys) where !repaired.contains(name) {
      #expect(truth[name] == found[name], "\(label): \(name)")
    }
    print("\(label): \(truth.count) keys, \(repaired.count) to be repaired")
    #expect(repaired.count < truth.count / 2, "\(label): \(repaired)")
  }
}

/// A server that began with a recorded snapshot.
private final class Loaded {
  let server: RedisServer
  let connection: TestConnection
  private let folder: String
  private var selected = 0

  init(_ label: String, _ snapshot: [UInt8]) throws {
    var template = Array("/tmp/migr8sync-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw RedisServer.Failure(reason: "mkdtemp") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let file = try #require(fopen("\(folder)/loaded.rdb", "wb"))
    fwrite(snapshot, 1, snapshot.count, file)
    fclose(file)
    let isNew = label == "redis-7.4"
    server = try (isNew ? SourceKind.redis82 : .valkey81).start(
      ["--databases", "16", "--dir", folder, "--dbfilename", "loaded.rdb"]
        + (isNew ? [] : ["--import-mode", "yes"]))
    connection = try TestConnection(server)
    if !isNew { try connection("CLIENT", "IMPORT-SOURCE", "ON") }
  }

  deinit {
    unlink("\(folder)/loaded.rdb")
    rmdir(folder)
  }

  private func keys(_ database: Int) throws -> [[UInt8]] {
    try connection("SELECT", "\(database)")
    return try (connection("KEYS", "*").array ?? []).compactMap {
      if case .bulk(let key) = $0 { return key }
      return nil
    }
  }

  func removeOutside() throws {
    for database in 0..<16 {
      for key in try keys(database) where !key.starts(with: Array("in:".utf8)) {
        try connection.send([Array("DEL".utf8), key])
      }
    }
    try connection("SELECT", "0")
  }

  func send(
    _ words: [[UInt8]], _ database: Int?, _ router: CommandRouter, _ repaired: inout Set<KeyName>
  ) throws {
    if let database, database != selected {
      try connection("SELECT", "\(database)")
      selected = database
    }
    guard let line = try connection.send(words).errorLine else { return }
    let names = router.keysRefused(words, database: selected)
    let command = words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    // A script that only the recorded server knew.
    #expect(line.hasPrefix("NOSCRIPT") && !names.isEmpty, "\(command): \(line)")
    repaired.formUnion(names)
  }

  func digests() throws -> [KeyName: String] {
    var digests: [KeyName: String] = [:]
    for database in 0..<16 {
      for key in try keys(database) where key.starts(with: Array("in:".utf8)) {
        let reply = try connection.send([Array("DEBUG".utf8), Array("DIGEST-VALUE".utf8), key])
        digests[KeyName(database: database, key: key)] = reply.array?.first?.text
      }
    }
    return digests
  }
}
