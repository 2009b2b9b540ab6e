// Keys that expire while the destination is late: it is an ordinary primary and expires them by its own
// clock, while the source has renewed them in commands still under way. Whatever the reason of the lag,
// no key may be lost, left over, or come back; the truth is a native replica, which expires nothing by
// itself.

import Glibc
import Testing

@Suite("Keys that expire while the destination lags", .ownThread)
struct ExpiryTests {
  /// A source whose backlog reaches back over the whole test.
  private static let backlog = ["--repl-backlog-size", "64mb"]

  /// Source, destination, truth and application of one test.
  private struct Scene {
    let source: TestServer
    let destination: TestServer
    let native: NativeReplica
    let application: RenewingApplication
    private let fields: Bool

    init(_ kind: ServerKind, _ other: ServerKind, fields: Bool = false) throws {
      source = try TestServer(kind, ExpiryTests.backlog)
      destination = try TestServer(other)
      native = try NativeReplica(of: source)
      application = RenewingApplication(
        to: source, seed: .random(in: 1...1_000_000), fields: fields)
      self.fields = fields
    }

    func start(_ url: String? = nil) throws -> Subprocess {
      try Tool.start(
        [
          "sync", "-s", url ?? source.url, "-d", destination.url, "-p", "bump:", "--job",
          "renewing",
        ])
    }

    func awaitFollowing(_ tool: Subprocess) throws {
      try source.awaitToolFollowing(tool, besides: [native.server.port])
    }

    /// Waits until the source's clock has gone on by so many seconds: what is lost is lost by time.
    func await(seconds: Int) throws {
      let client = try source.client()
      func now() throws -> Int { Int(try client("TIME").elements[0].text) ?? 0 }
      let end = try now() + seconds
      try awaitCondition("the clock", seconds: Double(seconds) + 30) { try now() >= end }
    }

    /// Waits until every key that was there has expired where nobody has renewed it.
    func awaitALife() throws {
      try self.await(seconds: RenewingApplication.longestLifeSeconds + 2)
    }

    /// Stops the destination for longer than any key lives, and lets it go on for a while.
    func stopDestination() throws {
      destination.freeze()
      try awaitALife()
      destination.thaw()
      try self.await(seconds: 3)
    }

    /// Kills a tool that follows, starts it again after a while, and holds the destination against the truth.
    func killTheTool() throws {
      let first = try start()
      try awaitFollowing(first)
      try self.await(seconds: 3)
      first.kill()
      try awaitALife()
      let second = try start()
      try awaitFollowing(second)
      try self.await(seconds: 2)
      try conclude(second)
    }

    /// Fields that have expired need not be gone yet: what counts is what a reader sees, at a moment after
    /// both were read.
    private func expectEqualFields() throws {
      let (found, expected) = (try Self.fields(destination), try Self.fields(native.server))
      let now = wallClockMilliseconds()
      func living(_ fields: Set<Field>) -> Set<Field> {
        fields.filter { $0.expiries.allSatisfy { $0 < 0 || $0 > now } }
      }
      #expect(!living(expected).isEmpty)
      #expect(living(found) == living(expected))
    }

    private static func fields(_ server: TestServer) throws -> Set<Field> {
      let client = try server.client()
      var fields: Set<Field> = []
      for key in try client("KEYS", "bump:*").elements.map(\.text) {
        let replies = try client.pipeline([
          ["MULTI"], ["HGETALL", key], ["PEXPIRETIME", key], ["EXEC"],
        ])
        let parts = replies[3].elements
        let words = parts[0].elements.map(\.text)
        for index in stride(from: 0, to: words.count, by: 2) {
          let time = try client("HPEXPIRETIME", key, "FIELDS", 1, words[index]).elements.first?
            .number
          // -2: it expired in between.
          guard let time, time != -2 else { continue }
          fields.insert(
            Field(
              key: key, field: words[index], value: words[index + 1],
              expiries: [parts[1].number ?? 0, time]))
        }
      }
      return fields
    }

    /// Holds the destination against the truth. Returns what the tool has said.
    @discardableResult
    func conclude(_ tool: Subprocess) throws -> ToolResult {
      try application.stop()
      // What has expired at the source is removed there, and says so in the stream.
      try source.client()("KEYS", "*")
      try source.awaitToolInSync(tool, besides: [native.server.port])
      tool.send(signal: SIGINT)
      let result = try Tool.finish(tool)
      #expect(result.exitCode == 5, "\(result)")
      try native.promote()
      if fields {
        try expectEqualFields()
      } else {
        // No more than has to be: keys with less to live are not compared.
        try expectEqual(
          destination, to: native.server, prefixes: ["bump:"], afterStream: true,
          expiryTolerance: source.kind == .redis62 ? 2_000 : 0)
      }
      #expect(try source.resynchronisations()[0] == "2", "\(result)")
      return result
    }
  }

  /// A field and its value by key, with the times at which they expire.
  private struct Field: Hashable {
    let key: String
    let field: String
    let value: String
    let expiries: [Int]
  }

