// What lines that are wrong are answered: the option, what it takes or what to do, no value.

import Testing

@testable import Migr8Sync

@Suite struct UsageErrorTests {
  private static let wrongLines: [([String], String)] = [
    (["-d", "redis://new"], "--source is missing; add -s URL"),
    (["-s", "redis://old"], "--dest is missing; add -d URL"),
    (ends + ["-s", "redis://x"], "--source is given twice"),
    (ends + ["--source"], "--source needs a value, URL"),
    (ends + ["-p", "--once"], "--prefix needs a value, PREFIX"),
    (ends + ["--once=yes"], "--once takes no value"),
    (ends + ["-p", ""], "--prefix is empty; leave it out to mirror everything"),
    (ends + ["--prefix="], "--prefix is empty; leave it out to mirror everything"),
    (ends + ["--match="], "--match is empty"),
    (ends + ["-p", "bump:*"], "use --match for a pattern"),
    (ends + ["-p", "a\u{FFFD}b"], "--prefix is not UTF-8"),
    (ends + ["--db", "one"], "--db takes the number of a db"),
    (ends + ["--db", "1,,2"], "--db takes the number of a db"),
    (ends + ["--db", "2147483648"], "--db takes the number of a db"),
    (ends + ["--db=-1"], "--db takes the number of a db"),
    (ends + ["-w", "0"], "--workers takes a number from 1 to 256"),
    (ends + ["-w", "257"], "--workers takes a number from 1 to 256"),
    (ends + ["--on-conflict", "overwrite"], "--on-conflict takes fail, replace or skip"),
    (ends + ["--log-format", "xml"], "--log-format takes text or json"),
    (ends + ["--queue-memory", "1kb"], "--queue-memory takes a size of at least 1mb"),
    (ends + ["--queue-memory", "17179869184gb"], "--queue-memory takes a size"),
    (ends + ["--spool-max", "16 gb"], "--spool-max takes a size"),
    (ends + ["--spool-max=0", "--spool-dir=/x"], "leave --spool-dir out"),
    (ends + ["--spool-dir="], "--spool-dir takes the path of a directory"),
    (ends + ["--io-timeout", "10"], "--io-timeout takes a time with its unit"),
    (ends + ["--io-timeout", "0s"], "--io-timeout takes a time with its unit"),
    (ends + ["--connect-timeout", "2000m"], "--connect-timeout takes a time with its unit"),
    (ends + ["-c", "--on-conflict", "skip"], "leave one of them out"),
    (ends + ["-c", "-n"], "--dry-run writes nothing"),
    (ends + ["--tls-ca", "f"], "--tls-ca is for TLS; one of the URLs must begin with rediss://"),
    (ends + ["--tls-insecure"], "--tls-insecure is for TLS"),
    (
      ["-s", "redis://old", "-d", "rediss://new", "--source-tls-sni=x"],
      "--source-tls-sni is for TLS; the URL of --source must begin with rediss://"
    ),
    (["-s", "old:6379", "-d", "redis://new"], "--source: malformed URL"),
    (["-s", "redis://old", "-d", "redis://new/3"], "add --db N"),
    (["-s", "redis://old", "-d", "redis://new/3", "--db", "0,1"], "add --db N"),
    (["-s", "redis://old/1", "-d", "redis://new", "--db", "2"], "leave one of them out"),
  ]

  @Test(arguments: wrongLines)
  func itNamesTheOptionAndWhatToDo(words: [String], expected: String) throws {
    let message = try refusal(words)
    #expect(message.contains(expected), "\(message)")
    #expect(message.hasPrefix("migr8sync sync: "))
    #expect(message.hasSuffix("(see 'migr8sync sync --help')"))
  }

  @Test(arguments: [
    ("--prefx", "'--prefx'; did you mean --prefix?"), ("--sorce=x", "did you mean --source?"),
    ("--destination", "did you mean --dest?"), ("--onec", "did you mean --once?"),
    ("--clear", "did you mean --clear-dest?"), ("-prefix", "did you mean --prefix?"),
    ("-w8", "did you mean '-w N', each word by itself?"), ("-Z", "unknown option"),
    ("--source-password", "did you mean --source-password-file?"),
  ])
  func anUnknownOptionSuggestsTheNearest(word: String, expected: String) throws {
    let message = try refusal(ends + [word])
    #expect(message.contains("unknown option"))
    #expect(message.contains(expected), "\(message)")
  }

  @Test func nothingIsSuggestedForWhatIsNearToNothing() throws {
    #expect(try refusal(ends + ["--frobnicate"]).contains("unknown option '--frobnicate' (see"))
  }

  /// Every place where somebody may put a URL with a password by mistake.
  @Test(arguments: [
    ["redis://:Tr0ub4dor@h"], ["-s", "redis://:Tr0ub4dor@h:x"], ["-s", "redis://h/Tr0ub4dor"],
    ["-s", "Tr0ub4dor"], ["-sredis://:Tr0ub4dor@h"], ["--sourc=redis://:Tr0ub4dor@h"],
    ["--redis://:Tr0ub4dor@h"], ["-w", "redis://:Tr0ub4dor@h"], ["--db", "Tr0ub4dor"],
    ["--once=Tr0ub4dor"], ["--spool-max", "Tr0ub4dor"], ["-pTr0ub4dor"], ["Tr0ub4dor"],
    ["--source-password-file", "Tr0ub4dor"], ["--log-format", "Tr0ub4dor"],
    ["--on-conflict", "Tr0ub4dor"], ["--connect-timeout", "Tr0ub4dor"],
    ["--tls-ca", "Tr0ub4dor"], ["-s", "redis://:Tr0ub4dor@h", "-d", "redis://h/1"],
  ])
  func noValueIsEverQuoted(words: [String]) throws {
    let isSourceGiven = words.contains("-s")
    let rest = words.contains("-d") ? [] : ["-d", "redis://new"]
    let line = (isSourceGiven ? [] : ["-s", "redis://old"]) + rest + words
    #expect(!(try refusal(line).contains("Tr0ub4dor")))
    let environment = ["MIGR8SYNC_SOURCE_PASSWORD": "Tr0ub4dor"]
    #expect(!(try refusal(line, environment: environment).contains("Tr0ub4dor")))
  }

  @Test func theErrorOfAWholeLineReadsAsOneSentence() throws {
    #expect(
      try refusal(["-s", "redis://old"])
        == "migr8sync sync: --dest is missing; add -d URL (see 'migr8sync sync --help')")
  }
}
