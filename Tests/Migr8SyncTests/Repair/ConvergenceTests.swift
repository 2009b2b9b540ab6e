// The proof of the filter: random commands of every kind on both sides of it, in transactions, in several
// databases, with keys that expire; a recorded stream through the router, repairs fetched and heard at
// random moments, crashes in between. In the end the destination holds what the source holds, seen
// through the mapping, and nothing else.
//
// The destination is a Valkey in import mode, so that keys expire by the source's word alone, however
// far the applier lags behind.

import Glibc
import ReplicaLink
import Testing

@testable import Migr8Sync

/// One way to look at the source.
private enum View: String, CaseIterable {
  /// A prefix and two of three databases, at a destination of our own.
  case prefix
  /// The same where the destination holds keys of others.
  case shared
  /// With renames and another number for a database.
  case renamed
  /// Everything.
  case mirror
  /// A prefix, at a destination that knows fields with a time to live.
  case fields

  func mapping() -> KeyMapping {
    let filter = KeyFilter(prefixes: [Array("in:".utf8)], databases: [0, 1])
    return switch self {
    case .prefix, .shared, .fields: KeyMapping(filter)
    case .renamed:
      KeyMapping(
        filter,
        rewrites: [("in:s", "text:"), ("in:e", "in:sets:"), ("in:z", "")].map {
          KeyRewrite(old: Array($0.0.utf8), new: Array($0.1.utf8))
        }, databases: [1: 3])
    case .mirror: KeyMapping(KeyFilter())
    }
  }
}

