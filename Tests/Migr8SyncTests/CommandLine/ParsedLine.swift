// Helpers of the command-line tests: a line of words in, what became of it out.

import Glibc
import ReplicaLink
import Testing

@testable import Migr8Sync

/// The two options that every valid line has.
let ends = ["-s", "redis://old", "-d", "redis://new"]

/// Reads `migr8sync sync` with the given words.
func parse(_ words: [String], environment: [String: String] = [:]) -> Invocation {
  Invocation.parse(arguments: ["sync"] + words) { environment[$0] }
}

/// The options of a line that is right, also of one that a run does not carry out yet.
func options(
  _ words: [String], environment: [String: String] = [:],
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> SyncOptions {
  do {
    return try SyncOptions(
      ScannedArguments(words[...], of: .sync), environment: { environment[$0] })
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
    throw error
  }
}

/// The message of a line that is wrong.
func refusal(
  _ words: [String], environment: [String: String] = [:],
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> String {
  let invocation = parse(words, environment: environment)
  guard case .usageError(let message) = invocation else {
    Issue.record("it was accepted: \(invocation)", sourceLocation: sourceLocation)
    throw NotOptions()
  }
  #expect(!message.contains("\n"), sourceLocation: sourceLocation)
  return message
}

private struct NotOptions: Error {}

/// Runs `body` with the path of a temporary file.
func withFile(_ content: [UInt8], mode: mode_t = 0o600, _ body: (String) throws -> Void) throws {
  var template = Array("/tmp/migr8sync-test-XXXXXX".utf8CString)
  let descriptor = mkstemp(&template)
  try #require(descriptor >= 0)
  let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  defer { unlink(path) }
  #expect(write(descriptor, content, content.count) == content.count)
  #expect(fchmod(descriptor, mode) == 0)
  close(descriptor)
  try body(path)
}

extension SyncOptions {
  /// Of a run with one route.
  var destination: RedisURL { routes[0].destination }
  var filter: KeyFilter { routes[0].filter }
  var databases: DatabaseMap { routes[0].mapping.databases }
}
