// The destinations of a run with routes. The truth is a native replica of the source: each must hold the
// part of it that its route takes.

import Glibc
import Testing

/// A destination and the prefix of its route.
struct Place {
  let server: TestServer
  let prefix: String

  /// Routes that divide what SampleData and Application write; the last of five takes the rest.
  private static let prefixes = [
    2: ["bump:", "other:"],
    3: ["bump:", "other:", "bump:app:"],
    5: ["bump:", "other:", "bump:app:n:", "other:app:l", ""],
  ]

  static func some(_ count: Int) throws -> [Place] {
    try (prefixes[count] ?? []).map { Place(server: try TestServer(), prefix: $0) }
  }
}

extension [Place] {
  /// Starts a run from `source` to all of them.
  func start(_ source: TestServer, _ more: String...) throws -> Subprocess {
    try Tool.start(
      ["sync", "-s", source.url]
        + flatMap { ["--route", "\($0.prefix)=\($0.server.url)"] } + more)
  }

  /// Each has what its prefix takes of `truth`; the longest prefix of all has a key.
  func expectDivided(
    as truth: TestServer, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let everything = try Keyspace(of: truth, streams: .replicated)
    for place in self {
      let expected = everything.filter { name in
        let longest = filter { name.key.starts(with: $0.prefix.utf8) }
          .max { $0.prefix.utf8.count < $1.prefix.utf8.count }
        return longest?.prefix == place.prefix
      }
      #expect(!expected.keys.isEmpty, "\(place.prefix)", sourceLocation: sourceLocation)
      let found = try Keyspace(of: place.server, streams: .replicated)
      let differences = found.differences(
        from: expected, ignoringExpiredAt: wallClockMilliseconds())
      #expect(differences == [], "\(place.prefix)", sourceLocation: sourceLocation)
    }
  }

  /// Ends the application and the tool, and compares all destinations.
  @discardableResult
  func conclude(
    _ application: Application, _ tool: Subprocess, _ native: NativeReplica,
    _ source: TestServer, fulls: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> ToolResult {
    try application.stop()
    try source.awaitToolInSync(tool, besides: [native.server.port])
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)", sourceLocation: sourceLocation)
    try native.promote()
    try expectDivided(as: native.server, sourceLocation: sourceLocation)
    #expect(
      try source.resynchronisations()[0] == "\(fulls)", "\(result)",
      sourceLocation: sourceLocation)
    return result
  }
}
