// Options in a file: the quoting of redis.conf, every option of the table, and errors with their place.

import Glibc
import Testing

@testable import Migr8Sync

@Suite struct ConfigFileTests {
  private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// The independent truth is what a server's own parser of such lines is documented to do.
  @Test(arguments: [
    ("a b", ["a", "b"]), ("  a\t b \r", ["a", "b"]), ("", []), ("  # a", []),
    ("a #b", ["a", "#b"]),
    ("a \"b c\"", ["a", "b c"]), ("a 'b c'", ["a", "b c"]), ("a \"\"", ["a", ""]),
    ("a \"x\\\"y\\\\z\\q\"", ["a", "x\"y\\zq"]), ("a 'x\\'y\\z'", ["a", "x'y\\z"]),
    ("a \"\\n\\r\\t\\b\\a\\x41\"", ["a", "\n\r\t\u{8}\u{7}A"]),
    ("a \"\\x4\\xg1\"", ["a", "x4xg1"]),
    ("a b\\c", ["a", "b\\c"]), ("a b\"c d\"", ["a", "bc d"]),
  ])
  func wordsAreThoseOfRedisConf(line: String, words: [String]) throws {
    #expect(try ConfigWords.split(Self.bytes(line)[...]) == words.map(Self.bytes))
  }

  @Test(arguments: ["a \"b", "a 'b", "a \"b\"c", "a 'b'c", "a \"b\\", "a \0"])
  func aBadLineIsRefused(line: String) {
    #expect(throws: ConfigWords.Problem.self) { try ConfigWords.split(Self.bytes(line)[...]) }
  }

  private func withConfig(_ text: String, _ body: (String) throws -> Void) throws {
    try withFile(Self.bytes(text), body)
  }

  @Test func aFileStandsForACommandLine() throws {
    let text = """
      # The split of 2024.
      source redis://old
      dest   redis://new

      prefix bump:
      prefix "with space"
      exclude-match *:tmp
      db 0,3
      once
      dry-run yes
      quiet no
      workers 3
      """
    try withConfig(text) { path in
      let options = try options(["--config", path])
      #expect(options.filter.prefixes == [Self.bytes("bump:"), Self.bytes("with space")])
      #expect(options.filter.excluded.globs.count == 1 && options.filter.databases == [0, 3])
      #expect(options.once && options.isDryRun && !options.view.isQuiet && options.workers == 3)
      #expect(options.warnings == [])
    }
  }

  @Test func theCommandLineHasTheLastWordAndWhatRepeatsAddsUp() throws {
    try withConfig("source redis://old\ndest redis://new\nworkers 3\nprefix a:\nprefix b:\n") {
      let options = try options([
        "-p", "c:", "-d", "redis://other", "--config", $0, "--workers=5", "--io-timeout=1s",
      ])
      #expect(options.filter.prefixes == ["a:", "b:", "c:"].map(Self.bytes))
      #expect(options.workers == 5 && options.timeouts.ioMilliseconds == 1_000)
      #expect(options.destination.endpoint == .tcp(host: "other", port: 6379))
      #expect(options.source.endpoint == .tcp(host: "old", port: 6379))
    }
  }

  @Test func aFileHoldsKeysOfAnyBytes() throws {
    try withConfig("prefix \"a\\xff\\x00\"\n") {
      let options = try options(ends + ["--config", $0])
      #expect(options.filter.prefixes == [[0x61, 0xFF, 0]])
    }
  }

  /// Every option of every command can stand in a file, and is the same there as on the command line.
  @Test(arguments: Command.all.map(\.name))
  func everyOptionIsAccepted(name: String) throws {
    let command = try #require(Command.all.first { $0.name == name })
    for option in command.options where option.belongsInFile {
      let value = option.value.map { _ in "value" }
      try withConfig("\(option.name.rawValue)\(value.map { " " + $0 } ?? "")\n") { path in
        var operands: ArraySlice<String> = []
        if case .inputs(let count) = command.operands {
          operands += Array(repeating: "file", count: count)
        }
        let inFile = try ScannedArguments(operands + ["--config", path], of: command)
        let word = option.longName + (value.map { "=" + $0 } ?? "")
        let onLine = try ScannedArguments(operands + [word], of: command)
        #expect(inFile.has(option.name), "\(option.longName)")
        #expect(inFile.all(option.name).map(\.bytes) == onLine.all(option.name).map(\.bytes))
      }
    }
    let others = command.options.filter { !$0.belongsInFile }.map(\.name)
    #expect(others == [.config, .help])
  }

