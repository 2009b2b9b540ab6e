// The rights that `migr8sync check` asks for: who has been given what it prints is asked for nothing more,
// and can sync.

import Testing

@Suite("The rights that check prints", .ownThread)
struct CheckRightsTests {
  /// Rules, and keys by their names on both sides.
  struct Case: CustomStringConvertible {
    let options: [String]
    let keys: [(source: String, destination: String)]

    var description: String { options.joined(separator: " ") }
  }

  private static let long = String(repeating: "long:", count: 30)

  static let cases: [Case] = [
    Case(
      options: ["-p", "bump:", "--rewrite", "bump:=new:"], keys: [("bump:1", "new:1")]),
    Case(
      options: ["-p", "b", "--rewrite", "bump:=new:", "--rewrite", "bar:=c:bar:"],
      keys: [("bump:1", "new:1"), ("bar:1", "c:bar:1"), ("b2", "b2")]),
    Case(
      options: ["-p", "bump:", "--match", "cart:*[0-9]"],
      keys: [("bump:1", "bump:1"), ("cart:x1", "cart:x1")]),
    Case(
      options: ["-p", "a[b]*?\\c:", "-p", "it's \"so\" $HOME `x`:", "-p", "ключ:", "-p", long],
      keys: ["a[b]*?\\c:1", "it's \"so\" $HOME `x`:1", "ключ:1", "\(long)1"].map { ($0, $0) }),
    Case(options: ["--regex", "^(x|y):"], keys: [("x:1", "x:1"), ("y:1", "y:1")]),
    Case(options: [], keys: [("x:1", "x:1"), ("y:1", "y:1")]),
  ]

  private static func user(_ server: TestServer) -> String {
    "redis://mover:pw@127.0.0.1:\(server.port)"
  }

  /// A user who may be asked about, and his like.
  private static func makeUsers(at server: TestServer) throws {
    for name in ["mover", "twin"] {
      try server.client()(
        "ACL", "SETUSER", name, "on", ">pw", "resetchannels", "+acl|whoami",
        server.kind == .redis62 ? "+acl|getuser" : "+acl|dryrun")
    }
  }

