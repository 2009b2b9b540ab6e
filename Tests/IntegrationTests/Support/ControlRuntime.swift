// A folder for the control sockets of one test's runs, so that `status` and `cutover` find them and no
// others.

import Glibc
import Testing

/// Runs that can be talked to.
final class ControlRuntime {
  let folder: String

  init() throws { folder = try makeTemporaryFolder() }

  deinit {
    removeFolder(folder + "/migr8sync")
    removeFolder(folder)
  }

  var environment: [String: String] { ["MIGR8SYNC_RUNTIME_DIR": folder + "/migr8sync"] }

  /// Starts a run that moves `bump:`, and waits until it follows.
  func follow(
    _ source: TestServer, _ destination: TestServer, from sourceURL: String? = nil,
    to destinationURL: String? = nil, _ options: [String] = [], dyingAt point: String? = nil
  ) throws -> Subprocess {
    var variables = environment
    variables["MIGR8SYNC_CRASH_AT"] = point
    let tool = try Tool.start(
      [
        "sync", "-s", sourceURL ?? source.url, "-d", destinationURL ?? destination.url, "-p",
        "bump:",
        "--job", "drill", "--no-progress",
      ] + options, environment: variables)
    try awaitFollowing(tool)
    return tool
  }

  func awaitFollowing(_ tool: Subprocess) throws {
    try awaitCondition("the run to follow", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return try status().contains("\"phase\":\"following\"")
    }
  }

  func status() throws -> String { try run(["status", "--json"]).standardOutput }

  func run(_ words: [String]) throws -> ToolResult {
    try Tool.run(words, environment: environment)
  }

  /// A cutover that has time on a loaded machine, where the options do not say otherwise.
  func cutover(_ options: [String] = []) throws -> ToolResult {
    let patient = [
      ("--max-lag", "1m"), ("--fence-time", "20s"), ("--hook-timeout", "15s"),
      ("--observe-time", "200ms"), ("--check-time", "5s"), ("--linger", "100ms"),
    ]
    let added = patient.filter { !options.contains($0.0) }.flatMap { [$0.0, $0.1] }
    let words = ["cutover", "--skip-verify"] + added + options
    var result = try run(words)
    // Behind a resumption, or an application of all kinds of commands, some keys are read again first.
    try awaitCondition("no key to be under repair", seconds: Tool.deadlineSeconds) {
      guard result.standardError.contains("wait a moment") else { return true }
      result = try run(words)
      return false
    }
    return result
  }

  /// A cutover of a run that is to kill itself on the way. The fence that it leaves at `fenced` is ended.
  func cutover(
    _ options: [String] = [], killing tool: Subprocess, fencing fenced: TestServer
  ) throws {
    let asked = try run(
      [
        "cutover", "--skip-verify", "--max-lag", "1m", "--fence-time", "20s", "--observe-time",
        "0ms",
      ] + options)
    // Who asks a run that dies is hung up on; any other answer comes from one that lives.
    if asked.exitCode != 6 { throw TestFailure("it has not killed itself: \(asked)") }
    let end = try Tool.finish(tool)
    if end.exitCode != 128 + SIGKILL {
      throw TestFailure("it has not killed itself: \(end)\nthe cutover: \(asked)")
    }
    try fenced.client()("CLIENT", "UNPAUSE")
  }

  /// The run goes on: what is written now arrives, and the source takes it.
  func expectFollowing(
    _ tool: Subprocess, _ source: TestServer, _ destination: TestServer
  ) throws {
    let key = "bump:after:\(UInt32.random(in: 0...UInt32.max))"
    try source.client()("SET", key, 1)
    let reader = try destination.client()
    try awaitCondition("the run to go on", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return try reader("EXISTS", key).number == 1
    }
    #expect(try reader("HEXISTS", "migr8sync:job:drill", "handover").number == 0)
  }

  /// The socket of the one run.
  func socketPath() throws -> String {
    let line = try status()
    guard let start = line.range(ofText: "\"socket\":\"") else {
      throw TestFailure("no socket: \(line)")
    }
    return String(line[start.upperBound...].prefix { $0 != "\"" })
  }
}

extension String {
  /// Where `text` stands.
  fileprivate func range(ofText text: String) -> Range<String.Index>? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(text) {
        return index..<self.index(index, offsetBy: text.count)
      }
      index = self.index(after: index)
    }
    return nil
  }
}
