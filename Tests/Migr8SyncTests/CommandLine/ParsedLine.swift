// Helpers of the command-line tests: a line of words in, what became of it out.

import Testing

@testable import Migr8Sync

/// The two options that every valid line has.
let ends = ["-s", "redis://old", "-d", "redis://new"]

/// Reads `migr8sync sync` with the given words.
func parse(_ words: [String], environment: [String: String] = [:]) -> Invocation {
  Invocation.parse(arguments: ["sync"] + words) { environment[$0] }
}

/// The options of a line that is right.
func options(
  _ words: [String], environment: [String: String] = [:],
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> SyncOptions {
  let invocation = parse(words, environment: environment)
  guard case .sync(let options) = invocation else {
    Issue.record("\(invocation)", sourceLocation: sourceLocation)
    throw NotOptions()
  }
  return options
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