  /// One file serves all commands.
  @Test func whatAnotherCommandTakesIsPassedOver() throws {
    try withConfig("source redis://old\ndest redis://:pw@new\nprefix a:\nforget one\n") { path in
      let invocation = Invocation.parse(
        arguments: ["jobs", "--config", path], environment: { _ in nil })
      guard case .jobs(let options) = invocation else {
        Issue.record("\(invocation)")
        return
      }
      #expect(options.destination.endpoint == .tcp(host: "new", port: 6379))
      #expect(options.forgets == "one")
    }
  }

  @Test(arguments: [
    ("prefx a", "1: unknown option 'prefx'; did you mean prefix?"),
    ("\n\n--prefix a", "3: an option stands without its dashes in a file"),
    ("redis://:Tr0ub4dor@h", "1: unknown option"),
    ("config a", "1: config belongs on the command line"),
    ("help", "1: help belongs"), ("prefix", "1: prefix needs a value, PREFIX"),
    ("prefix a Tr0ub4dor", "1: prefix takes one value"), ("once maybe", "1: once takes yes or no"),
    (
      "workers 1\nworkers 2", "2: --workers is given twice; give it once (it stands in line 1, too)"
    ),
    ("prefix 'Tr0ub4dor", "1: a quote that is never closed"),
    ("\nworkers Tr0ub4dor", "2: --workers takes a number"), ("prefix \"\"", "1: --prefix is empty"),
    ("prefix a\nregex a(Tr0ub4dor", "2: --regex: position 2: unmatched ("),
    ("db-map 0=1,Tr0ub4dor", "1: --db-map takes"), ("type x", "1: --type takes one of"),
    ("on-conflict skip\nclear-dest", "1: --clear-dest leaves no key"),
    ("job a/b", "1: --job takes"),
    ("prefix a\nrewrite a=b\nrewrite c=d", "3: the 2nd --rewrite is about keys"),
    ("io-timeout \"\\xff\"", "1: --io-timeout is not UTF-8"),
    ("tls-key /k", "1: --tls-key is for TLS"),
  ])
  func anErrorNamesFileAndLine(text: String, expected: String) throws {
    try withConfig(text) { path in
      let message = try refusal(ends + ["--config", path])
      #expect(message.hasPrefix("migr8sync sync: \(path):\(expected)"), "\(message)")
      #expect(message.hasSuffix("(see 'migr8sync sync --help')"))
      #expect(!message.contains("Tr0ub4dor"))
    }
  }

  @Test func aFileThatCannotBeReadIsRefusedWithTheReason() throws {
    let message = try refusal(ends + ["--config", "/nonexistent/file"])
    #expect(
      message.contains("--config: /nonexistent/file cannot be read: No such file or directory"))
  }

  @Test func aPasswordThatEverybodyCanReadIsWarnedOf() throws {
    let text = "source redis://:pw@old\ndest redis://new\n"
    for (mode, text, count) in [
      (0o644, text, 1), (0o640, text, 0), (0o644, "source redis://old\ndest redis://new\n", 0),
      (0o644, "source redis://old\nroute a=redis://:pw@new\n", 1),
    ] {
      try withFile(Self.bytes(text), mode: mode_t(mode)) { path in
        let warnings = try options(["--config", path]).warnings
        #expect(warnings.count == count, "\(warnings)")
        if let warning = warnings.first { #expect(warning.contains(path)) }
      }
    }
  }

  /// Whatever the bytes are, they are options or an error with its place.
  @Test func anyBytesAreReadOrRefused() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let pieces: [[UInt8]] =
      [
        "prefix ", "rewrite ", "route ", "db-map ", "regex ", "type ", "\"", "'", "\\", "=", "\n",
        "a",
      ]
      .map(Self.bytes) + [[0], [0xFF], [0xC3]]
    for _ in 0..<500 {
      let text = (0..<Int.random(in: 0...12, using: &generator)).flatMap { _ in
        pieces.randomElement(using: &generator) ?? []
      }
      do {
        try withFile(text) { path in
          switch parse(ends + ["--config", path]) {
          case .sync: break
          case .usageError(let line): #expect(!line.contains("\n"), "seed \(seed): \(text)")
          case let other: Issue.record("seed \(seed): \(text): \(other)")
          }
        }
      } catch {
        Issue.record(error)
      }
    }
  }
}
