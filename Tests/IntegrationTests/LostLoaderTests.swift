// The connections that carry the snapshot are lost, again and again: what was not answered is sent once
// more, and the source is not asked for another snapshot.

import Glibc
import Testing

@Suite("Lost connections while the snapshot is written", .ownThread)
struct LostLoaderTests {
  private static let keyCount = 150_000

  private func run(
    _ source: TestServer, _ destination: TestServer, _ more: [String], step: Int
  ) throws -> ToolResult {
    let proxy = try FaultyProxy(to: destination, bytesPerSecond: 3 << 20)
    defer { proxy.stop() }
    let tool = try Tool.start(["sync", "-s", source.url, "-d", proxy.url, "-p", "bump:"] + more)
    let client = try destination.client()
    var next = step
    var ended = 0
    try awaitCondition("the snapshot to be there", seconds: Tool.deadlineSeconds) {
      try #require(tool.isRunning, "\(tool.standardError)")
      let count = try client("DBSIZE").number ?? 0
      if count >= next {
        ended += try client.endToolConnections()
        next = count + step
      }
      return next > Self.keyCount
    }
    #expect(ended > 8)
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    return result
  }

  @Test(arguments: ["fail", "replace", "skip"])
  func costNoSnapshot(policy: String) throws {
    let source = try TestServer()
    let destination = try TestServer()
    try SampleData.fill(source)
    try source.client()("DEBUG", "POPULATE", Self.keyCount, "bump:many", 100)
    let result = try run(source, destination, ["--on-conflict", policy], step: 15_000)
    #expect(result.standardError.contains("sent again"), "\(result)")
    #expect(try source.resynchronisations()[0] == "1", "\(result)")
    try expectEqual(destination, to: source, prefixes: ["bump:"])
  }

  /// A value that is built in parts may be lost in its middle: then there is no other way but a new
  /// snapshot, and never a part too many.
  @Test func neverDoubleAPartOfALargeValue() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let writer = try source.client()
    for key in 0..<12 {
      try writer(
        "EVAL",
        "for i = 1, 20000 do redis.call('RPUSH', KEYS[1], string.rep('x', 100) .. i) end", 1,
        "bump:list:\(key)")
    }
    try writer("DEBUG", "POPULATE", Self.keyCount, "bump:many", 100)
    _ = try run(source, destination, [], step: 25_000)
    try expectEqual(destination, to: source, prefixes: ["bump:"])
  }

  /// One that is somebody else's is a conflict all the same, though connections are lost.
  /// What has been sent of a value expires where its rest is too long in coming: the rest alone is not the value.
  @Test func thePartOfALargeValueThatHasExpired() throws {
    let source = try TestServer(.redis70, ["--rdbcompression", "no"])
    let destination = try TestServer()
    let (writer, reader) = (try source.client(), try destination.client())
    let filling = "for i = 1, 40000 do redis.call('RPUSH', KEYS[1], i .. ARGV[1]) end"
    try writer("EVAL", filling, 1, "bump:list", String(repeating: "x", count: 100))
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--max-rate", "1mb",
    ])
    let part = "bump:list:migr8sync-partial"
    try awaitCondition("a part of it") { try reader("LLEN", part).number ?? 0 > 5_000 }
    try reader("DEL", part)
    try awaitCondition("the tool to notice") { tool.standardError.contains("has expired") }
    try source.awaitToolFollowing(tool)
    #expect(try reader("LLEN", "bump:list").number == 40_000)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// A large hash may be gone in its middle and all the same be right: its fields expire one by one.
  @Test func aLargeHashWhoseFieldsExpireOnTheWay() throws {
    let source = try TestServer(.redis82, ["--rdbcompression", "no"])
    let destination = try TestServer(.redis82)
    let writer = try source.client()
    let filling = """
      for i = 1, 20000 do
        redis.call('HSET', KEYS[1], i, i .. ARGV[1])
        redis.call('HPEXPIRE', KEYS[1], 4000, 'FIELDS', 1, i)
      end
      """
    try writer("EVAL", filling, 1, "bump:hash", String(repeating: "x", count: 100))
    try writer("SET", "bump:other", "1")
    let result = try Tool.run([
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--once", "--max-rate",
      "500kb",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try source.resynchronisations()[0] == "1", "\(result)")
    let reader = try destination.client()
    #expect(try reader("GET", "bump:other").text == "1")
    #expect(try reader("EXISTS", "bump:hash").number == 0)
  }

  @Test func aStrangersKeyIsStillAConflict() throws {
    let source = try TestServer()
    let destination = try TestServer()
    try source.client()("DEBUG", "POPULATE", Self.keyCount, "bump:many", 100)
    let proxy = try FaultyProxy(to: destination, bytesPerSecond: 1 << 20)
    defer { proxy.stop() }
    let tool = try Tool.start(["sync", "-q", "-s", source.url, "-d", proxy.url, "-p", "bump:"])
    let client = try destination.client()
    try awaitCondition("some of the snapshot") { (try client("DBSIZE").number ?? 0) > 10_000 }
    _ = try client.endToolConnections()
    // Among so many there is one that was not under way when the connections ended.
    var strangers = 0
    for number in 0..<Self.keyCount where strangers < 500 {
      if try client("SET", "bump:many:\(number)", "a stranger's", "NX") != .null { strangers += 1 }
    }
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("has appeared at the destination"), "\(result)")
  }
}