  private static let pairs: [(ServerKind, ServerKind)] = [
    (.redis62, .redis70), (.redis70, .redis82), (.redis82, .redis82), (.valkey81, .valkey81),
  ]

  @Test(arguments: pairs)
  func theDestinationStandsStill(source: ServerKind, destination: ServerKind) throws {
    let scene = try Scene(source, destination)
    let tool = try scene.start()
    try scene.awaitFollowing(tool)
    try scene.await(seconds: 3)
    try scene.stopDestination()
    let result = try scene.conclude(tool)
    #expect(result.standardError.contains("read again from the source"), "\(result)")
  }

  @Test(arguments: pairs)
  func theToolIsDeadForAWhile(source: ServerKind, destination: ServerKind) throws {
    let scene = try Scene(source, destination)
    try scene.killTheTool()
  }

  @Test func fieldsExpireWhileTheDestinationStandsStill() throws {
    let scene = try Scene(.redis82, .redis82, fields: true)
    let tool = try scene.start()
    try scene.awaitFollowing(tool)
    try scene.await(seconds: 2)
    try scene.stopDestination()
    try scene.conclude(tool)
  }

  @Test func fieldsExpireWhileTheToolIsDead() throws {
    let scene = try Scene(.redis82, .redis82, fields: true)
    try scene.killTheTool()
  }

  /// More commands than are remembered one by one, on keys that the destination has expired.
  @Test func aTransactionTooLargeToRememberFindsNothing() throws {
    let (source, destination) = (try TestServer(.redis70, Self.backlog), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    let (count, time) = (70_000, wallClockMilliseconds() + 3_600_000)
    let each = "for i = 1, ARGV[1] do "
    try writer(
      "EVAL", each + "redis.call('SET', 'bump:' .. i, i, 'PXAT', ARGV[2]) end", 0, count, time)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    try reader("EVAL", each + "redis.call('UNLINK', 'bump:' .. i) end", 0, count)
    try writer(
      "EVAL", each + "redis.call('PEXPIREAT', 'bump:' .. i, ARGV[2]) end", 0, count, time + 1)
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    let equal =
      "redis.call('GET', 'bump:' .. i) == tostring(i)"
      + " and redis.call('PEXPIRETIME', 'bump:' .. i) == tonumber(ARGV[2])"
    let found = try reader(
      "EVAL", "local n = 0 " + each + "if \(equal) then n = n + 1 end end return n", 0, count,
      time + 1)
    #expect(found.number == count, "\(result)")
    #expect(result.standardError.contains("too large to tell which"), "\(result)")
    #expect(try source.resynchronisations()[0] == "1", "\(result)")
  }

  /// What the source wrote meanwhile arrives all at once, and looks new.
  @Test(arguments: [ServerKind.redis70, .redis82])
  func theLinkIsCutForAWhile(kind: ServerKind) throws {
    let scene = try Scene(kind, kind)
    let proxy = try FaultyProxy(to: scene.source)
    defer { proxy.stop() }
    let tool = try scene.start(proxy.url)
    try scene.awaitFollowing(tool)
    try scene.await(seconds: 2)
    proxy.isHole.store(true, ordering: .releasing)
    try scene.awaitALife()
    proxy.isHole.store(false, ordering: .releasing)
    try scene.await(seconds: 2)
    try scene.conclude(tool)
  }

  /// Keys whose time has passed when the snapshot writes them, renewed in the stream behind it.
  @Test(arguments: [ServerKind.redis70, .redis82])
  func theSnapshotTakesLong(kind: ServerKind) throws {
    let scene = try Scene(kind, kind)
    try scene.await(seconds: 2)
    // Only their number counts: they make the snapshot last.
    try scene.source.client()("DEBUG", "POPULATE", 20_000, "other", 100)
    try scene.source.client()("CONFIG", "SET", "rdb-key-save-delay", 500)
    let tool = try scene.start()
    try scene.awaitFollowing(tool)
    try scene.source.client()("CONFIG", "SET", "rdb-key-save-delay", 0)
    try scene.await(seconds: 2)
    try scene.conclude(tool)
  }

  /// A Valkey in import mode expires nothing by itself: nothing has to be read again.
  @Test func importModeNeedsNoRepairs() throws {
    let scene = try Scene(.redis70, .valkey81)
    try scene.destination.client()("CONFIG", "SET", "import-mode", "yes")
    let tool = try scene.start()
    try scene.awaitFollowing(tool)
    // The mode is known once what follows the snapshot arrives.
    try scene.source.client()("SET", "bump:arrived", 1)
    let reader = try scene.destination.client()
    try awaitCondition("the stream to arrive", seconds: Tool.deadlineSeconds) {
      try reader("EXISTS", "bump:arrived").number == 1
    }
    scene.destination.freeze()
    try scene.awaitALife()
    scene.destination.thaw()
    try scene.await(seconds: 2)
    let result = try scene.conclude(tool)
    #expect(!result.standardError.contains("read again from the source"), "\(result)")
  }
}
