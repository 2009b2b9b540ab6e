// Self-healing: somebody spoils keys at the destination; the commands that it then refuses have their
// keys read again.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite(.enabled(if: SourceKind.arePresent, "no servers: run scripts/servers"))
struct HealingTests {
  /// Each spoils `in:k`, or a key the command touches with it.
  @Test(arguments: [
    [["LPUSH", "in:k", "a"], ["LPUSH", "in:k", "b"]],
    [["SADD", "in:k", "a"], ["SADD", "in:k", "b"], ["SADD", "in:k", "c"]],
    [["LPUSH", "in:k", "a"], ["MULTI"], ["SET", "in:s", "1"], ["LPUSH", "in:k", "b"], ["EXEC"]],
    [["SADD", "in:k", "a"], ["SUNIONSTORE", "in:d", "in:k", "in:e"]],
    [
      ["ZADD", "in:k", "1", "a"], ["SELECT", "1"], ["SET", "in:k", "1"], ["SELECT", "0"],
      ["ZINCRBY", "in:k", "1", "a"],
    ],
    [["RPUSH", "in:k", "a", "b", "c"], ["LMOVE", "in:k", "in:d", "LEFT", "LEFT"]],
    [["RPUSH", "in:k", "a", "b", "c"], ["LMOVE", "in:k", "out:d", "LEFT", "LEFT"]],
    [
      ["XADD", "in:k", "1-1", "a", "b"], ["XGROUP", "CREATE", "in:k", "g", "0"],
      ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "in:k", ">"],
    ],
  ]) func aRefusedCommandIsRepaired(commands: [[String]]) throws {
    let source = try SourceKind.redis70.start()
    let (server, target) = try SourceKind.startDestination()
    let (client, stream) = (try TestConnection(source), try RawReplica(of: source))
    let applier = try Applier(
      router: CommandRouterTests.router(prefixes: ["in:"]), source: source, target: target,
      offset: stream.startOffset, seed: 1)
    for (index, command) in commands.enumerated() {
      _ = try client.send(command.map { Array($0.utf8) })
      try stream.pump(upTo: client.offset())
      while let command = try stream.next() { try applier.apply(command) }
      guard index == 0 else { continue }
      try target("SELECT", "0")
      try target("SET", "in:k", "spoiled")
      applier.forgetSelection()
    }
    try applier.settle {
      try stream.pump(upTo: client.offset())
      while let command = try stream.next() { try applier.apply(command) }
    }
    #expect(applier.refusals > 0)
    for key in ["in:k", "in:s", "in:d"] {
      let digests = try [client, target].map { connection in
        try connection("SELECT", "0")
        return try connection("DEBUG", "DIGEST-VALUE", key).array?.first?.text
      }
      #expect(digests[0] == digests[1], "\(key)")
    }
    withExtendedLifetime(server) {}
  }
}
