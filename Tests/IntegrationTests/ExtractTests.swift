// extract: what it writes is loaded by real servers and held against what they hold themselves.

import Foundation
import Testing

@Suite("Extracting from an RDB file", .ownThread)
struct ExtractTests {
  /// Runs extract and expects success and silence.
  private func extract(_ arguments: [String]) throws {
    let result = try Tool.run(["extract"] + arguments)
    try #require(result.exitCode == 0, "\(arguments): \(result)")
    #expect(result.standardError == "")
  }

  @Test(arguments: ServerKind.allCases)
  func everyCorpusFileComesBackWhole(kind: ServerKind) throws {
    let server = try TestServer(kind)
    let folder = try ScratchFolder()
    let files = try Corpus.files(version: kind.rdbVersion)
    try #require(!files.isEmpty)
    for file in files {
      try server.load(file)
      let digest = try server.digest()
      let keyspace = try Keyspace(of: server)
      try extract([file, "-o", folder.file("out.rdb")])
      try server.load(folder.file("out.rdb"))
      #expect(try server.digest() == digest, "\(file)")
      #expect(try Keyspace(of: server).differences(from: keyspace) == [], "\(file)")
    }
    #expect(folder.names() == ["out.rdb"])
  }

  @Test(arguments: ServerKind.allCases)
  func onlyWhatMatchesIsInTheFile(kind: ServerKind) throws {
    let (source, target) = (try TestServer(kind), try TestServer(kind))
    let folder = try ScratchFolder()
    try SampleData.fill(source)
    let file = try source.save()
    let all = try Keyspace(of: source)
    func expect(_ options: [String], _ isIn: (KeyName, KeyState) -> Bool) throws {
      try extract([file, "-o", folder.file("out.rdb")] + options)
      try target.load(folder.file("out.rdb"))
      let wanted = all.filter { name in all.keys[name].map { isIn(name, $0) } ?? false }
      #expect(!wanted.keys.isEmpty, "\(options)")
      #expect(try Keyspace(of: target).differences(from: wanted) == [], "\(options)")
    }
    func begins(_ name: KeyName, _ prefix: String) -> Bool { name.key.starts(with: prefix.utf8) }
    try expect(["-p", "bump:"]) { name, _ in begins(name, "bump:") }
    try expect(["-p", "bump:", "--exclude-prefix", "bump:s", "--db", "0,3"]) { name, _ in
      begins(name, "bump:") && !begins(name, "bump:s") && name.database != 15
    }
    try expect(["--match", "*list*", "--type", "list"]) { name, state in
      state.type == "list" && name.description.contains("list")
    }
    try expect(["--ttl", "any"]) { _, state in state.expiresAt != nil }
    try expect(["--ttl", "none", "--type", "hash,zset"]) { _, state in
      state.expiresAt == nil && ["hash", "zset"].contains(state.type)
    }
  }

