// What a comparison says of keys that never rest, or whose destination is not known to be where it seems: neither a
// false alarm, nor a difference that was seen and is kept back.

import Glibc
import ReplicaLink
import Testing

@Suite("What a comparison says in the end", .ownThread)
struct VerdictTests {
  private static func calls(_ command: String, _ port: Int) throws -> Int {
    let line = try TestClient(port: port).info("commandstats")["cmdstat_\(command)"] ?? ""
    return line.firstMatch(of: /calls=([0-9]+)/).flatMap { Int($0.1) } ?? 0
  }

  /// What differs in a sample is decided on the way: what waits for that is bounded.
  @Test func aLargeSampleIsDecidedOnTheWay() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let count = 6_000
    try VerifyTests.run(source, (0..<count).map { ["SET", "bump:\($0)", $0] })
    let read = Guarded<Int?>(nil)
    let port = source.port
    let proxy = try InterjectingProxy(
      to: source,
      [
        "WATCH": {
          let calls = try Self.calls("dump", port)
          read.withLock { $0 = $0 ?? calls }
        }
      ])
    defer { proxy.stop() }
    let result = try Tool.run([
      "verify", "-s", proxy.url, "-d", destination.url, "-p", "bump:", "--settle", "20ms", "--json",
      "--sample", "\(count)",
    ])
    #expect(result.exitCode == 3 && VerifyTests.found(result).count == count, "\(result.exitCode)")
    let atFirst = try #require(read.withLock { $0 })
    #expect(atFirst < count)
  }
}
