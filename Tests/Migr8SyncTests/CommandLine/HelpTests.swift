// The help: reachable in every way a person tries, complete, and fit for a plain terminal.

import Testing

@testable import Migr8Sync

@Suite struct HelpTests {
  private func help(_ words: [String]) -> String? {
    guard case .help(let text) = Invocation.parse(arguments: words, environment: { _ in nil })
    else { return nil }
    return text
  }

  @Test(arguments: [[], ["--help"], ["-h"], ["help"]])
  func theProgramHelps(words: [String]) throws {
    let text = try #require(help(words))
    #expect(text.hasPrefix("migr8sync moves part of a live Redis or Valkey"))
    for command in Command.all { #expect(text.contains("  \(command.name)")) }
  }

  @Test(arguments: [
    ["sync", "--help"], ["sync", "-h"], ["help", "sync"], ["sync", "--bogus", "--help"],
    ["sync", "-s", "redis://old", "-h"],
  ])
  func aCommandHelps(words: [String]) {
    #expect(help(words)?.hasPrefix("migr8sync sync: ") == true)
  }

  @Test(arguments: Command.all.map(\.name))
  func theHelpOfACommandNamesEveryOptionAndDefault(name: String) throws {
    let text = try #require(help([name, "--help"]))
    let command = try #require(Command.all.first { $0.name == name })
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for option in command.groups.flatMap(\.options) {
      #expect(text.contains("\n  \(option.synopsis)"))
      #expect(words.contains(option.help))
      if let standard = option.standard { #expect(words.contains("Default: \(standard).")) }
    }
    for (code, meaning) in command.exitCodes {
      #expect(text.contains("  \(code.rawValue)  \(meaning)\n"))
    }
  }

  @Test func examplesComeBeforeOptions() throws {
    let text = try #require(help(["sync", "--help"]))
    let lines = text.split(separator: "\n")
    let examples = try #require(lines.firstIndex(of: "Examples"))
    let servers = try #require(lines.firstIndex(of: "Servers"))
    #expect(examples < servers)
  }

  /// The examples are what people copy: they must be command lines that the program takes.
  @Test(arguments: Command.all.flatMap(\.examples).map(\.lines))
  func everyExampleIsAccepted(lines: [String]) {
    var words = lines.flatMap { $0.split(separator: " ").map(String.init) }.filter { $0 != "\\" }
    // Of a pipe, the part that is ours.
    let parts = words.split { ["|", ">"].contains($0) }
    words = Array(parts.first { $0.first == "migr8sync" } ?? [])
    #expect(!words.isEmpty, "\(lines)")
    words = Array(words.dropFirst())
    if let file = words.firstIndex(of: "--source-password-file") {
      words.removeSubrange(file...(file + 1))
    }
    let invocation = Invocation.parse(arguments: words, environment: { _ in nil })
    switch invocation {
    case .sync, .jobs, .status, .tell, .cutover, .verify, .verifyJob, .delete, .check, .extract,
      .diff,
      .analyze:
      break
    default: Issue.record("\(invocation)")
    }
  }

  @Test(arguments: [[]] + Command.all.map { ["help", $0.name] })
  func noLineIsWiderThanATerminal(words: [String]) throws {
    for line in try #require(help(words)).split(separator: "\n") {
      #expect(line.count <= 80, "\(line)")
      #expect(line.last != " ")
    }
  }

  @Test func theVersionIsOneLine() {
    let invocation = Invocation.parse(arguments: ["--version"], environment: { _ in nil })
    guard case .version(let text) = invocation else {
      Issue.record("--version is not understood")
      return
    }
    #expect(text.hasPrefix("migr8sync ") && text.hasSuffix("\n"))
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test(arguments: [
    (["snyc"], "unknown command 'snyc'; did you mean 'sync'?"),
    (["help", "sink"], "unknown command 'sink'"), (["redis://:pw@h"], "unknown command (see"),
    (["--verison"], "unknown option; did you mean --version?"),
    (["-s", "redis://h"], "the command comes first: migr8sync check|sync|"),
  ])
  func anUnknownCommandIsAnswered(words: [String], expected: String) {
    let invocation = Invocation.parse(arguments: words, environment: { _ in nil })
    guard case .usageError(let message) = invocation else {
      Issue.record("\(invocation)")
      return
    }
    #expect(message.contains(expected), "\(message)")
    #expect(message.hasSuffix("(see 'migr8sync --help')"))
  }

  @Test func namesAndLettersOfOptionsAreUnique() {
    for command in Command.all {
      let names = command.options.map(\.name)
      #expect(Set(names).count == names.count)
      let letters = command.options.compactMap(\.short)
      #expect(Set(letters).count == letters.count)
    }
  }
}