  /// Sizes split the keys in two without a rest.
  @Test func sizesAreThoseOfTheTable() throws {
    let source = try TestServer()
    try SampleData.fill(source)
    let file = try source.save()
    func count(_ options: [String]) throws -> Int {
      let result = try Tool.run(["extract", file, "--format", "count"] + options)
      return try #require(
        Int(result.standardOutput.trimmingCharacters(in: .newlines)), "\(result)")
    }
    let all = try count([])
    #expect(all == (try Keyspace(of: source)).keys.count)
    let small = try count(["--max-size", "1000"])
    #expect(try small + count(["--min-size", "1001"]) == all)
    let rows = try Tool.run(["extract", file, "--format", "csv"]).standardOutput
      .split(whereSeparator: \.isNewline).dropFirst()
    #expect(rows.count == all)
    let sizes = rows.compactMap { row in Int(row.split(separator: ",").dropLast().last ?? "") }
    #expect(sizes.count { $0 <= 1000 } == small)
  }

  @Test(arguments: [false, true], ServerKind.allCases)
  func commandsMakeTheSameKeys(restores: Bool, kind: ServerKind) throws {
    let (source, target) = (try TestServer(kind), try TestServer(kind))
    let folder = try ScratchFolder()
    try SampleData.fill(source)
    try target.client()("RPUSH", "bump:list", "not from the file")
    let options = restores ? ["--restore"] : []
    try extract(
      [try source.save(), "--format", "resp", "-o", folder.file("out.resp")] + options)
    let pipe = try Subprocess(
      "sh", ["-c", "redis-cli -p \(target.port) --pipe < \(folder.file("out.resp"))"])
    #expect(try pipe.wait(seconds: 60) == 0, "\(pipe.standardOutput)")
    #expect(pipe.standardOutput.contains("errors: 0"), "\(pipe.standardOutput)")
    #expect(try Keyspace(of: target).differences(from: try Keyspace(of: source)) == [])
  }

  /// What a newer server has saved goes into an older one, in a form that it knows.
  @Test func anOlderServerLoadsWhatIsMadeForIt() throws {
    let (source, target) = (try TestServer(.redis82), try TestServer(.redis62))
    let folder = try ScratchFolder()
    try SampleData.fill(source, fieldExpiries: false)
    try extract([
      try source.save(), "--target-version", "6.2", "--type", "string,list,set,zset,hash", "-o",
      folder.file("out.rdb"),
    ])
    try target.load(folder.file("out.rdb"))
    let all = try Keyspace(of: source)
    let wanted = all.filter { all.keys[$0]?.type != "stream" }
    #expect(try Keyspace(of: target).differences(from: wanted) == [])

    let refused = try Tool.run([
      "extract", source.savedFile, "--target-version", "6.2", "-o", folder.file("none.rdb"),
    ])
    #expect(refused.exitCode == 1)
    #expect(
      refused.errorLines.count == 1 && refused.standardError.contains("--on-unsupported skip"))
    let skipped = try Tool.run([
      "extract", source.savedFile, "--target-version", "6.2", "-o", folder.file("some.rdb"),
      "--on-unsupported", "skip",
    ])
    #expect(skipped.exitCode == 0 && skipped.standardError.contains("left out"), "\(skipped)")
    #expect(folder.names() == ["out.rdb", "some.rdb"])
  }

  @Test func routesAndNewNames() throws {
    let (source, target) = (try TestServer(), try TestServer())
    let folder = try ScratchFolder()
    try SampleData.fill(source)
    let file = try source.save()
    try extract([
      file, "--route", "bump:=\(folder.file("bump.rdb"))", "--route",
      "bump:s=\(folder.file("s.rdb"))",
      "--route", "=\(folder.file("rest.rdb"))",
    ])
    let all = try Keyspace(of: source)
    func expect(_ name: String, _ isIn: (KeyName) -> Bool) throws {
      try target.load(folder.file(name))
      #expect(try Keyspace(of: target).differences(from: all.filter(isIn)) == [], "\(name)")
    }
    func begins(_ name: KeyName, _ prefix: String) -> Bool { name.key.starts(with: prefix.utf8) }
    try expect("s.rdb") { begins($0, "bump:s") }
    try expect("bump.rdb") { begins($0, "bump:") && !begins($0, "bump:s") }
    try expect("rest.rdb") { !begins($0, "bump:") }

    try extract([
      file, "-p", "bump:int", "--db", "0", "--rewrite", "bump:=moved:", "--db-map", "0=9", "-o",
      folder.file("renamed.rdb"),
    ])
    try target.load(folder.file("renamed.rdb"))
    #expect(
      try Set(Keyspace(of: target).keys.keys.map(\.description))
        == Set(
          all.keys.keys.filter { $0.database == 0 && begins($0, "bump:int") }.map {
            "db 9 moved:" + printable(Array($0.key.dropFirst(5)))
          }))

    let parts = try Tool.run([
      "extract", file, "-p", "bump:", "-p", "other:", "--split-by-rule", "-o", folder.path,
      "--format",
      "keys",
    ])
    #expect(parts.exitCode == 0, "\(parts)")
    #expect(folder.names().contains("bump%3a.keys") && folder.names().contains("other%3a.keys"))
  }

  @Test func readsPipesAndAppendOnlyFiles() throws {
    let source = try TestServer(.redis70, ["--appendonly", "yes"])
    try SampleData.fill(source)
    let client = try source.client()
    try client("BGREWRITEAOF")
    try awaitCondition("the rewrite") {
      try client.info("persistence")["aof_rewrite_in_progress"] == "0"
    }
    let count = try Keyspace(of: source).keys.count
    let aof = try Tool.run([
      "extract", source.folder + "/appendonlydir", "--format", "count",
    ])
    #expect(aof.standardOutput == "\(count)\n", "\(aof)")
    let file = try source.save()
    let piped = try Subprocess("sh", ["-c", "cat \(file) | \(Tool.path) extract - --format count"])
    #expect(try piped.wait(seconds: 60) == 0)
    #expect(piped.standardOutput == "\(count)\n")
    // Whoever reads the output may go: nothing is said, and it is no success.
    let closed = try Subprocess(
      "bash",
      ["-c", "\(Tool.path) extract \(file) --format json | head -c 1; exit ${PIPESTATUS[0]}"])
    #expect(try closed.wait(seconds: 60) == 1)
    #expect(closed.standardError == "")
  }
}
