// `migr8sync check --rdb`: what stands in a file, against what a destination can take. The files are the corpus,
// whose contents stand beside them.

import Glibc
import Testing

@Suite("Looking at a file before a run", .ownThread)
struct CheckFileTests {
  private static func check(_ name: String, _ kind: ServerKind) throws -> ToolResult {
    let server = try TestServer(kind)
    return try Tool.run([
      "check", "--rdb", "\(packageRoot)/Tests/Fixtures/rdb/\(name).rdb", "-d", server.url,
    ])
  }

  private static func row(_ result: ToolResult, _ subject: String) -> String? {
    result.standardOutput.split(separator: "\n").map(String.init).first { line in
      line.dropFirst(8).hasPrefix(subject + " ")
    }
  }

  /// Corpus file, destination, row, its level, a word of it.
  @Test(arguments: [
    ("hash_listpack_ttl_v12", ServerKind.redis82, "type hash", "pass"),
    ("hash_listpack_ttl_v12", .redis82, "field expiry", "pass"),
    ("hash_listpack_ttl_v12", .redis70, "field expiry", "fail"),
    ("hash_listpack_ttl_v12", .valkey81, "field expiry", "fail"),
    ("hash_listpack_v10", .redis62, "type hash", "warn"),
    ("hash_listpack_v10", .redis70, "type hash", "pass"),
    ("set_listpack_v11", .redis70, "type set", "warn"),
    ("stream_groups_v11", .redis62, "consumer groups", "pass"),
    ("stream_groups_v9", .redis62, "type stream", "pass"),
    ("string_functions_v10", .redis62, "functions", "warn"),
    ("string_functions_v10", .redis70, "functions", "pass"),
    ("zset_ziplist_v9", .valkey81, "type zset", "pass"),
  ])
  func whatTheDestinationCanTake(
    name: String, kind: ServerKind, subject: String, level: String
  ) throws {
    let result = try Self.check(name, kind)
    let row = try #require(Self.row(result, subject), "\(result)")
    #expect(row.hasPrefix("  \(level)  "), "\(result)")
    #expect(result.exitCode == (level == "fail" ? 4 : 0), "\(result)")
  }

  @Test func theNumbersAreThoseOfTheServer() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis82))
    try SampleData.fill(source)
    let client = try source.client()
    try client("SAVE")
    let held = Dictionary(grouping: try Keyspace(of: source).keys) { $0.value.type }
    let result = try Tool.run([
      "check", "--rdb", source.folder + "/dump.rdb", "-d", destination.url,
    ])
    #expect(result.exitCode == 0, "\(result)")
    for (type, keys) in held {
      #expect(
        Self.row(result, "type \(type)")?.contains(" \(keys.count) keys") == true, "\(result)")
    }
    let both = try Tool.run([
      "check", "--rdb", source.folder + "/dump.rdb", "-s", source.url, "-d", destination.url,
    ])
    #expect(both.exitCode == 0 && Self.row(both, "type stream") != nil, "\(both)")
    #expect(Self.row(both, "source reachable") != nil)
  }

  @Test func damageIsARowAndAFileThatIsNotThereAnError() throws {
    let server = try TestServer()
    let folder = try makeTemporaryFolder()
    defer { removeFolder(folder) }
    let copied = try Subprocess(
      "sh",
      [
        "-c",
        "head -c 60 '\(packageRoot)/Tests/Fixtures/rdb/hash_hashtable_v11.rdb' > \(folder)/cut.rdb",
      ])
    #expect(try copied.wait(seconds: 10) == 0)
    let cut = try Tool.run(["check", "--rdb", folder + "/cut.rdb", "-d", server.url])
    #expect(cut.exitCode == 4 && Self.row(cut, "file")?.hasPrefix("  fail") == true, "\(cut)")
    expectLine(
      try Tool.run(["check", "--rdb", folder + "/none", "-d", server.url]), code: 1,
      saying: ["none", "no such file"])
    expectLine(try Tool.run(["check", "--rdb", "x"]), code: 2, saying: ["--dest"])
    let routes = ["--route", "a:=\(server.url)", "--route", "b:=redis://127.0.0.1:1"]
    expectLine(
      try Tool.run(["check", "--rdb", "-"] + routes), code: 2, saying: ["--rdb -", "each route"])
  }
}
