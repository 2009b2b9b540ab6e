// The built migr8sync binary as a test runs it: arguments in, exit code and both outputs back.

import Glibc

/// What a finished run left.
struct ToolResult: CustomStringConvertible {
  let exitCode: Int32
  let standardOutput: String
  let standardError: String

  var description: String {
    "exit code \(exitCode)\nstdout:\n\(standardOutput)\nstderr:\n\(standardError)"
  }

  /// The lines of standard error that are not empty.
  var errorLines: [String] {
    standardError.split(whereSeparator: \.isNewline).map(String.init)
  }
}

enum Tool {
  /// A run that hangs fails its test after this time. Generous: debug build, two cores, many tests.
  static let deadlineSeconds = 90.0

  /// The binary beside the test program, so that it is of the same build.
  static let path: String = {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let test = String(
      decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let beside =
      test.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/") + "/migr8sync"
    return access(beside, X_OK) == 0 ? beside : packageRoot + "/.build/debug/migr8sync"
  }()

  /// Starts it and returns at once.
  static func start(
    _ arguments: [String], environment: [String: String] = [:], at terminal: Terminal? = nil
  ) throws -> Subprocess {
    try Subprocess(
      path, arguments, environment: environment, standardInput: terminal?.path ?? "/dev/null")
  }

  /// Runs it to its end.
  static func run(
    _ arguments: [String], environment: [String: String] = [:], seconds: Double = deadlineSeconds
  ) throws -> ToolResult {
    try finish(try start(arguments, environment: environment), seconds: seconds)
  }

  /// Waits for the end of a started run.
  static func finish(_ process: Subprocess, seconds: Double = deadlineSeconds) throws -> ToolResult
  {
    let exitCode = try process.wait(seconds: seconds)
    return ToolResult(
      exitCode: exitCode, standardOutput: process.standardOutput,
      standardError: process.standardError)
  }
}

extension Subprocess {
  /// Waits until a line of standard error has all these words.
  func awaitError(_ words: String...) throws {
    try awaitCondition(
      "a line with \(words) in:\n\(standardError)", seconds: Tool.deadlineSeconds
    ) {
      guard isRunning else { throw TestFailure("the tool ended: \(try Tool.finish(self))") }
      return standardError.split(separator: "\n").contains { line in
        words.allSatisfy { line.contains($0) }
      }
    }
  }
}
