// Rules of every kind, in the snapshot and in the stream: what reaches the destination is what plain
// Swift says of each key.

import Glibc
import Testing

@Suite("Choosing keys", .ownThread)
struct ChoosingKeysTests {
  /// Keys that lie on every side of the rules below.
  private static let keys: [String] = ["user:", "user:tmp:", "cart:", "job", "", "x"].flatMap {
    beginning in ["1", "12", "1:lock", "\n", "é", "0"].map { beginning + $0 }
  }

  private static func isChosen(_ key: String) -> Bool {
    let isJob = key.hasPrefix("job") && key.dropFirst(3).allSatisfy { "0123456789".contains($0) }
    let isIn = key.hasPrefix("user:") || (key.hasPrefix("cart:") && key.hasSuffix("2")) || isJob
    return isIn && !key.hasPrefix("user:tmp:") && !key.hasSuffix(":lock") && key != "job0"
  }

  @Test func theSnapshotAndTheStreamObeyEveryRule() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try source.client()
    for key in Self.keys { try client("SET", "\(key)", "snapshot") }
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "-p", "user:", "--match", "cart:*2",
      "--regex", "^job[0-9]+$", "--exclude-prefix", "user:tmp:", "--exclude-match", "*:lock",
      "--exclude-regex", "^job0$",
    ])
    try source.awaitToolFollowing(tool)
    func found() throws -> Set<String> {
      Set(
        try destination.client()("KEYS", "*").elements.compactMap(\.bytes)
          .map { String(decoding: $0, as: UTF8.self) }.filter { !$0.hasPrefix("migr8sync:job:") })
    }
    #expect(try found() == Set(Self.keys.filter(Self.isChosen)))
    for key in Self.keys { try client("APPEND", "\(key)", "+stream") }
    try client("DEL", "user:1", "user:tmp:1", "x1")
    try client("MSET", "user:new", 1, "user:tmp:new", 1, "job99", 1, "job99x", 1)
    try source.awaitToolInSync(tool)
    let expected = Set(Self.keys.filter(Self.isChosen)).subtracting(["user:1"])
      .union(["user:new", "job99"])
    #expect(try found() == expected)
    #expect(try destination.client()("GET", "job1").bytes == Array("snapshot+stream".utf8))
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }
}
