// The application that the other suites trust to write: two native replicas of its source agree, and
// its commands are real ones.

import Testing

@Suite("The writing application", .ownThread)
struct ApplicationTests {
  @Test(arguments: ServerKind.allCases)
  func twoNativeReplicasAgree(kind: ServerKind) throws {
    let source = try TestServer(kind)
    try SampleData.fill(source)
    let first = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let second = try NativeReplica(of: source)
    try application.awaitCommands(4_000)
    try application.stop()
    try first.promote()
    try second.promote()
    try expectEqual(first.server, to: second.server, afterStream: true)
    try expectEqual(first.server, to: source, afterStream: true)
    let keyspace = try Keyspace(of: source)
    let types = Set(
      keyspace.keys.filter { $0.key.key.starts(with: "bump:app:".utf8) }.map(\.value.type))
    #expect(types == ["string", "list", "set", "zset", "hash", "stream"])
    let errors = Int(try source.client().info("stats")["total_error_replies"] ?? "0") ?? 0
    #expect(errors < 400, "most commands succeed")
  }
}