  /// No beginning says what an expression lets in: a user who may write that, and no more, is not refused.
  @Test(arguments: [ServerKind.redis70, .redis82])
  func whatAnExpressionDemandsIsEnough(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try VerifyTests.run(source, [["SET", "app:1", "1"], ["SET", "web:1", "1"]])
    try destination.client()(
      "ACL", "SETUSER", "mover", "on", ">pw", "~app:*", "~migr8sync:*", "+@all")
    let ends = ["-s", source.url, "-d", Self.user(destination), "--regex", "^app:"]
    let rows = try CheckRow.all(ends)
    #expect(!rows.contains { $0.level == "fail" }, "\(rows)")
    let result = try Tool.run(["sync", "--once"] + ends)
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.client()("GET", "app:1").text == "1")
  }

  @Test(arguments: ServerKind.allCases, cases)
  func theLinesSuffice(kind: ServerKind, rules: Case) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    try VerifyTests.run(source, rules.keys.map { ["SET", $0.source, "value of \($0.source)"] })
    let ends = ["-s", Self.user(source), "-d", Self.user(destination)] + rules.options
    for server in [source, destination] { try Self.makeUsers(at: server) }
    let before = try CheckRow.all(ends)
    for (side, server) in [("source", source), ("destination", destination)] {
      try PrintedRights("\(side) rights", in: before).give(to: "mover", and: "twin", at: server)
    }
    let after = try CheckRow.all(ends)
    #expect(!after.contains { $0.level == "fail" }, "\(after)")
    // 6.2 cannot be asked what such a user may do.
    let level = kind == .redis62 ? "warn" : "pass"
    #expect(after.count { $0.check.hasSuffix(" rights") && $0.level == level } == 2, "\(after)")

    let result = try Tool.run(["sync", "--once"] + ends)
    #expect(result.exitCode == 0, "\(result)")
    let client = try destination.client()
    for key in rules.keys {
      #expect(try client("GET", key.destination).text == "value of \(key.source)")
    }
  }

  /// Who may touch a part of the keys is asked about each part.
  @Test func partsThatAreClosedAreNamed() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    for server in [source, destination] {
      try server.client()(
        "ACL", "SETUSER", "mover", "on", ">pw", "~bump:*", "~migr8sync:*", "+@all")
    }
    let rules = ["-p", "bump:", "--match", "cart:*"]
    let rows = try CheckRow.all(
      ["-s", Self.user(source), "-d", Self.user(destination)] + rules)
    for (side, level) in [("source", "warn"), ("destination", "fail")] {
      let row = try #require(rows.first { $0.check == "\(side) rights" })
      #expect(row.level == level)
      #expect(row.found.hasPrefix("user mover may not access keys that begin with cart:"), "\(row)")
      #expect(row.do?.contains("'~bump:*' '~cart:*' ") == true, "\(row)")
    }
    let scan = try CheckRow.all(
      ["--via", "scan", "-s", Self.user(source), "-d", destination.url] + rules)
    #expect(scan.contains { $0.check == "source rights" && $0.level == "fail" }, "\(scan)")
    // A pattern of the program's own keys opens no other.
    try destination.client()("ACL", "SETUSER", "mover", "resetkeys", "~migr8sync:*")
    let all = try CheckRow.all(["-s", source.url, "-d", Self.user(destination)])
    #expect(all.contains { $0.check == "destination rights" && $0.level == "fail" }, "\(all)")
  }

  /// Rights that nobody tells are no rights that were found.
  @Test(arguments: ServerKind.allCases)
  func rightsThatCannotBeAskedAreNoPass(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(kind), try TestServer(kind))
    let ends = ["-s", Self.user(source), "-d", Self.user(destination), "-p", "bump:"]
    func levels(_ ends: [String]) throws -> [String] {
      try CheckRow.all(ends).filter { $0.check.hasSuffix(" rights") }.map(\.level)
    }
    #expect(try levels(["-s", source.url, "-d", destination.url]) == ["pass", "pass"])
    for server in [source, destination] {
      try server.client()("ACL", "SETUSER", "mover", "on", ">pw", "~*", "+@all", "-acl")
    }
    #expect(try levels(ends) == ["warn", "warn"])
    let row = try #require(try CheckRow.all(ends).first { $0.check == "destination rights" })
    #expect(row.found.contains("cannot be asked") && row.do?.contains("'~bump:*' ") == true)
    // A run is not disturbed by that.
    let result = try Tool.run(["sync", "--once"] + ends)
    #expect(result.exitCode == 0 && !result.standardError.contains("rights"), "\(result)")
  }

  /// A command that is not there says nothing of those that are.
  @Test func aRenamedCommandHidesNoMissingRight() throws {
    let source = try TestServer(
      .redis70, ["--rename-command", "MEMORY", "", "--rename-command", "PSYNC", "HIDDEN"])
    let destination = try TestServer(.redis70, ["--rename-command", "MSETNX", "other"])
    let ends = ["-s", Self.user(source), "-d", Self.user(destination), "-p", "bump:"]
    for server in [source, destination] {
      try server.client()("ACL", "SETUSER", "mover", "on", ">pw", "~*", "+@all")
    }
    let rows = try CheckRow.all(ends)
    #expect(rows.contains { $0.level == "warn" && $0.found == "the server has no msetnx" })
    try destination.client()("ACL", "SETUSER", "mover", "-xadd")
    let denied = try CheckRow.all(ends).first { $0.check == "destination rights" }
    #expect(denied?.level == "fail" && denied?.found == "user mover may not run xadd")
    try destination.client()("ACL", "SETUSER", "mover", "+@all")
    try source.client()("ACL", "SETUSER", "mover", "-replconf")
    expectLine(
      try Tool.run(["sync", "--once", "--psync-command", "HIDDEN"] + ends), code: 4,
      saying: ["source rights", "may not run replconf"])
  }

  /// What a sync is refused for, since it tries, check finds, since it tries the same: it writes nothing.
  @Test(arguments: ServerKind.allCases)
  func whatIsTriedBeforeASyncIsTriedHere(kind: ServerKind) throws {
    let (source, destination) = (try TestServer(), try TestServer(kind))
    let ends = ["-s", source.url, "-d", Self.user(destination), "-p", "bump:", "--match", "cart:*"]
    let admin = try destination.client()
    for rights in [["~*", "-restore"], ["~bump:*", "~migr8sync:*", "+restore"]] {
      let words: [any Word] =
        ["ACL", "SETUSER", "mover", "reset", "on", ">pw", "+@all", "-acl"] + rights
      _ = try admin.pipeline([words]).map { try $0.orThrow() }
      let row = try CheckRow.all(ends).first { $0.check == "destination rights" }
      #expect(row?.level == "fail" && row?.found.contains("NOPERM") == true, "\(row as Any)")
      #expect(row?.do?.hasPrefix("ACL SETUSER NAME") == true)
      expectLine(try Tool.run(["sync", "--once"] + ends), code: 4, saying: ["permission"])
    }
    try admin("CONFIG", "SET", "maxmemory", 1)
    let full = ["-s", source.url, "-d", destination.url]
    let row = try CheckRow.all(full).first { $0.check == "destination writes" }
    #expect(row?.level == "fail" && row?.found.contains("raise its maxmemory") == true)
    expectLine(try Tool.run(["sync", "--once"] + full), code: 4, saying: ["raise its maxmemory"])
    #expect(try admin("DBSIZE").number == 0)
  }
}
