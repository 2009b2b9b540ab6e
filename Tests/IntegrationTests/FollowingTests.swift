// An application writes throughout; at the end both sides are equal. The truth is a native replica of
// the source, which was attached all the time.

import Glibc
import Testing

@Suite("Following a source that is written to", .ownThread)
struct FollowingTests {
  @Test(arguments: ServerKind.pairs)
  func bothSidesAreEqualAtTheEnd(source kind: ServerKind, destination other: ServerKind) throws {
    try follow(kind, other, prefixes: [Application.inside])
  }

  @Test(arguments: ServerKind.allCases)
  func theWholeKeyspaceIsMirrored(kind: ServerKind) throws {
    try follow(kind, kind, prefixes: [])
  }

  private func follow(_ kind: ServerKind, _ other: ServerKind, prefixes: [String]) throws {
    let source = try TestServer(kind)
    let destination = try TestServer(other)
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    try application.awaitCommands(2000)

    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url] + prefixes.flatMap { ["-p", $0] })
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try application.awaitCommands(20_000)
    try native.conclude(application, tool, destination, fulls: 2, prefixes: prefixes)
    #expect(
      try source.resynchronisations() == ["2", "0"], "the native replica and the tool, once each")
  }

  /// Sources before 7.0 can send scripts as they are, with those that fail behind their first write.
  @Test func scriptsThatFailAtTheSourceTooEndNothing() throws {
    let source = try TestServer(.redis62, ["--lua-replicate-commands", "no"])
    let destination = try TestServer(.redis62)
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("SET", "bump:text", "no set")
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    let script = "redis.call('RPUSH', KEYS[1], ARGV[1]) redis.call('SADD', KEYS[2], ARGV[1])"
    for number in 0..<12 {
      let reply = try writer.reply(to: "EVAL", script, 2, "bump:list", "bump:text", number)
      guard case .error = reply else { throw TestFailure("the script did not fail: \(reply)") }
      try source.awaitToolInSync(tool)
    }
    #expect(
      try reader("LRANGE", "bump:list", 0, -1) == writer("LRANGE", "bump:list", 0, -1))
    #expect(try reader("LLEN", "bump:list").number == 12)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// Sources before 7.0 send a script whole once and by its name from then on. When the first call was about
  /// other keys, the destination has never seen it, and what it does is repaired; also in a transaction
  /// that is larger than a batch, where the keys of a script are far behind its name.
  @Test(arguments: [ServerKind.redis62, .redis70, .valkey81])
  func scriptsThatTheDestinationHasNotSeen(kind: ServerKind) throws {
    let source = try TestServer(.redis62, ["--lua-replicate-commands", "no"])
    let destination = try TestServer(kind)
    let (writer, reader) = (try source.client(), try destination.client())
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    let script = "return redis.call('RPUSH', KEYS[1], ARGV[1])"
    let name = try writer("SCRIPT", "LOAD", script).text
    try writer("EVALSHA", name, 1, "other:list", "x")
    for number in 0..<20 {
      try writer("RPUSH", "bump:plain", number)
      try writer("MULTI")
      try writer("EVALSHA", name, 1, "bump:list", number)
      if number % 7 == 0 {
        try writer("SET", "bump:large", String(repeating: "x", count: 1_300_000))
        try writer("SET", "bump:small", number)
      }
      try writer("EXEC")
      if number % 5 == 0 { try source.awaitToolInSync(tool) }
    }
    try source.awaitToolInSync(tool)
    for key in ["bump:list", "bump:plain"] {
      #expect(try reader("LRANGE", key, 0, -1) == writer("LRANGE", key, 0, -1))
      #expect(try reader("LLEN", key).number == 20)
    }
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// An acknowledged write is on the destination: WAIT at the source means what it says.
  @Test func waitAtTheSourceMeansAppliedAtTheDestination() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("SET", "bump:first", 1)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    for number in 0..<50 {
      try writer("SET", "bump:waited", number)
      #expect(try writer("WAIT", 1, 20_000).number == 1)
      #expect(try reader("GET", "bump:waited").text == "\(number)")
    }
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// Nobody at the destination sees half a transaction.
  @Test func transactionsStayAtomic() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("MSET", "bump:a", 0, "other:a", 0, "bump:b", 0)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    for _ in 0..<100 {
      _ = try writer.pipeline(
        (0..<20).flatMap { _ in
          [["MULTI"], ["INCR", "bump:a"], ["INCR", "other:a"], ["INCR", "bump:b"], ["EXEC"]]
        })
      let seen = try reader("MGET", "bump:a", "bump:b").elements
      #expect(seen.count == 2 && seen[0] == seen[1])
    }
    try source.awaitToolInSync(tool)
    #expect(try reader("GET", "bump:a").text == "2000")
    #expect(try reader("EXISTS", "other:a").number == 0)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// A source of this kind of job must never see a command that locks it.
  @Test func theSourceIsOnlyRead() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try SampleData.fill(source)
    let before = try Keyspace(of: source)
    try source.client()("CONFIG", "RESETSTAT")
    let result = try Tool.run(
      ["sync", "--once", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    #expect(result.exitCode == 0, "\(result)")
    let commands = try source.client().info("commandstats").keys
      .map { String($0.dropFirst("cmdstat_".count)) }
    let allowed: Set = [
      "ping", "auth", "hello", "replconf", "psync", "info", "command", "command|info",
      "command|count",
      "config|get", "config|resetstat", "acl|whoami", "acl|dryrun", "client|setname",
      "client|setinfo",
      "role", "time", "command|getkeys", "command|docs", "command|list", "dbsize", "client|id",
      "module|list",
    ]
    #expect(Set(commands).subtracting(allowed) == [])
    #expect(try Keyspace(of: source).differences(from: before) == [])
  }
}
