// The options about keys, names and places: what they mean together, and what contradicts itself.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct RuleOptionsTests {
  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// The routes by the host of each that takes a key.
  private func takers(_ options: SyncOptions, _ key: String) -> [String] {
    options.routes.filter { $0.filter.matches(key: bytes(key).span) }.map {
      "\($0.destination.endpoint)"
    }
  }

  private func wrong(_ words: [String], _ expected: String) throws {
    let message = try refusal(words)
    #expect(message.contains(expected), "\(message)")
    #expect(message.hasPrefix("migr8sync sync: "))
  }

  @Test func rulesOfEveryKindAddUp() throws {
    let options = try options(
      ends + [
        "-p", "bump:", "--match=a?", "--regex", "^j[0-9]", "--exclude-prefix=bump:t:",
        "--exclude-match=*x", "--exclude-regex", "^j0", "--type", "hash,zset", "--type=list",
      ])
    for key in ["bump:1", "ab", "j1"] { #expect(takers(options, key) == ["new:6379"]) }
    for key in ["bump:t:1", "ax", "j0", "b"] { #expect(takers(options, key) == []) }
    #expect(options.filter.types == [.hash, .sortedSet, .list])
  }

  @Test(arguments: [
    (["--regex", "a(b"], "--regex: position 2: unmatched ("), (["--regex="], "--regex is empty"),
    (["--exclude-regex", "(a)\\1"], "--exclude-regex: position 4: a back-reference"),
    (["--exclude-prefix="], "leave it out to leave nothing out"),
    (["--exclude-prefix", "a*"], "use --exclude-match"),
    (["--type", "hashes"], "--type takes one of string, list, set, zset, hash, stream, module"),
    (["--exclude-match", "*"], "leave every key out"),
    (["-p", "a:b", "--exclude-prefix", "a:"], "are all left out again"),
    (["--rewrite", "a"], "--rewrite takes OLD=NEW"), (["--rewrite", "a=b=c"], "--rewrite takes"),
    (["--rewrite", "a\\=b"], "--rewrite takes"), (["--rewrite", "a\\b=c"], "--rewrite takes"),
    (["--rewrite", "a=b", "--rewrite=a=c", "-p", "a"], "two names"),
    (["--rewrite", "a=a", "-p", "a"], "changes nothing"),
    (["--rewrite", "a=migr8sync:job:", "-p", "a"], "this program's own"),
    (["--rewrite", "a:=b:"], "the 1st --rewrite may give keys the names of others"),
    (["--rewrite", "a:=b:", "-p", "c:"], "the 1st --rewrite is about keys that do not move"),
    (
      ["-p", "a:", "-p", "b:", "--rewrite", "a:=x:", "--rewrite", "b:=x:"],
      "the 1st and the 2nd --rewrite may give two keys one name"
    ),
    (["--db-map", "0"], "--db-map takes two dbs"), (["--db-map", "0=x"], "--db-map takes two dbs"),
    (["--db-map", "0=1,0=2", "--db=0"], "db 0 to two places"),
    (["--db-map", "0=3,1=3", "--db=0,1"], "both db 0 and db 1"),
    (["--db-map", "0=3"], "two dbs of the source into db 3"),
    (["--db-map", "0=3", "--db=1"], "db 0, which is not read"),
  ])
  func contradictionsAreRefused(words: [String], expected: String) throws {
    try wrong(ends + words, expected)
  }

  @Test func rewritesAndDatabasesMakeAMapping() throws {
    let options = try options(
      ends + [
        "-p", "old:", "-p", "a=b", "--rewrite", "old:=new:", "--rewrite=a\\=b=\\\\", "--db=0,1",
        "--db-map", "0=3",
      ])
    let mapping = options.routes[0].mapping
    #expect(mapping.destinationKey(of: bytes("old:1")) == bytes("new:1"))
    #expect(mapping.destinationKey(of: bytes("a=b1")) == bytes("\\1"))
    #expect(options.databases.destination(of: 0) == 3 && options.databases.destination(of: 1) == 1)
  }

  @Test func aDatabaseInTheURLAndAMapContradict() throws {
    try wrong(
      ["-s", "redis://old", "-d", "redis://new/2", "--db", "0", "--db-map", "0=3"],
      "--db-map, and a db in the URL of --dest")
  }

  // MARK: Routes

  private let source = ["-s", "redis://old"]

  @Test func theLongestPrefixHasTheKeyInWhateverOrder() throws {
    let routes = ["bump:=redis://a", "bump:hot:=redis://b", "=redis://rest"]
    for order in [routes, routes.reversed()] {
      let options = try options(source + order.flatMap { ["--route", $0] })
      #expect(takers(options, "bump:1") == ["a:6379"])
      #expect(takers(options, "bump:hot:1") == ["b:6379"])
      #expect(takers(options, "") == ["rest:6379"])
    }
    let two = try options(source + ["--route", "a:=redis://a", "--route", "b:=redis://b"])
    #expect(takers(two, "c:") == [])
  }

  @Test func routesToOnePlaceAreOne() throws {
    let options = try options(
      source + ["--route", "a:=redis://x", "--route", "b:=redis://y", "--route", "=redis://x:6379"])
    #expect(options.routes.count == 2)
    #expect(options.routes[0].filter.prefixes == [bytes("a:"), []])
    #expect(takers(options, "b:1") == ["y:6379"] && takers(options, "q") == ["x:6379"])
  }

  @Test func anEqualsSignIsWrittenWithABackslashInAPrefixOnly() throws {
    let options = try options(
      source + ["--db", "0", "--route", "a\\=b\\\\:=unix:///run/x=y.sock?db=2"])
    #expect(options.filter.prefixes == [bytes("a=b\\:")])
    #expect(options.destination.endpoint == .unix(path: "/run/x=y.sock"))
    #expect(options.databases.destination(of: 0) == 2)
  }

  @Test func exclusionsRewritesAndPasswordsAreForEveryRoute() throws {
    let options = try options(
      source + [
        "--route", "a:=redis://x", "--route", "b:=redis://:own@y", "--rewrite", "a:=c:",
        "--exclude-match", "*:tmp",
      ], environment: ["MIGR8SYNC_DEST_PASSWORD": "env"])
    #expect(takers(options, "a:tmp") == [] && takers(options, "b:tmp") == [])
    #expect(options.routes.map { $0.destination.credentials?.password } == ["env", "own"])
    #expect(options.routes[0].mapping.destinationKey(of: bytes("a:1")) == bytes("c:1"))
  }

  @Test func thePasswordFileIsForRoutesWithoutAPassword() throws {
    try withFile(bytes("secret\n")) { path in
      let file = ["--dest-password-file", path]
      let options = try options(
        source + ["--route", "a:=redis://x", "--route", "b:=redis://:own@y"] + file)
      #expect(options.routes.map { $0.destination.credentials?.password } == ["secret", "own"])
      try wrong(source + ["--route", "b:=redis://:own@y"] + file, "leave one of them out")
    }
  }

  @Test(arguments: [
    (["--route", "a:"], "--route takes PREFIX=URL"),
    (["--route", "a:=x"], "--route: malformed URL"),
    (
      ["--route", "a:=redis://x", "-d", "redis://y"], "--route '=URL' takes every key that no other"
    ),
    (["--route", "a:=redis://x", "-p", "b:"], "--prefix and --route"),
    (["--route", "a:=redis://x", "--regex", "b:"], "--regex and --route"),
    (["--route", "a:=redis://x", "--route", "a:=redis://y"], "for two copies run two jobs"),
    (["--route", "a:=redis://:p@x", "--route", "b:=redis://:q@x"], "in two ways"),
    (["--route", "a*=redis://x"], "taken literally"),
    (["--route", "a:=redis://x/2"], "the URL of --route names a db"),
    (
      ["--route", "a:=redis://x", "--route", "b:=redis://x/0", "--db", "0"],
      "names one db of one destination by two URLs"
    ),
    (
      ["--route", "a:=redis://x", "--exclude-prefix", "a"], "a --route whose keys are all left out"
    ),
    (
      ["--route", "a:=redis://x", "--dest-tls-insecure"],
      "the URL of --route must begin with rediss"
    ),
  ])
  func routesThatContradictAreRefused(words: [String], expected: String) throws {
    try wrong(source + words, expected)
  }

  @Test(arguments: [
    "a:=redis://:Tr0ub4dor@h:x", "Tr0ub4dor", "redis://:Tr0ub4dor@h", "Tr0ub4dor=redis://h/x",
  ])
  func noPartOfARouteIsQuoted(text: String) throws {
    for name in ["--route", "--rewrite", "--regex", "--type", "--db-map"] where name != "--regex" {
      let message = try refusal(source + ["--db", "0", name, text])
      #expect(!message.contains("Tr0ub4dor"), "\(message)")
    }
  }

  // MARK: The job's identity

  private func identity(_ words: [String], route: Int = 0) throws -> JobIdentity {
    JobIdentity(name: nil, options: try options(words), route: route)
  }

  @Test func everyRuleIsPartOfTheJobsIdentity() throws {
    let lines = [
      [], ["-p", "a"], ["-p", "b"], ["--match", "a"], ["--regex", "a"], ["--exclude-prefix", "a"],
      ["--exclude-match", "a"], ["--exclude-regex", "a"], ["--type", "hash"], ["--db", "1"],
      ["-p", "a", "--rewrite", "a=b"], ["--db", "1", "--db-map", "1=2"], ["-p", "a, prefix b"],
      ["-p", "a", "-p", "b"], ["--on-conflict", "skip"], ["--on-conflict", "replace"],
      ["-p", String(repeating: "x", count: 90) + "1"],
      ["-p", String(repeating: "x", count: 90) + "2"],
    ]
    let identities = try lines.map { try identity(ends + $0) }
    #expect(Set(identities.map(\.rules)).count == lines.count)
    #expect(Set(identities.map(\.name)).count == lines.count)
    #expect(
      try identity(ends + ["-p", "b", "-p", "a"]) == identity(ends + ["-p", "a", "-p", "b"]))
  }

  @Test func aThousandRulesMakeAShortText() throws {
    let words = (0..<1_000).flatMap { ["-p", "tenant:\($0):"] }
    let one = try identity(ends + words)
    let other = try identity(ends + words + ["-p", "tenant:1000:"])
    #expect(one.rules.utf8.count < JobIdentity.rulesBytesMax + 100)
    #expect(one.rules != other.rules)
  }

  @Test func aJobHasOneNameAndTheRulesOfEachRoute() throws {
    let words = source + ["--route", "a:=redis://x", "--route", "=redis://y"]
    let (one, other) = (try identity(words), try identity(words, route: 1))
    #expect(one.name == other.name)
    #expect(one.rules == "prefix a:")
    #expect(other.rules == "prefix \"\", elsewhere a:")
  }
}
