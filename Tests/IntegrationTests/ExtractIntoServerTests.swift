// extract --dest: a server that was written to holds what a server holds that has loaded the file itself.

import Foundation
import Testing

@Suite("Extracting into a server", .ownThread)
struct ExtractIntoServerTests {
  /// A file with every type, values that are built in parts, and keys that have expired.
  private func save(_ server: TestServer, fieldExpiries: Bool = true) throws -> String {
    try SampleData.fill(server, fieldExpiries: fieldExpiries)
    try SampleData.fillLarge(server, prefix: "bump:large:")
    let client = try server.client()
    try client("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    for number in 0..<20 { try client("SET", "bump:gone:\(number)", "x", "PX", 1) }
    return try server.save()
  }

  @Test(arguments: ServerKind.pairs)
  func isLikeLoadingTheFile(source kind: ServerKind, destination other: ServerKind) throws {
    let source = try TestServer(kind)
    let (loaded, written) = (try TestServer(other), try TestServer(other))
    let file = try save(source)
    try loaded.load(file)
    let result = try Tool.run(["extract", file, "--dest", written.url])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput == "" && result.standardError.contains("keys were written to"))
    // What only newer servers keep of a stream is made up where the file is an older one's.
    let detail = StreamDetail(kind)
    let truth = try Keyspace(of: loaded, streams: detail)
    #expect(try Keyspace(of: written, streams: detail).differences(from: truth) == [])
    if kind == other { #expect(try written.digest() == loaded.digest()) }
  }

  /// What an older server cannot RESTORE comes as commands.
  @Test func anOlderServerTakesWhatItCanHold() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis62))
    let file = try save(source, fieldExpiries: false)
    let result = try Tool.run(["extract", file, "--dest", destination.url])
    #expect(result.exitCode == 0, "\(result)")
    try expectEqual(destination, to: source)
  }

  @Test func rulesNamesAndDatabasesAreThoseOfSync() throws {
    let (source, synced, written) = (try TestServer(), try TestServer(), try TestServer())
    let file = try save(source)
    let rules = [
      "-p", "bump:", "--exclude-prefix", "bump:s", "--db", "0,3", "--rewrite", "bump:=moved:",
      "--db-map", "0=9,3=2",
    ]
    let sync = try Tool.run(["sync", "--once", "-s", source.url, "-d", synced.url] + rules)
    #expect(sync.exitCode == 0, "\(sync)")
    let piped = try Subprocess(
      "sh",
      [
        "-c",
        "cat \(file) | \(Tool.path) extract - -d \(written.url) -w 2 \(rules.joined(separator: " "))",
      ]
    )
    #expect(try piped.wait(seconds: Tool.deadlineSeconds) == 0, "\(piped.standardError)")
    try expectEqual(written, to: synced)
    #expect(try written.client()("EXISTS", "bump:int").number == 0)
  }

  @Test func existingKeysAreRefusedKeptOrReplaced() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try source.client()("MSET", "bump:a", "theirs", "bump:b", "theirs", "other", "theirs")
    let file = try source.save()
    let client = try destination.client()
    try client("MSET", "bump:a", "mine", "other", "mine")
    func run(_ options: [String]) throws -> ToolResult {
      try Tool.run(["extract", file, "-d", destination.url, "-p", "bump:"] + options)
    }
    let refused = try run([])
    #expect(refused.exitCode == 4 && refused.errorLines.count == 1, "\(refused)")
    #expect(refused.standardError.contains("bump:a") && !refused.standardError.contains("other"))
    #expect(try client("EXISTS", "bump:b").number == 0)

    let kept = try run(["--on-conflict", "skip"])
    #expect(kept.exitCode == 0 && kept.standardError.contains("1 that it had were left alone"))
    #expect(try client("MGET", "bump:a", "bump:b").elements.map(\.text) == ["mine", "theirs"])

    let replaced = try run(["--on-conflict", "replace", "-q"])
    #expect(replaced.exitCode == 0 && replaced.standardError == "", "\(replaced)")
    #expect(try client("MGET", "bump:a", "other").elements.map(\.text) == ["theirs", "mine"])
  }

  @Test func contradictionsAreRefused() throws {
    for (options, word) in [
      (["-d", "redis://h", "-o", "f"], "--output"),
      (["-d", "redis://h", "--format", "resp"], "--format"),
      (["--workers", "2"], "--dest"), (["-d", "redis://h/3"], "db"),
    ] {
      let result = try Tool.run(["extract", "none.rdb"] + options)
      #expect(result.exitCode == 2 && result.standardError.contains(word), "\(result)")
    }
  }

  // MARK: Trouble

  private func manyKeys(_ count: Int = 60_000) throws -> (server: TestServer, file: String) {
    let server = try TestServer()
    try server.client()("DEBUG", "POPULATE", count, "bump:many", 100)
    return (server, try server.save())
  }

  private func manyKeys(_ count: Int = 60_000, in folder: ScratchFolder) throws -> String {
    let (server, file) = try manyKeys(count)
    // The server's folder goes with it.
    return try withExtendedLifetime(server) { try folder.copy(file, "many.rdb") }
  }

  /// The number of keys that the last line says were written, which is the number there.
  private func expectTrueNumber(_ result: ToolResult, at destination: TestServer) throws {
    let line = try #require(result.errorLines.last { $0.hasPrefix("migr8sync: ") }, "\(result)")
    let words = line.split(separator: " ").map(String.init)
    let place = try #require(words.firstIndex(of: "keys"), "\(line)")
    let number = Int(words[place - 1].filter { $0 != "," && $0 != "(" })
    let count = try destination.client()("DBSIZE").number ?? 0
    // Answers that did not come are told.
    let isExact = !line.contains("at least ")
    #expect(isExact ? count == number : count >= number ?? .max, "\(count), and \(line)")
  }

  @Test func aServerThatStaysOutOfMemoryEndsTheRun() throws {
    let folder = try ScratchFolder()
    let file = try manyKeys(in: folder)
    let destination = try TestServer()
    let client = try destination.client()
    let used = try #require(Int(try client.info("memory")["used_memory"] ?? ""))
    try client("CONFIG", "SET", "maxmemory", used + 8_000_000)
    let result = try Tool.run([
      "extract", file, "--dest", destination.url, "--io-timeout", "1s",
    ])
    #expect(result.exitCode == 1 && result.standardError.contains("given up after"), "\(result)")
    #expect(result.standardError.contains("out of memory (raise its maxmemory"), "\(result)")
    try expectTrueNumber(result, at: destination)
  }

  @Test func memoryThatIsRaisedIsUsed() throws {
    let (source, file) = try manyKeys()
    let destination = try TestServer()
    let client = try destination.client()
    let used = try #require(Int(try client.info("memory")["used_memory"] ?? ""))
    try client("CONFIG", "SET", "maxmemory", used + 8_000_000)
    let tool = try Tool.start(["extract", file, "--dest", destination.url])
    try tool.awaitError("out of memory")
    try client("CONFIG", "SET", "maxmemory", 0)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.digest() == source.digest())
  }

  @Test func aLostServerEndsTheRun() throws {
    let folder = try ScratchFolder()
    let file = try manyKeys(in: folder)
    let destination = try TestServer()
    let proxy = try FaultyProxy(to: destination, bytesPerSecond: 1 << 20)
    defer { proxy.stop() }
    let tool = try Tool.start(["extract", file, "--dest", proxy.url, "--io-timeout", "1s"])
    let client = try destination.client()
    try awaitCondition("some keys") { (try client("DBSIZE").number ?? 0) > 3_000 }
    destination.crash()
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    let last = try #require(result.errorLines.last)
    #expect(last.hasPrefix("migr8sync: ") && last.contains("keys were written to"), "\(result)")
  }

  @Test func connectionsThatAreLostAreMadeAnew() throws {
    let (source, file) = try manyKeys()
    let destination = try TestServer()
    let proxy = try FaultyProxy(to: destination, bytesPerSecond: 2 << 20)
    defer { proxy.stop() }
    let tool = try Tool.start(["extract", file, "--dest", proxy.url])
    let client = try destination.client()
    var ended = 0
    try awaitCondition("connections to be ended", seconds: Tool.deadlineSeconds) {
      try #require(tool.isRunning, "\(tool.standardError)")
      guard (try client("DBSIZE").number ?? 0) >= 5_000 * (ended + 1) else { return false }
      try client.endConnections(ofType: "normal")
      ended += 1
      return ended == 5
    }
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 0 && result.standardError.contains("sent again"), "\(result)")
    #expect(try destination.digest() == source.digest())
  }

  @Test func aStopFinishesWhatIsUnderWay() throws {
    let folder = try ScratchFolder()
    let file = try manyKeys(in: folder)
    let destination = try TestServer()
    let tool = try Tool.start(["extract", file, "--dest", destination.url, "--max-rate", "5000"])
    let client = try destination.client()
    try awaitCondition("some keys") { (try client("DBSIZE").number ?? 0) > 1_000 }
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    try expectTrueNumber(result, at: destination)
  }

  @Test func damageEndsTheRunAndSaysWhatIsThere() throws {
    let folder = try ScratchFolder()
    let file = try manyKeys(5_000, in: folder)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
    let cut = try folder.write(Array(bytes[..<(bytes.count / 2)]), "cut.rdb")
    for options in [[], ["--keep-going"]] {
      let destination = try TestServer()
      let result = try Tool.run(["extract", cut, "--dest", destination.url] + options)
      #expect(result.exitCode == 1 && result.errorLines.count == 1, "\(result)")
      #expect(result.standardError.contains("RDB offset "), "\(result)")
      try expectTrueNumber(result, at: destination)
      #expect((try destination.client()("DBSIZE").number ?? 0) > 2_000)
    }
  }
}