@Suite(.enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"), .serialized)
struct ConvergenceTests {
  static let steps = getenv("MIGR8SYNC_STEPS").flatMap { Int(String(cString: $0)) } ?? 2_000

  /// Steps after which both sides come to rest and are compared.
  static let stepsPerRound = 200

  @Test(arguments: SourceKind.allCases)
  func theDestinationHoldsTheSourceSeenThroughAPrefix(kind: SourceKind) throws {
    try run(kind, .prefix)
  }

  @Test(arguments: [SourceKind.redis62, .redis70])
  func besideKeysOfOthers(kind: SourceKind) throws {
    try run(kind, .shared)
  }

  @Test(arguments: [SourceKind.redis62, .redis70])
  func underOtherNames(kind: SourceKind) throws {
    try run(kind, .renamed)
  }

  @Test(arguments: [SourceKind.redis70]) func asAMirror(kind: SourceKind) throws {
    try run(kind, .mirror)
  }

  /// Scripts as old sources send them: the script itself, not its effects.
  @Test func withScriptsInTheStream() throws {
    try run(.redis62, .prefix, ["--lua-replicate-commands", "no"])
  }

  /// Fields that expire, far in the future: the destination goes by its own clock here.
  @Test func withFieldsThatExpire() throws {
    try run(.redis82, .fields)
  }

  /// The source is a replica, and the program's own thread asks it.
  @Test(arguments: [SourceKind.redis62, .redis70]) func fromAReplica(kind: SourceKind) throws {
    let (master, port) = try kind.startMaster()
    try run(kind, .prefix, ["--replicaof", "127.0.0.1", "\(port)"], master: master)
  }

  private func run(
    _ kind: SourceKind, _ view: View, _ options: [String] = [], master: RedisServer? = nil
  ) throws {
    let seed =
      getenv("MIGR8SYNC_SEED").flatMap { UInt64(String(cString: $0)) }
      ?? UInt64.random(in: 0..<1_000_000)
    print("\(kind) \(view.rawValue): MIGR8SYNC_SEED=\(seed)")
    let source = try kind.start(options)
    let (server, target) = try startDestination(view)
    if view == .shared { try target("SET", "theirs", "1") }
    if master != nil { try awaitAttached(source) }
    let stream = try RawReplica(of: source)
    let url = try RedisURL(source.url)
    let fetcher = RepairFetcher(source: { () throws(LinkError) in url }, timeouts: Timeouts())
    let thread = fetcher.start()
    defer {
      fetcher.stop()
      thread.join()
    }
    let applier = try Applier(
      router: CommandRouter(
        mapping: view.mapping(), table: try table(of: source),
        destinationIsOurs: view != .shared, database: 0),
      source: source, target: target, offset: stream.startOffset, seed: seed,
      fetcher: master == nil ? nil : fetcher)
    do {
      var random = SeededGenerator(seed: seed ^ 3)
      var workload = RandomWorkload(
        seed: seed, exchangesDatabases: view != .shared, expires: view == .fields ? .fields : .keys)
      var compared = 0
      for _ in 0..<Self.steps / Self.stepsPerRound {
        try play(&workload, master ?? source, source, stream, applier, &random)
        compared += try compare(source, target, view, kind, applier)
      }
      #expect(compared > Self.steps / Self.stepsPerRound * 5)
    } catch {
      Issue.record("\(kind) \(view.rawValue), seed \(seed): \(error)")
    }
    withExtendedLifetime(server) {}
    #expect(applier.refusals == 0, "\(applier.history.filter { $0.contains("refused") })")
    let counts = RoutingKind.allCases.map { "\($0.name) \(applier.counts[$0])" }
    print(
      "\(kind) \(view.rawValue): \(counts.joined(separator: ", ")); late"
        + " \(applier.lateValues)")
    if view != .mirror {
      for kind in [RoutingKind.forwarded, .split, .translated, .repaired, .otherKeys] {
        #expect(applier.counts[kind] > 0, "seed \(seed): no \(kind)")
      }
    }
  }

  private func awaitAttached(_ replica: RedisServer) throws {
    let client = try TestConnection(replica)
    while !ServerFacts(info: try client("INFO", "replication").text ?? "").isMasterLinkUp {}
  }

  private func startDestination(_ view: View) throws -> (RedisServer, TestConnection) {
    if view != .fields { return try SourceKind.startDestination() }
    let server = try SourceKind.redis82.start()
    return (server, try TestConnection(server))
  }

  private func table(of source: RedisServer) throws -> CommandTable {
    var connection = try RedisConnection.open(try RedisURL(source.url), timeouts: Timeouts())
    return try CommandTable.learned(from: &connection)
  }

  private func play(
    _ workload: inout RandomWorkload, _ master: RedisServer, _ source: RedisServer,
    _ stream: RawReplica, _ applier: Applier, _ random: inout SeededGenerator
  ) throws {
    let client = try TestConnection(master)
    let asking = try TestConnection(source)
    for _ in 0..<Self.stepsPerRound {
      let commands = workload.next()
      for command in commands { client.enqueue(command) }
      for _ in commands { _ = try client.receive() }
      try stream.pump()
      // Most of the time everything, sometimes nothing for a while.
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        guard let command = try stream.next() else { break }
        try applier.apply(command)
      }
    }
    try awaitExpiry(client)
    let end = try client.offset()
    while try asking.offset() < end {}
    try stream.pump(upTo: end)
    while let command = try stream.next() { try applier.apply(command) }
    try applier.settle {
      try stream.pump(upTo: asking.offset())
      while let command = try stream.next() { try applier.apply(command) }
    }
  }

  /// Until every key that is to expire soon has.
  private func awaitExpiry(_ client: TestConnection) throws {
    var isWaiting = true
    while isWaiting {
      isWaiting = false
      for database in 0..<RandomWorkload.databases {
        try client("SELECT", "\(database)")
        let keys = try client("KEYS", "*").array ?? []
        // A key that has expired and is not removed yet counts, but is not shown.
        if try client("DBSIZE").integer != Int64(keys.count) { isWaiting = true }
        for key in keys {
          guard case .bulk(let bytes) = key else { continue }
          let time = try client.send([Array("PTTL".utf8), bytes]).integer ?? -2
          if time >= 0, time < Int64(RandomWorkload.longMilliseconds / 2) { isWaiting = true }
        }
      }
    }
  }

  // MARK: The end

  /// What is known of a key.
  private struct Content: Equatable {
    var digest: String
    /// Consumer groups of a stream; the deadlines of a hash's fields.
    var details: String
    var expiry: Int64
  }

  private func contents(
    _ connection: TestConnection, _ key: [UInt8], _ hasExpireTime: Bool, _ view: View
  ) throws -> Content {
    let digest = try connection.send([Array("DEBUG".utf8), Array("DIGEST-VALUE".utf8), key])
    var details = ""
    let type = try connection.send([Array("TYPE".utf8), key]).text
    if type == "hash", view == .fields {
      for field in RandomWorkload.fields {
        let command =
          ["HPEXPIRETIME".utf8.map { $0 }, key] + ["FIELDS", "1", field].map { Array($0.utf8) }
        details += "\(try connection.send(command).array?.first?.text ?? "") "
      }
    }
    if type == "stream" {
      for group in try connection.send([Array("XINFO".utf8), Array("GROUPS".utf8), key]).array ?? []
      {
        // name, consumers, pending, last-delivered-id, and what not all versions replicate. Nor do
        // Redis 8.2 and Valkey 8.1 replicate a consumer that came with a read of nothing.
        let fields = (group.array ?? []).compactMap(\.text)
        details += (fields.prefix(2) + fields.dropFirst(4).prefix(4)).joined(separator: " ") + ";"
      }
    }
    // Servers print scores in different ways in their digests; these are the numbers.
    if type == "zset" {
      let words = try shown(connection, key).split(separator: " ")
      details = words.map { Double($0).map { "\($0)" } ?? String($0) }.joined(separator: " ")
    }
    let time = try connection.send([Array((hasExpireTime ? "PEXPIRETIME" : "PTTL").utf8), key])
    return Content(
      digest: type == "zset" ? "" : digest.array?.first?.text ?? "\(digest)", details: details,
      expiry: time.integer ?? -3
    )
  }

  /// The value, for a message.
  private func shown(_ connection: TestConnection, _ key: [UInt8]) throws -> String {
    let command: [String] =
      switch try connection.send([Array("TYPE".utf8), key]).text {
      case "string": ["GET"]
      case "list": ["LRANGE", "0", "-1"]
      case "zset": ["ZRANGE", "0", "-1", "WITHSCORES"]
      case "set": ["SMEMBERS"]
      case "hash": ["HGETALL"]
      default: ["EXISTS"]
      }
    let words = command.map { Array($0.utf8) }
    let reply = try connection.send([words[0], key] + words.dropFirst())
    return (reply.array ?? [reply]).map { $0.text ?? "-" }.joined(separator: " ")
  }

  private func compare(
    _ source: RedisServer, _ target: TestConnection, _ view: View, _ kind: SourceKind,
    _ applier: Applier
  ) throws -> Int {
    applier.forgetSelection()
    let client = try TestConnection(source)
    let mapping = view.mapping()
    var expected: Set<KeyName> =
      view == .shared ? [KeyName(database: 0, key: Array("theirs".utf8))] : []
    var compared = 0
    for database in 0..<RandomWorkload.databases where mapping.filter.matches(database: database) {
      try client("SELECT", "\(database)")
      try target("SELECT", "\(mapping.destination(of: database))")
      for reply in try client("KEYS", "*").array ?? [] {
        guard case .bulk(let key) = reply, mapping.filter.matches(key: key.span) else { continue }
        let name = mapping.destinationKey(of: key)
        expected.insert(KeyName(database: mapping.destination(of: database), key: name))
        var truth = try contents(client, key, kind.hasExpireTime, view)
        let found = try contents(target, name, kind.hasExpireTime, view)
        // Times to live of old sources are made absolute by the receiver's clock.
        if kind == .redis62, abs(truth.expiry - found.expiry) < 2_000, found.expiry > 0 {
          truth.expiry = found.expiry
        }
        compared += 1
        if truth != found {
          let text = String(decoding: key, as: UTF8.self)
          let lines = applier.history.filter { $0.contains(text) || $0.contains("SWAPDB") }.suffix(
            30)
          Issue.record(
            """
            db \(database) \(text): \(truth) \(try shown(client, key))
            became \(found) \(try shown(target, name))
            \(lines.joined(separator: "\n"))
            """)
        }
      }
    }
    for database in 0..<4 {
      try target("SELECT", "\(database)")
      for reply in try target("KEYS", "*").array ?? [] {
        guard case .bulk(let key) = reply else { continue }
        let name = KeyName(database: database, key: key)
        if !expected.contains(name) {
          let text = String(decoding: mapping.sourceKey(of: key) ?? key, as: UTF8.self)
          let lines = applier.history.filter { $0.contains(text) }.suffix(12)
          Issue.record("\(name) should not be there\n\(lines.joined(separator: "\n"))")
        }
      }
    }
    return compared
  }
}
