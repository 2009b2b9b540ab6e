// Comparing large values: what happens to them meanwhile costs that value only, in pieces of bounded bytes,
// and by the same rules as small values.

import Glibc
import Testing

@Suite("Comparing large values", .ownThread)
struct VerifyLargeTests {
  /// Elements of 200 KB go one by one: a piece is bounded by its bytes.
  @Test func aPieceIsBoundedByItsBytes() throws {
    let (source, destination) = (try TestServer(.redis82), try TestServer(.redis82))
    let element = String(repeating: "y", count: 200_000)
    let numbers = 0..<40
    try VerifyTests.run(
      source,
      [["RPUSH", "bump:list"] + numbers.map { "\($0) \(element)" }]
        + numbers.map { ["XADD", "bump:stream", "\($0)-1", "f", "\($0) \(element)"] })
    try VerifyTests.copy(source, destination)
    let client = try destination.client()
    try client("CONFIG", "RESETSTAT")
    let result = try VerifyTests.verify(source, destination)
    #expect(result.exitCode == 0, "\(result)")
    let stats = try client.info("commandstats")
    for command in ["lrange", "xrange"] {
      let calls = stats["cmdstat_\(command)"]?.firstMatch(of: /calls=([0-9]+)/)
      #expect((calls.flatMap { Int($0.1) } ?? 0) >= 40, "\(command): \(stats)")
    }
  }
}
