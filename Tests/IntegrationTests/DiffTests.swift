// diff: two files of real servers, compared by what they mean.

import Testing

@Suite("Comparing two RDB files", .ownThread)
struct DiffTests {
  @Test func versionsAndEncodingsDoNotMatter() throws {
    let (old, new) = (try TestServer(.redis62), try TestServer(.redis82))
    try SampleData.fill(old)
    try new.load(try old.save())
    // Other encodings of the same values.
    let client = try new.client()
    for name in ["list-max-listpack-size", "hash-max-listpack-entries", "set-max-intset-entries"] {
      try client("CONFIG", "SET", name, 1)
    }
    try client("DEBUG", "RELOAD")
    let result = try Tool.run(["diff", old.savedFile, try new.save()])
    #expect(result.exitCode == 0, "\(result)")
    #expect(result.standardOutput == "")
    #expect(result.standardError.hasPrefix("0 added, 0 removed, 0 changed, "))
  }

  @Test func everyDifferenceIsNamed() throws {
    let server = try TestServer()
    let folder = try ScratchFolder()
    try SampleData.fill(server)
    try server.client()("XGROUP", "CREATE", "bump:idle", "group", 0, "MKSTREAM")
    let old = try folder.copy(try server.save(), "old.rdb")
    let client = try server.client()
    let commands: [[any Word]] = [
      ["SET", "bump:new", 1], ["DEL", "bump:int"], ["SET", "bump:raw", "other"],
      ["PEXPIREAT", "bump:hash", 4_000_000_000_000], ["DEL", "bump:set"], ["RPUSH", "bump:set", 1],
      ["ZADD", "bump:zset", 4, ""], ["HSET", "bump:ttl-hash", "f", "w"],
      ["PERSIST", "bump:ttl-hash"],
      ["LSET", "bump:list", 0, "z"], ["XACK", "bump:stream", "group", "1-2"],
      ["XGROUP", "CREATECONSUMER", "bump:idle", "group", "owns nothing"],
    ]
    for reply in try client.pipeline(commands) { _ = try reply.orThrow() }
    let result = try Tool.run(["diff", old, try server.save()])
    #expect(result.exitCode == 3, "\(result)")
    #expect(
      Set(result.standardOutput.split(separator: "\n").map(String.init)) == [
        "+ 0 string bump:new", "- 0 string bump:int", "~ 0 string bump:raw value",
        "~ 0 hash bump:hash ttl", "~ 0 list bump:set type", "~ 0 zset bump:zset value",
        "~ 0 hash bump:ttl-hash value ttl", "~ 0 list bump:list value",
        "~ 0 stream bump:stream value", "~ 0 stream bump:idle value",
      ])
    #expect(result.standardError.hasPrefix("1 added, 1 removed, 8 changed, "))
    let filtered = try Tool.run(["diff", old, server.savedFile, "-p", "other:"])
    #expect(filtered.exitCode == 0, "\(filtered)")
  }
}
